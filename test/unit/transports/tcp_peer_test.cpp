// What the node that is dialled may do to the one that dials, and how that one begins again.
#include <future>
#include <optional>

#include <boost/asio/post.hpp>

#include "catch.hpp"
#include "raw_listener.hpp"
#include "tcp_fixture.hpp"

using namespace kommander;
using namespace kommander::testing;
using namespace std::chrono_literals;
using codec::FrameKind;

namespace {

TcpTransportOptions Options() {
  return TcpTransportOptions().BackOff(100ms, 400ms).HandshakeTimeout(5s).IdleTimeout(6s);
}

// Sends until the node has a connection and the other end has read a message.
std::optional<RawSocket::Received> FirstFrame(TcpNode& node, RawSocket& raw) {
  node.Wait([&] {
    const auto dropped = node.statistics().dropped_unreachable;
    node.transport().Send(MakeHeartbeat(kSelf, kPeer, 1, 1));
    return node.statistics().dropped_unreachable == dropped;
  });
  return raw.ReadFrame();
}

}  // namespace

TEST_CASE("tcp peer: it greets, is answered, and sends") {
  TcpNode node(Options());
  RawListener listener;
  node.transport().SetPeer(kPeer, listener.endpoint());
  RawSocket raw;
  listener.Accept(raw);
  const auto hello = raw.ReadFrame();
  REQUIRE(hello);
  CHECK(hello->header.sequence == 0);
  codec::Greeting greeting;
  REQUIRE(codec::DecodeGreeting(AsBytes(hello->payload), greeting));
  CHECK(greeting == codec::Greeting{MakeHello(kSelf, Incarnation(1000)), kPeer});
  raw.Send(MakeHelloFrame(FrameKind::kHelloAck, PeerHello(), kSelf));
  const auto frame = FirstFrame(node, raw);
  REQUIRE(frame);
  CHECK(frame->header.kind == FrameKind::kBeats);
  CHECK(frame->header.sequence == 1);
}

TEST_CASE("tcp peer: an answer that is none ends the attempt, is counted, and another follows") {
  const std::string good = MakeHelloFrame(FrameKind::kHelloAck, PeerHello(), kSelf);
  struct Answer {
    const char* what;
    std::string bytes;
    std::uint64_t TransportStatistics::*counter;
  };
  Hello stranger = PeerHello();
  stranger.cluster_id = "another";
  Hello third = PeerHello();
  third.node = NodeId(3);
  codec::FrameHeader large;
  large.kind = FrameKind::kHelloAck;
  large.payload_bytes = 0xffffffff;
  std::array<std::byte, codec::kFrameHeaderBytes> oversize;
  codec::EncodeFrameHeader(large, oversize);
  std::string damaged = good;
  damaged.back() = '!';
  const std::vector<Answer> answers{
      {"garbage", std::string(64, 'g'), &TransportStatistics::rejected_corrupt},
      {"damaged", damaged, &TransportStatistics::rejected_corrupt},
      {"not a greeting", MakeFrame(FrameKind::kHelloAck, "hello!", 0),
       &TransportStatistics::rejected_corrupt},
      {"not a rejection", MakeFrame(FrameKind::kReject, "no", 0),
       &TransportStatistics::rejected_corrupt},
      {"oversize", std::string(AsText(oversize)) + "ten bytes.",
       &TransportStatistics::rejected_oversize},
      {"a hello", MakeHelloFrame(FrameKind::kHello, PeerHello(), kSelf),
       &TransportStatistics::rejected_out_of_order},
      {"a pong", MakeFrame(FrameKind::kPong, "", 0), &TransportStatistics::rejected_out_of_order},
      {"messages", MakeMessageFrame({MakeHeartbeat(kPeer, kSelf, 1, 1)}, 0),
       &TransportStatistics::rejected_out_of_order},
      {"a second answer", good + MakeFrame(FrameKind::kHelloAck, "", 1),
       &TransportStatistics::rejected_out_of_order},
      {"a late number", MakeFrame(FrameKind::kPong, "", 1),
       &TransportStatistics::rejected_out_of_order},
      {"another cluster", MakeHelloFrame(FrameKind::kHelloAck, stranger, kSelf),
       &TransportStatistics::rejected_handshake},
      {"another node", MakeHelloFrame(FrameKind::kHelloAck, third, kSelf),
       &TransportStatistics::rejected_handshake},
      {"for another node", MakeHelloFrame(FrameKind::kHelloAck, PeerHello(), NodeId(3)),
       &TransportStatistics::rejected_handshake},
  };
  TcpNode node(Options());
  node.host().HoldVerdicts();  // no answer is accepted before a second one could come
  RawListener listener;
  node.transport().SetPeer(kPeer, listener.endpoint());
  std::uint64_t refused = 0;
  for (const auto& answer : answers) {
    CAPTURE(answer.what);
    RawSocket raw;
    listener.Accept(raw);
    REQUIRE(raw.ReadFrame());
    const auto before = node.statistics().*answer.counter;
    raw.Send(answer.bytes);
    while (raw.ReadFrame()) {  // a rejection, perhaps
    }
    REQUIRE(raw.WaitForEnd());
    REQUIRE(node.Wait([&] { return node.statistics().*answer.counter == before + 1; }));
    CHECK(Refused(node.statistics()) == ++refused);
    // By the time the host hears of it the next attempt has its timer.
    REQUIRE(node.host().Wait([&] { return node.host().downs().size() == refused; }));
    node.clock().Advance(400ms);
  }
  CHECK(node.host().messages().empty());
}

