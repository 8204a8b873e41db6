// A transport of today and a peer that is version 1 as it was frozen, or a later node that still
// speaks it: the handshake, and every message in both directions.
#include <map>
#include <optional>
#include <string>

#include <boost/asio/ip/tcp.hpp>

#include "../codec/freeze.hpp"
#include "../codec/random_messages.hpp"
#include "catch.hpp"
#include "raw_listener.hpp"
#include "tcp_fixture.hpp"

using namespace kommander;
using namespace kommander::testing;
using namespace std::chrono_literals;
using codec::testing::Freeze;

namespace {

// One connection, of which nothing is read or written with today's codec.
class FrozenConnection {
 public:
  RawSocket& raw() { return raw_; }
  void Send(std::uint16_t kind, std::string payload) {
    raw_.Send(frozen_v1::EncodeFrame({kind, 0, sent_++, std::move(payload)}));
  }
  void Send(const std::vector<Message>& messages) {
    const frozen_v1::Batch batch = Freeze(messages);
    Send(frozen_v1::KindOf(batch.messages), frozen_v1::Encode(batch));
  }
  // Nothing: the connection has ended.
  std::optional<frozen_v1::Frame> Read() {
    const std::string header = ReadBytes(frozen_v1::kHeaderBytes);
    if (header.empty()) return std::nullopt;
    frozen_v1::Frame frame;
    std::uint32_t size = 0;
    std::uint32_t checksum = 0;
    REQUIRE(frozen_v1::DecodeHeader(header, frame, size, checksum));
    REQUIRE(frame.sequence == received_++);
    frame.payload = ReadBytes(size);
    REQUIRE(frame.payload.size() == size);
    REQUIRE(frozen_v1::Checksum(frame.payload) == checksum);
    return frame;
  }
  frozen_v1::Frame Expect(std::uint16_t kind) {
    const auto frame = Read();
    REQUIRE(frame);
    REQUIRE(frame->kind == kind);
    return *frame;
  }
  frozen_v1::Hello ExpectHello(std::uint16_t kind) {
    frozen_v1::Hello hello;
    REQUIRE(frozen_v1::Decode(Expect(kind).payload, hello));
    return hello;
  }

