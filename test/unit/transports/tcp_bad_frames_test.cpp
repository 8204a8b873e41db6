// The same mistakes in frames of every kind, in both states of a connection: each ends it, is
// counted once, reaches nobody, and makes the node allocate next to nothing. And peers that are
// slow.
#include <cerrno>
#include <string>
#include <vector>

#include "allocation_watch.hpp"
#include "catch.hpp"
#include "codec/little_endian.hpp"
#include "tcp_fixture.hpp"

using namespace kommander;
using namespace kommander::testing;
using namespace std::chrono_literals;
using codec::FrameKind;

namespace {

constexpr FrameKind kUnknown{9};
// A kind more than there are, which is optional where it is to be sound.
constexpr FrameKind kKinds[] = {FrameKind::kHello, FrameKind::kHelloAck, FrameKind::kReject,
                                FrameKind::kPing,  FrameKind::kPong,     FrameKind::kVotes,
                                FrameKind::kBeats, FrameKind::kAppends,  kUnknown};

std::string HelloFrame() { return MakeHelloFrame(FrameKind::kHello, PeerHello(), kSelf); }

// A sound frame of the kind, as far as the frame goes.
std::string Sound(FrameKind kind, std::uint64_t sequence) {
  const bool empty = kind == FrameKind::kPing || kind == FrameKind::kPong;
  return MakeFrame(kind, empty ? "" : "some payload", sequence, kind == kUnknown ? 1 : 0);
}

// A field of the header, with the header's checksum right again.
template <class Value>
std::string With(std::string frame, std::size_t offset, Value value) {
  auto* bytes = reinterpret_cast<std::byte*>(frame.data());
  codec::Store(bytes + offset, value);
  codec::Store(bytes + 28, codec::Crc32c(AsBytes(frame).first(28)));
  return frame;
}

struct Mistake {
  const char* what;
  std::string (*spoil)(std::string frame);
  std::uint64_t TransportStatistics::*counter;
};
const Mistake kMistakes[] = {
    {"magic", [](std::string f) { return With(std::move(f), 0, std::uint32_t{0x41414141}); },
     &TransportStatistics::rejected_corrupt},
    {"version 0", [](std::string f) { return With(std::move(f), 4, std::uint16_t{0}); },
     &TransportStatistics::rejected_corrupt},
    {"version 2", [](std::string f) { return With(std::move(f), 4, std::uint16_t{2}); },
     &TransportStatistics::rejected_corrupt},
    {"kind 0, not optional",
     [](std::string f) {
       return With(With(std::move(f), 6, std::uint16_t{0}), 8, std::uint16_t{0});
     },
     &TransportStatistics::rejected_corrupt},
    {"flag 2", [](std::string f) { return With(std::move(f), 8, std::uint16_t{2}); },
     &TransportStatistics::rejected_corrupt},
    {"all flags", [](std::string f) { return With(std::move(f), 8, std::uint16_t{0xffff}); },
     &TransportStatistics::rejected_corrupt},
    {"a shorter header", [](std::string f) { return With(std::move(f), 10, std::uint16_t{28}); },
     &TransportStatistics::rejected_corrupt},
    {"a longer header", [](std::string f) { return With(std::move(f), 10, std::uint16_t{40}); },
     &TransportStatistics::rejected_corrupt},
    {"a negative length",
     [](std::string f) { return With(std::move(f), 12, std::uint32_t{0xffffffff}); },
     &TransportStatistics::rejected_oversize},
    {"the most negative length",
     [](std::string f) { return With(std::move(f), 12, std::uint32_t{0x80000000}); },
     &TransportStatistics::rejected_oversize},
    {"one byte above every cap",
     [](std::string f) { return With(std::move(f), 12, std::uint32_t{(16u << 20) + 1}); },
     &TransportStatistics::rejected_oversize},
    {"a number from the future",
     [](std::string f) { return With(std::move(f), 16, std::uint64_t{7}); },
     &TransportStatistics::rejected_out_of_order},
    {"the last number", [](std::string f) { return With(std::move(f), 16, ~std::uint64_t{0}); },
     &TransportStatistics::rejected_out_of_order},
    {"checksum of the payload",
     [](std::string f) { return With(std::move(f), 24, std::uint32_t{0xdeadbeef}); },
     &TransportStatistics::rejected_corrupt},
    {"checksum of the header",
     [](std::string f) {
       f[28] = static_cast<char>(f[28] ^ 1);
       return f;
     },
     &TransportStatistics::rejected_corrupt},
    {"cut off", [](std::string f) { return f.substr(0, f.size() - 1); },
     &TransportStatistics::rejected_truncated},
};

}  // namespace

