// What strangers and broken peers may do to an accepted connection, byte by byte.
#include <list>
#include <random>
#include <sys/resource.h>

#include "allocation_watch.hpp"
#include "catch.hpp"
#include "codec/little_endian.hpp"
#include "tcp_fixture.hpp"

using namespace kommander;
using namespace kommander::testing;
using namespace std::chrono_literals;
using codec::FrameKind;

namespace {

Message Beat(std::uint64_t round, NodeId from = kPeer, NodeId to = kSelf) {
  return MakeHeartbeat(from, to, 1, round);
}
std::string BeatFrame(std::uint64_t sequence) { return MakeMessageFrame({Beat(1)}, sequence); }
std::string HelloFrame() { return MakeHelloFrame(FrameKind::kHello, PeerHello(), kSelf); }

// A header that declares what does not follow.
std::string Declare(FrameKind kind, std::uint32_t payload_bytes, std::uint64_t sequence) {
  codec::FrameHeader header;
  header.kind = kind;
  header.payload_bytes = payload_bytes;
  header.sequence = sequence;
  std::array<std::byte, codec::kFrameHeaderBytes> bytes;
  codec::EncodeFrameHeader(header, bytes);
  return std::string(AsText(bytes));
}

}  // namespace

TEST_CASE("tcp inbound: a peer that greets is answered, and its messages are delivered") {
  TcpNode node;
  RawSocket raw(node.endpoint());
  raw.Send(HelloFrame());
  const auto answer = raw.ReadFrame();
  REQUIRE(answer);
  codec::Greeting greeting;
  REQUIRE(codec::DecodeGreeting(AsBytes(answer->payload), greeting));
  CHECK(greeting.hello == MakeHello(kSelf, Incarnation(1000)));
  CHECK(greeting.to == kPeer);
  raw.Send(BeatFrame(1) + BeatFrame(2));
  CHECK(node.host().Wait([&] { return node.host().messages().size() == 2; }));
}

TEST_CASE("tcp inbound: a hello cut at every byte") {
  TcpNode node;
  const std::string hello = HelloFrame();
  for (std::size_t size = 0; size < hello.size(); ++size) {
    RawSocket raw(node.endpoint());
    raw.Send(std::string_view(hello).substr(0, size));
    raw.CloseSend();
    CAPTURE(size);
    REQUIRE(raw.WaitForEnd());
    REQUIRE(node.Wait([&] { return node.statistics().rejected_truncated == size; }));
  }
  CHECK(Refused(node.statistics()) == hello.size() - 1);
  CHECK(node.host().judged() == 0);
}

TEST_CASE("tcp inbound: frames cut at every byte reach no partition") {
  TcpNode node;
  const std::string frames =
      BeatFrame(1) + MakeMessageFrame({conformance::MakeAppend(kPeer, kSelf, 1, 1, 30)}, 2);
  const std::size_t first = BeatFrame(1).size();
  std::uint64_t truncated = 0;
  std::size_t delivered = 0;
  for (std::size_t size = 0; size <= frames.size(); ++size) {
    RawSocket raw(node.endpoint());
    Greet(raw);
    raw.Send(std::string_view(frames).substr(0, size));
    raw.CloseSend();
    CAPTURE(size);
    REQUIRE(raw.WaitForEnd());
    if (size != 0 && size != first && size != frames.size()) ++truncated;
    delivered += (size >= first ? 1u : 0u) + (size == frames.size() ? 1u : 0u);
    REQUIRE(node.Wait([&] { return node.statistics().rejected_truncated == truncated; }));
    REQUIRE(node.host().Wait([&] { return node.host().messages().size() == delivered; }));
  }
  CHECK(Refused(node.statistics()) == truncated);
}

TEST_CASE("tcp inbound: a declared length is judged before it is allocated") {
  const bool greeted = GENERATE(false, true);
  CAPTURE(greeted);
  TcpNode node;
  const auto judge = [&](FrameKind kind, std::uint32_t bytes) {
    RawSocket raw(node.endpoint());
    if (greeted) Greet(raw);
    ForgetAllocations();
    raw.Send(Declare(kind, bytes, greeted ? 1 : 0) + "ten bytes.");
    return raw.WaitForEnd();
  };
  constexpr std::uint32_t k4GiB = 0xffffffff;
  std::uint64_t oversize = 0;
  for (const auto kind :
       {FrameKind::kHello, FrameKind::kVotes, FrameKind::kBeats, FrameKind::kAppends}) {
    REQUIRE(judge(kind, k4GiB));
    CHECK(LargestAllocation() < (256u << 10));
    REQUIRE(node.Wait([&] { return node.statistics().rejected_oversize == oversize + 1; }));
    ++oversize;
  }
  // One byte above the cap of each kind, as it is in this state of the connection.
  const std::uint32_t appends = greeted ? (16u << 20) + 1 : 4097;
  const std::uint32_t beats = greeted ? (1u << 20) + 1 : 4097;
  REQUIRE(judge(FrameKind::kAppends, appends));
  REQUIRE(judge(FrameKind::kBeats, beats));
  REQUIRE(judge(FrameKind::kVotes, 4097));
  REQUIRE(node.Wait([&] { return node.statistics().rejected_oversize == oversize + 3; }));
  CHECK(node.host().messages().empty());
}