TEST_CASE("tcp peer: an answer that is cut off is counted") {
  TcpNode node(Options());
  RawListener listener;
  node.transport().SetPeer(kPeer, listener.endpoint());
  RawSocket raw;
  listener.Accept(raw);
  REQUIRE(raw.ReadFrame());
  raw.Send(MakeHelloFrame(FrameKind::kHelloAck, PeerHello(), kSelf).substr(0, 40));
  raw.CloseSend();
  REQUIRE(raw.WaitForEnd());
  CHECK(node.Wait([&] { return node.statistics().rejected_truncated == 1; }));
}

TEST_CASE("tcp peer: what it refuses it refuses by name") {
  TcpNode node(Options());
  node.host().SetPolicy(
      [](const Hello&, NodeId) { return error_code(RaftErrc::IdentityReplaced); });
  RawListener listener;
  node.transport().SetPeer(kPeer, listener.endpoint());
  RawSocket raw;
  listener.AcceptAndGreet(raw);
  const auto frame = raw.ReadFrame();
  REQUIRE(frame);
  REQUIRE(frame->header.kind == FrameKind::kReject);
  error_code reason;
  std::string text;
  REQUIRE(codec::DecodeReject(AsBytes(frame->payload), reason, text));
  CHECK(reason == RaftErrc::IdentityReplaced);
  CHECK(raw.WaitForEnd());
}

TEST_CASE("tcp peer: a rejection reaches the host by name, each time") {
  TcpNode node(Options());
  RawListener listener;
  node.transport().SetPeer(kPeer, listener.endpoint());
  for (std::size_t i = 1; i <= 3; ++i) {
    RawSocket raw;
    listener.Accept(raw);
    REQUIRE(raw.ReadFrame());
    raw.Send(
        MakeFrame(FrameKind::kReject, codec::EncodeReject(RaftErrc::BootstrapMismatch).text(), 0));
    REQUIRE(node.host().Wait([&] { return node.host().refusals().size() == i; }));
    CHECK(node.host().refusals().back() ==
          std::pair<NodeId, error_code>(kPeer, RaftErrc::BootstrapMismatch));
    REQUIRE(node.Wait([&] { return node.clock().armed() == 1; }));
    node.clock().Advance(400ms);
  }
}