 private:
  std::string ReadBytes(std::size_t count) {
    std::string bytes;
    while (bytes.size() < count) {
      std::string piece(count - bytes.size(), '\0');
      const auto got = ::recv(raw_.socket().native_handle(), piece.data(), piece.size(), 0);
      if (got <= 0) return {};
      bytes.append(piece, 0, static_cast<std::size_t>(got));
    }
    return bytes;
  }
  RawSocket raw_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

// What the peer says of itself; a later one speaks more versions.
frozen_v1::Hello FrozenHello(std::uint16_t version_min, std::uint16_t version_max) {
  frozen_v1::Hello hello = Freeze(PeerHello(), kSelf);
  hello.version_min = version_min;
  hello.version_max = version_max;
  return hello;
}

Message Between(NodeId from, NodeId to, codec::testing::MessageSource& source) {
  Message message = source.Next(2000);
  message.from = from;
  message.to = to;
  message.stamp = HlcTimestamp::FromWord(message.stamp.word(), from);
  return message;
}

// Several of each type that there is.
std::vector<Message> EveryType(NodeId from, NodeId to, std::uint64_t seed) {
  codec::testing::MessageSource source(seed);
  std::vector<Message> messages;
  std::map<std::size_t, int> count;
  while (messages.size() < 5 * std::variant_size_v<MessageBody>) {
    Message message = Between(from, to, source);
    if (++count[message.body.index()] <= 5) messages.push_back(std::move(message));
  }
  return messages;
}

constexpr std::pair<std::uint16_t, std::uint16_t> kRanges[] = {{1, 1}, {0, 1}, {1, 7}};

}  // namespace

TEST_CASE("tcp and frozen version 1: a peer that dials is answered, heard, and its pings too") {
  for (const auto& [low, high] : kRanges) {
    CAPTURE(low, high);
    TcpNode node;
    FrozenConnection peer;
    peer.raw().Connect(node.endpoint());
    peer.Send(frozen_v1::kHello, frozen_v1::Encode(FrozenHello(low, high)));
    const auto answer = peer.ExpectHello(frozen_v1::kHelloAck);
    CHECK(answer == Freeze(conformance::MakeHello(kSelf, Incarnation(1000)), kPeer));
    const std::vector<Message> messages = EveryType(kPeer, kSelf, 5);
    for (const auto& message : messages) peer.Send({message});
    CHECK(node.host().Wait([&] { return node.host().messages().size() == messages.size(); }));
    CHECK(node.host().messages() == messages);
    peer.Send(frozen_v1::kPing, "");
    CHECK(peer.Expect(frozen_v1::kPong).payload.empty());
    CHECK(Refused(node.statistics()) == 0);
  }
}

TEST_CASE("tcp and frozen version 1: a peer that is dialled understands all that is sent") {
  for (const auto& [low, high] : kRanges) {
    CAPTURE(low, high);
    TcpNode node;
    RawListener listener;
    node.transport().SetPeer(kPeer, listener.endpoint());
    FrozenConnection peer;
    listener.Accept(peer.raw());
    const auto hello = peer.ExpectHello(frozen_v1::kHello);
    CHECK(hello == Freeze(conformance::MakeHello(kSelf, Incarnation(1000)), kPeer));
    peer.Send(frozen_v1::kHelloAck, frozen_v1::Encode(FrozenHello(low, high)));
    // One by one, since what waits may be superseded.
    const Message first = MakeHeartbeat(kSelf, kPeer, 1, 1);
    REQUIRE(node.Wait([&] {
      const auto dropped = node.statistics().dropped_unreachable;
      node.transport().Send(first);
      return node.statistics().dropped_unreachable == dropped;
    }));
    frozen_v1::Batch batch;
    REQUIRE(frozen_v1::Decode(peer.Expect(frozen_v1::kBeats).payload, batch));
    CHECK(batch == Freeze(std::vector<Message>{first}));
    for (const auto& message : EveryType(kSelf, kPeer, 6)) {
      node.transport().Send(message);
      const auto frame = peer.Read();
      REQUIRE(frame);
      REQUIRE(frozen_v1::Decode(frame->payload, batch));
      CHECK(frame->kind == frozen_v1::KindOf(batch.messages));
      CHECK(batch == Freeze(std::vector<Message>{message}));
    }
    node.clock().Advance(2s);
    CHECK(peer.Expect(frozen_v1::kPing).payload.empty());
    peer.Send(frozen_v1::kPong, "");
    CHECK(Refused(node.statistics()) == 0);
  }
}

TEST_CASE("tcp and frozen version 1: a node that does not speak it any more is told so") {
  const auto expect_refusal = [](FrozenConnection& peer) {
    frozen_v1::Reject reject;
    REQUIRE(frozen_v1::Decode(peer.Expect(frozen_v1::kReject).payload, reject));
    CHECK(reject.reason == 64);
    peer.raw().CloseSend();
    CHECK_FALSE(peer.Read());
  };
  TcpNode node;
  FrozenConnection dialler;
  dialler.raw().Connect(node.endpoint());
  dialler.Send(frozen_v1::kHello, frozen_v1::Encode(FrozenHello(2, 7)));
  expect_refusal(dialler);
  RawListener listener;
  node.transport().SetPeer(kPeer, listener.endpoint());
  FrozenConnection acceptor;
  listener.Accept(acceptor.raw());
  (void)acceptor.ExpectHello(frozen_v1::kHello);
  acceptor.Send(frozen_v1::kHelloAck, frozen_v1::Encode(FrozenHello(2, 7)));
  expect_refusal(acceptor);
  CHECK(node.statistics().rejected_handshake == 2);
  CHECK(node.host().judged() == 0);
}