TEST_CASE("tcp inbound: a length at the cap allocates that and no more") {
  TcpNode node;
  RawSocket raw(node.endpoint());
  Greet(raw);
  ForgetAllocations();
  raw.Send(Declare(FrameKind::kAppends, 16u << 20, 1) + "ten bytes.");
  raw.CloseSend();
  REQUIRE(raw.WaitForEnd());
  CHECK(LargestAllocation() < (16u << 20) + 4096);
  CHECK(node.Wait([&] { return node.statistics().rejected_truncated == 1; }));
}

TEST_CASE("tcp inbound: each flipped bit of a frame ends the connection") {
  TcpNode node;
  const bool greeted = GENERATE(false, true);
  const std::string frame = greeted ? BeatFrame(1) : HelloFrame();
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string bad = frame;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    RawSocket raw(node.endpoint());
    if (greeted) Greet(raw);
    raw.Send(bad);
    CAPTURE(bit, greeted);
    REQUIRE(raw.WaitForEnd());
    REQUIRE(node.Wait([&] { return node.statistics().rejected_corrupt == bit + 1; }));
  }
  CHECK(node.host().messages().empty());
  CHECK(Refused(node.statistics()) == frame.size() * 8);
}

TEST_CASE("tcp inbound: a gap and a repeat end the connection") {
  TcpNode node;
  std::uint64_t expected = 0;
  for (const std::uint64_t sequence : {0u, 2u, 1000u}) {
    RawSocket raw(node.endpoint());
    Greet(raw);
    raw.Send(BeatFrame(sequence));
    REQUIRE(raw.WaitForEnd());
    ++expected;
    CHECK(node.Wait([&] { return node.statistics().rejected_out_of_order == expected; }));
  }
  CHECK(node.host().messages().empty());
  RawSocket raw(node.endpoint());
  Greet(raw);
  raw.Send(BeatFrame(1) + BeatFrame(2) + BeatFrame(2) + BeatFrame(3));
  REQUIRE(raw.WaitForEnd());
  CHECK(node.Wait([&] { return node.statistics().rejected_out_of_order == expected + 1; }));
  CHECK(node.host().Wait([&] { return node.host().messages().size() == 2; }));
}

TEST_CASE("tcp inbound: kinds that the state of the connection does not allow") {
  struct Sequence {
    const char* what;
    bool greet;
    std::string bytes;
  };
  const std::string hello = HelloFrame();
  const std::string hello_again = MakeFrame(
      FrameKind::kHello, codec::EncodeGreeting(codec::Greeting{PeerHello(), kSelf}).text(), 1);
  const std::vector<Sequence> sequences{
      {"messages before hello", false, BeatFrame(0)},
      {"ping before hello", false, MakeFrame(FrameKind::kPing, "", 0)},
      {"ack instead of hello", false, MakeHelloFrame(FrameKind::kHelloAck, PeerHello(), kSelf)},
      {"an optional kind before hello", false, MakeFrame(FrameKind(77), "", 0, 1)},
      {"messages behind hello, before the answer", false, hello + BeatFrame(1)},
      {"a piece of a frame behind hello", false, hello + BeatFrame(1).substr(0, 5)},
      {"two hellos", false, hello + hello_again},
      {"hello after the handshake", true, hello_again},
      {"pong", true, MakeFrame(FrameKind::kPong, "", 1)},
  };
  TcpNode node;
  node.host().HoldVerdicts();
  std::uint64_t expected = 0;
  for (const auto& sequence : sequences) {
    CAPTURE(sequence.what);
    RawSocket raw(node.endpoint());
    if (sequence.greet) {
      node.host().ReleaseVerdicts();
      Greet(raw);
    }
    raw.Send(sequence.bytes);
    REQUIRE(raw.WaitForEnd());
    ++expected;
    REQUIRE(node.Wait([&] { return node.statistics().rejected_out_of_order == expected; }));
  }
  CHECK(node.host().messages().empty());
}

TEST_CASE("tcp inbound: an optional kind that is not known is passed over") {
  TcpNode node;
  RawSocket raw(node.endpoint());
  Greet(raw);
  raw.Send(MakeFrame(FrameKind(77), "from the future", 1, codec::kFrameFlagOptional) +
           BeatFrame(2));
  CHECK(node.host().Wait([&] { return node.host().messages().size() == 1; }));
  CHECK(Refused(node.statistics()) == 0);
}