TEST_CASE("tcp peer: an answer that does not come is waited for once, then asked for again") {
  TcpNode node(Options());
  RawListener listener;
  node.transport().SetPeer(kPeer, listener.endpoint());
  RawSocket raw;
  listener.Accept(raw);
  REQUIRE(raw.ReadFrame());
  node.clock().Advance(4999ms);
  CHECK(node.clock().armed() == 1);
  node.clock().Advance(1ms);
  CHECK(raw.WaitForEnd());
  const error_code timed_out = asio::error::timed_out;
  CHECK(node.host().Wait([&] { return node.host().WasDown(kPeer, timed_out); }));
  REQUIRE(node.Wait([&] { return node.clock().armed() == 1; }));
  node.clock().Advance(100ms);
  RawSocket again;
  listener.AcceptAndGreet(again);
  CHECK(FirstFrame(node, again));
}

TEST_CASE("tcp peer: an unanswered ping ends the connection") {
  TcpNode node(Options());
  RawListener listener;
  node.transport().SetPeer(kPeer, listener.endpoint());
  RawSocket raw;
  listener.AcceptAndGreet(raw);
  REQUIRE(FirstFrame(node, raw));
  // Two are answered.
  std::uint64_t pongs = 0;
  for (; pongs < 2; ++pongs) {
    node.clock().Advance(2s);
    const auto ping = raw.ReadFrame();
    REQUIRE(ping);
    REQUIRE(ping->header.kind == FrameKind::kPing);
    raw.Send(MakeFrame(FrameKind::kPong, "", pongs + 1));
    const auto expected = (codec::kFrameHeaderBytes * (pongs + 2)) + 48 + 11;
    REQUIRE(node.Wait([&] { return node.statistics().bytes_received == expected; }));
    REQUIRE(node.Wait([&] { return node.clock().armed() == 1; }));
  }
  // The third is not. Messages flow on meanwhile, and the system takes them.
  node.clock().Advance(2s);
  REQUIRE(raw.ReadFrame());
  for (int tick = 0; tick < 3; ++tick) {
    CHECK(node.host().downs().empty());
    const auto writes = node.statistics().writes;
    node.transport().Send(MakeHeartbeat(kSelf, kPeer, 1, 2));
    REQUIRE(node.Wait([&] { return node.statistics().writes > writes; }));
    REQUIRE(node.Wait([&] { return node.clock().armed() == 1; }));
    node.clock().Advance(2s);
  }
  const error_code timed_out = asio::error::timed_out;
  CHECK(node.host().Wait([&] { return node.host().WasDown(kPeer, timed_out); }));
  // And the peer is dialled again.
  REQUIRE(node.Wait([&] { return node.clock().armed() == 1; }));
  node.clock().Advance(100ms);
  RawSocket again;
  listener.AcceptAndGreet(again);
  CHECK(FirstFrame(node, again));
}

TEST_CASE("tcp peer: messages that a lost connection did not take are dropped and counted") {
  TcpNode node(Options());
  RawListener listener;
  node.transport().SetPeer(kPeer, listener.endpoint());
  RawSocket raw;
  listener.AcceptAndGreet(raw);
  REQUIRE(FirstFrame(node, raw));
  raw.Close();
  REQUIRE(node.host().Wait([&] { return !node.host().downs().empty(); }));
  const auto before = node.statistics().dropped_unreachable;
  for (int i = 0; i < 5; ++i) node.transport().Send(MakeHeartbeat(kSelf, kPeer, 1, 9));
  CHECK(node.statistics().dropped_unreachable == before + 5);
}

TEST_CASE("tcp peer: a stalled peer gets the newest heartbeat, not their history") {
  TcpNode node(Options());
  RawListener listener;
  node.transport().SetPeer(kPeer, listener.endpoint());
  RawSocket raw;
  listener.AcceptAndGreet(raw);
  REQUIRE(FirstFrame(node, raw));
  // Fill the way until a write does not come along any more.
  std::uint64_t index = 0;
  REQUIRE(node.Wait([&] {
    node.transport().Send(conformance::MakeAppend(kSelf, kPeer, 7, ++index, 1u << 20));
    return node.statistics().dropped_queue_full != 0;
  }));
  const auto superseded = node.statistics().dropped_superseded;
  // The queue is full for appends of this size, not for heartbeats.
  for (std::uint64_t round = 2; round <= 1001; ++round) {
    node.transport().Send(MakeHeartbeat(kSelf, kPeer, 1, round));
  }
  CHECK(node.statistics().dropped_superseded - superseded == 999);
}