TEST_CASE("tcp bad frames: every mistake in every kind, before and after the handshake") {
  const bool greeted = GENERATE(false, true);
  TcpNode node;
  std::uint64_t refused = 0;
  for (const auto& mistake : kMistakes) {
    for (const FrameKind kind : kKinds) {
      CAPTURE(mistake.what, static_cast<int>(kind), greeted);
      RawSocket raw(node.endpoint());
      if (greeted) Greet(raw);
      const auto before = node.statistics().*mistake.counter;
      ForgetAllocations();
      raw.Send(mistake.spoil(Sound(kind, greeted ? 1 : 0)));
      raw.CloseSend();
      REQUIRE(raw.WaitForEnd());
      CHECK(LargestAllocation() <= (128u << 10) + 64);  // the receive buffer itself
      REQUIRE(node.Wait([&] { return node.statistics().*mistake.counter == before + 1; }));
      CHECK(Refused(node.statistics()) == ++refused);
    }
  }
  CHECK(node.host().messages().empty());
  CHECK(node.host().judged() == (greeted ? refused : 0));
}

TEST_CASE("tcp bad frames: a frame has a deadline, however busy its bytes are") {
  TcpNode node(TcpTransportOptions().IdleTimeout(6s).FrameTimeout(31s));
  RawSocket raw(node.endpoint());
  Greet(raw);
  const std::string frame =
      MakeMessageFrame({conformance::MakeAppend(kPeer, kSelf, 1, 1, 3000)}, 1);
  const auto drip = [&](std::size_t at) {
    const auto before = node.statistics().bytes_received;
    raw.Send(frame.substr(at, 1));
    REQUIRE(node.Wait([&] { return node.statistics().bytes_received == before + 1; }));
    REQUIRE(node.Wait([&] { return node.clock().armed() == 1; }));
  };
  for (std::size_t i = 0; i < 16; ++i) {
    drip(i);
    node.clock().Advance(2s);  // never silent for an idle time
    CHECK(node.host().downs().empty());
  }
  raw.Send(frame.substr(16, 1));
  CHECK(raw.WaitForEnd());
  const error_code timed_out = asio::error::timed_out;
  CHECK(node.host().Wait([&] { return node.host().WasDown(kPeer, timed_out); }));
  CHECK(node.statistics().rejected_truncated == 1);
  CHECK(node.host().messages().empty());
}

TEST_CASE("tcp bad frames: slow is not late, and each frame has a time of its own") {
  TcpNode node(TcpTransportOptions().IdleTimeout(6s).FrameTimeout(30s));
  RawSocket raw(node.endpoint());
  Greet(raw);
  std::string stream;
  for (std::uint64_t i = 1; i <= 4; ++i) {
    stream += MakeMessageFrame({MakeHeartbeat(kPeer, kSelf, 1, i)}, i);
  }
  // Pieces across the borders of frames: there is always one that has begun.
  const std::size_t step = stream.size() / 16 + 1;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    const std::string piece = stream.substr(at, step);
    const auto before = node.statistics().bytes_received;
    raw.Send(piece);
    REQUIRE(node.Wait([&] { return node.statistics().bytes_received == before + piece.size(); }));
    REQUIRE(node.Wait([&] { return node.clock().armed() == 1; }));
    node.clock().Advance(5s);
  }
  CHECK(node.host().Wait([&] { return node.host().messages().size() == 4; }));
  CHECK(node.host().downs().empty());
}

TEST_CASE("tcp bad frames: five hundred idle strangers cost little and keep no peer out") {
  TcpNode node;
  RawSocket peer(node.endpoint());
  Greet(peer);
  peer.Send(MakeMessageFrame({MakeHeartbeat(kPeer, kSelf, 1, 1)}, 1));
  // By now the peer's connection has its buffer, which a stranger's is not given.
  REQUIRE(node.host().Wait([&] { return node.host().messages().size() == 1; }));
  // Of one context, which is what a thousand descriptors allow.
  asio::io_context context;
  std::vector<asio::ip::tcp::socket> strangers;
  strangers.reserve(500);
  const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(node.endpoint().host),
                                         node.endpoint().port);
  ForgetAllocations();
  for (int i = 0; i < 500; ++i) {
    strangers.emplace_back(context).connect(endpoint);
    if (i % 2 != 0) continue;
    boost::system::error_code ignored;  // it may have given way already
    asio::write(strangers.back(), asio::buffer(HelloFrame(), 40), ignored);
  }
  // All but the newest 64 give way.
  for (std::size_t i = 0; i < 500 - 64; ++i) {
    const timeval limit{20, 0};
    REQUIRE(setsockopt(strangers[i].native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit,
                       sizeof limit) == 0);
    char byte = 0;
    const auto count = ::recv(strangers[i].native_handle(), &byte, 1, 0);
    REQUIRE((count == 0 || (count < 0 && errno == ECONNRESET)));
  }
  CHECK(node.Wait([&] { return node.clock().armed() == 64 + 1; }));
  CHECK(LargestAllocation() < (32u << 10));
  peer.Send(MakeMessageFrame({MakeHeartbeat(kPeer, kSelf, 1, 2)}, 2));
  CHECK(node.host().Wait([&] { return node.host().messages().size() == 2; }));
  RawSocket newcomer(node.endpoint());
  newcomer.Send(MakeHelloFrame(FrameKind::kHello, MakeHello(NodeId(3), Incarnation(3)), kSelf));
  const auto answer = newcomer.ReadFrame();
  REQUIRE(answer);
  CHECK(answer->header.kind == FrameKind::kHelloAck);
  CHECK(node.host().judged() == 2);
}