TEST_CASE("tcp inbound: messages of others, and for others") {
  TcpNode node;
  std::uint64_t expected = 0;
  for (const auto& message :
       {Beat(1, NodeId(3)), Beat(1, kPeer, NodeId(3)), Beat(1, kSelf, kPeer)}) {
    RawSocket raw(node.endpoint());
    Greet(raw);
    raw.Send(MakeMessageFrame({message}, 1));
    REQUIRE(raw.WaitForEnd());
    ++expected;
    CHECK(node.Wait([&] { return node.statistics().rejected_foreign == expected; }));
  }
  CHECK(node.host().messages().empty());
  CHECK(node.host().WasDown(kPeer, RaftErrc::UnexpectedPeer));
}

TEST_CASE("tcp inbound: garbage") {
  TcpNode node;
  std::mt19937_64 random(41);
  for (int round = 0; round < 200; ++round) {
    RawSocket raw(node.endpoint());
    std::string bytes(1 + random() % 6000, '\0');
    for (auto& c : bytes) c = static_cast<char>(random());
    if (round == 0) bytes = "GET / HTTP/1.1\r\nHost: example\r\n\r\n";
    const bool greeted = round % 2 == 1;
    if (greeted) Greet(raw);
    raw.Send(bytes);
    raw.CloseSend();
    REQUIRE(raw.WaitForEnd());
  }
  CHECK(node.Wait([&] { return Refused(node.statistics()) == 200; }));
  CHECK(node.host().messages().empty());
}

TEST_CASE("tcp inbound: damaged streams of valid frames") {
  TcpNode node({}, conformance::Threads::kContext4);
  std::mt19937_64 random(42);
  for (int round = 0; round < 400; ++round) {
    std::string bytes;
    for (std::uint64_t i = 1; i <= 4; ++i) {
      bytes += MakeMessageFrame({Beat(i), conformance::MakeAppend(kPeer, kSelf, 1, i, 500)}, i);
    }
    const std::size_t at = random() % bytes.size();
    if (round % 2 == 0) {
      bytes[at] ^= static_cast<char>(1 + random() % 255);
    } else {
      bytes.erase(at, 1 + random() % 100);
    }
    RawSocket raw(node.endpoint());
    Greet(raw);
    raw.Send(bytes);
    raw.CloseSend();
    REQUIRE(raw.WaitForEnd());
  }
  // Each connection but those that lost exactly their last bytes at a border was refused.
  CHECK(node.Wait([&] { return Refused(node.statistics()) >= 399; }));
  for (const auto& message : node.host().messages()) CHECK(message.from == kPeer);
}

TEST_CASE("tcp inbound: a rejection names its reason before the end") {
  TcpNode node;
  Hello other = PeerHello();
  other.cluster_id = "somebody else's";
  RawSocket raw(node.endpoint());
  // What it sends behind its hello must not destroy the rejection on its way.
  raw.Send(MakeHelloFrame(FrameKind::kHello, other, kSelf) + std::string(3000, 'x'));
  const auto answer = raw.ReadFrame();
  REQUIRE(answer);
  REQUIRE(answer->header.kind == FrameKind::kReject);
  error_code reason;
  std::string text;
  REQUIRE(codec::DecodeReject(AsBytes(answer->payload), reason, text));
  CHECK(reason == RaftErrc::ClusterIdMismatch);
  CHECK(text == reason.message());
  CHECK(raw.WaitForEnd());
  CHECK(node.statistics().rejected_handshake == 1);
  CHECK(node.host().judged() == 0);
}

TEST_CASE("tcp inbound: who stays after a rejection is cut off") {
  TcpNode node;
  Hello other = PeerHello();
  other.version_min = other.version_max = 9;
  RawSocket raw(node.endpoint());
  raw.Send(MakeHelloFrame(FrameKind::kHello, other, kSelf));
  REQUIRE(raw.ReadFrame());
  // Our half stays open: only the clock ends it.
  REQUIRE(node.Wait([&] { return node.clock().armed() == 1; }));
  node.clock().Advance(1s);
  CHECK(node.Wait([&] { return node.clock().armed() == 0; }));
}

TEST_CASE("tcp inbound: a handshake has one deadline, however busy it is") {
  TcpNode node(TcpTransportOptions().HandshakeTimeout(5s));
  const std::string hello = HelloFrame();
  RawSocket silent(node.endpoint());
  RawSocket slow(node.endpoint());
  REQUIRE(node.Wait([&] { return node.clock().armed() == 2; }));
  for (std::size_t i = 0; i < 49; ++i) {
    const auto before = node.statistics().bytes_received;
    slow.Send(hello.substr(i, 1));
    REQUIRE(node.Wait([&] { return node.statistics().bytes_received == before + 1; }));
    node.clock().Advance(100ms);
  }
  CHECK(node.clock().armed() == 2);
  node.clock().Advance(100ms);
  CHECK(silent.WaitForEnd());
  CHECK(slow.WaitForEnd());
  CHECK(node.clock().armed() == 0);
}