TEST_CASE("tcp peer: one write gathers so many bytes, and the order stays") {
  TcpNode node(Options().WriteBytes(4096));
  RawListener listener;
  node.transport().SetPeer(kPeer, listener.endpoint());
  RawSocket raw;
  listener.AcceptAndGreet(raw);
  REQUIRE(FirstFrame(node, raw));
  REQUIRE(node.Wait([&] { return node.statistics().messages_sent != 0; }));
  const auto writes = node.statistics().writes;
  // While the only thread is busy, everything gathers in the queue.
  std::promise<void> all_queued;
  asio::post(node.runner().executor(), [&] { all_queued.get_future().wait(); });
  constexpr std::uint64_t kMessages = 100;
  for (std::uint64_t index = 1; index <= kMessages; ++index) {
    node.transport().Send(conformance::MakeAppend(kSelf, kPeer, 1, index, 1000));
  }
  all_queued.set_value();
  std::vector<Message> received;
  while (received.size() < kMessages) {
    const auto frame = raw.ReadFrame();
    REQUIRE(frame);
    codec::ReceiveBuffer buffer;
    buffer.bytes = frame->payload.size() * 4;  // bodies are copied
    REQUIRE(codec::DecodeMessages(frame->header.kind, AsBytes(frame->payload), {kSelf, kPeer},
                                  buffer, received) == codec::FrameError::kNone);
    std::erase_if(received,
                  [](const Message& m) { return std::holds_alternative<Heartbeat>(m.body); });
  }
  for (std::uint64_t index = 1; index <= kMessages; ++index) {
    const Message expected = conformance::MakeAppend(kSelf, kPeer, 1, index, 1000);
    CHECK(received[index - 1] == expected);
  }
  // Each message costs more than 1,000 bytes of the 4,096, so at most four are in a write. The last
  // one is counted after it has arrived.
  CHECK(node.Wait([&] { return node.statistics().writes - writes >= kMessages / 4; }));
}

// A name for the resolver, which is no address as this library takes it, and that a machine without
// a name for itself, such as a container, knows as well.
constexpr const char* kLoopbackName = "127.1";

TEST_CASE("tcp peer: a host name is resolved") {
  TcpNode node(Options());
  RawListener listener;
  node.transport().SetPeer(kPeer, Endpoint(kLoopbackName, listener.endpoint().port));
  RawSocket raw;
  listener.AcceptAndGreet(raw);
  CHECK(FirstFrame(node, raw));
}

TEST_CASE("tcp peer: a cluster id that is too long is an error of this node") {
  TcpNode node(Options());
  node.host().Change([](Hello& hello) { hello.cluster_id.assign(300, 'c'); });
  RawListener listener;
  node.transport().SetPeer(kPeer, listener.endpoint());
  const error_code invalid = RaftErrc::InvalidArgument;
  CHECK(node.host().Wait([&] { return node.host().WasDown(kPeer, invalid); }));
}

TEST_CASE("tcp transport: where it listens") {
  const auto runner = conformance::MakeRunner(conformance::Threads::kContext1);
  const auto host = std::make_shared<RecordingHost>(MakeHello(kSelf, Incarnation(1)));
  const auto start = [&](Endpoint listen, std::string& detail) {
    TcpTransport transport(std::make_shared<ManualClock>());
    CHECK(transport.BoundEndpoint() == Endpoint());
    const error_code error = transport.Start(runner->executor(), listen, host, detail);
    CHECK((error || transport.BoundEndpoint().port != 0));
    return error;
  };
  std::string detail;
  CHECK(!start(Endpoint("", 0), detail));
  CHECK(!start(Endpoint("localhost", 0), detail));
  CHECK(detail.empty());
  CHECK(start(Endpoint("example.invalid", 0), detail) == RaftErrc::InvalidArgument);
  CHECK(detail == "cannot listen on 'example.invalid': not an IP address");
  CHECK(start(Endpoint("192.0.2.1", 0), detail) == RaftErrc::InvalidArgument);
  CHECK(detail.find("192.0.2.1:0") != std::string::npos);
}