TEST_CASE("tcp inbound: pings are answered") {
  TcpNode node;
  RawSocket raw(node.endpoint());
  Greet(raw);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    raw.Send(MakeFrame(FrameKind::kPing, "", i));
    const auto pong = raw.ReadFrame();
    REQUIRE(pong);
    CHECK(pong->header.kind == FrameKind::kPong);
    CHECK(pong->header.sequence == i);
  }
}

TEST_CASE("tcp inbound: a peer that falls silent is given up") {
  TcpNode node(TcpTransportOptions().IdleTimeout(6s));
  RawSocket raw(node.endpoint());
  Greet(raw);
  for (std::uint64_t i = 1; i <= 5; ++i) {
    raw.Send(BeatFrame(i));
    REQUIRE(node.host().Wait([&] { return node.host().messages().size() == i; }));
    REQUIRE(node.Wait([&] { return node.clock().armed() == 1; }));
    node.clock().Advance(6s);
  }
  CHECK(node.host().downs().empty());
  REQUIRE(node.Wait([&] { return node.clock().armed() == 1; }));
  node.clock().Advance(6s);
  CHECK(raw.WaitForEnd());
  const error_code timed_out = asio::error::timed_out;
  CHECK(node.host().Wait([&] { return node.host().WasDown(kPeer, timed_out); }));
}

TEST_CASE("tcp inbound: silent strangers give way to newer ones") {
  TcpNode node(TcpTransportOptions().MaxConnections(100, 4));
  std::list<RawSocket> silent;
  for (int i = 0; i < 6; ++i) {
    silent.emplace_back(node.endpoint());
    const auto expected = static_cast<std::size_t>(std::min(i + 1, 4));
    REQUIRE(node.Wait([&] { return node.clock().armed() == expected; }));
  }
  CHECK(silent.front().WaitForEnd());
  CHECK(std::next(silent.begin())->WaitForEnd());
  RawSocket peer(node.endpoint());
  Greet(peer);  // a real peer gets in nevertheless
}

TEST_CASE("tcp inbound: connections are bounded") {
  TcpNode node(TcpTransportOptions().MaxConnections(3, 2));
  std::list<RawSocket> peers;
  for (std::uint32_t i = 0; i < 3; ++i) {
    peers.emplace_back(node.endpoint());
    peers.back().Send(
        MakeHelloFrame(FrameKind::kHello, MakeHello(NodeId(10 + i), Incarnation(i + 1)), kSelf));
    REQUIRE(peers.back().ReadFrame());
  }
  RawSocket one_too_many(node.endpoint());
  CHECK(one_too_many.WaitForEnd());
  peers.front().Close();
  REQUIRE(node.host().Wait([&] { return !node.host().downs().empty(); }));
  RawSocket fits(node.endpoint());
  Greet(fits);
}

TEST_CASE("tcp inbound: a peer's new connection replaces its old one") {
  TcpNode node;
  RawSocket old(node.endpoint());
  Greet(old);
  RawSocket fresh(node.endpoint());
  Greet(fresh);
  CHECK(old.WaitForEnd());
  fresh.Send(BeatFrame(1));
  CHECK(node.host().Wait([&] { return node.host().messages().size() == 1; }));
  CHECK(node.host().downs().empty());  // the peer was never away
}

TEST_CASE("tcp inbound: a peer that refuses our answer is believed") {
  TcpNode node;
  RawSocket raw(node.endpoint());
  Greet(raw);
  raw.Send(
      MakeFrame(FrameKind::kReject, codec::EncodeReject(RaftErrc::IdentityReplaced).text(), 1));
  CHECK(raw.WaitForEnd());
  const error_code replaced = RaftErrc::IdentityReplaced;
  CHECK(node.host().Wait([&] { return node.host().WasRefused(kPeer, replaced); }));
}

TEST_CASE("tcp inbound: without free descriptors it waits, and then accepts again") {
  TcpNode node;
  RawSocket raw;
  raw.Open();
  rlimit old_limit{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &old_limit) == 0);
  rlimit none = old_limit;
  none.rlim_cur =
      static_cast<rlim_t>(raw.socket().native_handle()) + 1;  // every lower one is taken
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  raw.Connect(node.endpoint());  // as far as the kernel's queue
  const bool waits = node.Wait([&] { return node.clock().armed() == 1; });
  REQUIRE(setrlimit(RLIMIT_NOFILE, &old_limit) == 0);
  REQUIRE(waits);
  node.clock().Advance(100ms);
  Greet(raw);
}
