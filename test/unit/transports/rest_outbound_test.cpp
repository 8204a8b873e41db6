// The asking side of a REST transport, with the test as its peer, on a clock that the test moves.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/error.hpp>

#include <kommander/rest_transport.hpp>

#include "catch.hpp"
#include "fake_rest_peer.hpp"
#include "manual_clock.hpp"
#include "rest/json_messages.hpp"
#include "transport_fixture.hpp"

namespace kommander::testing {
namespace {

using conformance::MakeHeartbeat;
using conformance::MakeHello;
using conformance::RecordingHost;
using namespace std::chrono_literals;

const NodeId kSelf(1);
const NodeId kPeer(2);

class RestNode {
 public:
  explicit RestNode(RestTransportOptions options = {})
      : runner_(conformance::MakeRunner(conformance::Threads::kContext1)),
        transport_(clock_, options.BackOff(1ms, 1ms)) {
    std::string detail;
    REQUIRE(!transport_.Start(runner_->executor(), Endpoint("127.0.0.1", 0), host_, detail));
  }
  explicit RestNode(const FakePeer& peer) : RestNode() { Dial(peer); }
  ~RestNode() {
    transport_.Stop({});
    runner_.reset();
  }
  RestNode(const RestNode&) = delete;
  RestNode& operator=(const RestNode&) = delete;

  void Dial(const FakePeer& peer) { transport_.SetPeer(kPeer, peer.endpoint()); }
  RestTransport& transport() { return transport_; }
  ManualClock& clock() { return *clock_; }
  RecordingHost& host() { return *host_; }
  TransportStatistics statistics() const { return transport_.Statistics(); }
  void Send(std::uint64_t round) { transport_.Send(MakeHeartbeat(kSelf, kPeer, 1, round)); }
  // Sends until the queue takes it: the session is open then.
  void SendOnceOpen(std::uint64_t round) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    for (auto lost = statistics().dropped_unreachable;; ++lost) {
      REQUIRE(std::chrono::steady_clock::now() < end);
      Send(round);
      if (statistics().dropped_unreachable == lost) return;
      std::this_thread::yield();
    }
  }
  // Counters move on another thread; this waits until the condition holds.
  static void Wait(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    REQUIRE(condition());
  }
  // Lets pauses pass until the next attempt has come.
  void NextAttempt(FakePeer& peer) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!peer.IsAsked() && std::chrono::steady_clock::now() < end) clock_->Advance(1ms);
  }

 private:
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::unique_ptr<conformance::Runner> runner_;
  std::shared_ptr<RecordingHost> host_ =
      std::make_shared<RecordingHost>(MakeHello(kSelf, Incarnation(1000)));
  RestTransport transport_;
};

TEST_CASE("what queues while a request is under way goes with the next one, newest state only") {
  FakePeer peer;
  RestNode node(peer);
  peer.Welcome();
  node.SendOnceOpen(1);
  const rest::Batch first = peer.ReadBatch();
  CHECK(first.sequence == 1);
  REQUIRE(first.messages.size() == 1);
  for (std::uint64_t round = 2; round <= 4; ++round) node.Send(round);
  peer.Answer("200 OK", R"({"received":1})");
  const rest::Batch second = peer.ReadBatch();
  CHECK(second.sequence == 2);
  REQUIRE(second.messages.size() == 1);
  CHECK(std::get<Heartbeat>(second.messages[0].body).round == 4);
  CHECK(node.statistics().dropped_superseded == 2);
}

TEST_CASE("a peer that does not answer in time is given up, and greeted anew") {
  FakePeer peer;
  RestNode node(peer);
  peer.Welcome();
  node.SendOnceOpen(1);
  CHECK(peer.ReadBatch().sequence == 1);
  node.clock().Advance(6s);
  CHECK(node.host().Wait([&] { return node.host().WasDown(kPeer, asio::error::timed_out); }));
  node.NextAttempt(peer);
  peer.Welcome();
  node.SendOnceOpen(2);
  CHECK(peer.ReadBatch().sequence == 1);  // of the new session
}

TEST_CASE("an empty request asks whether the peer is there when nothing else is to be said") {
  FakePeer peer;
  RestNode node(peer);
  peer.Welcome();
  node.SendOnceOpen(1);
  CHECK(peer.ReadBatch().messages.size() == 1);
  peer.Answer("200 OK", R"({"received":1})");
  node.Wait([&] { return node.statistics().messages_sent == 1; });  // the answer was taken
  std::atomic<bool> has_come{false};
  std::thread mover([&] {
    while (!has_come) {
      node.clock().Advance(100ms);
      std::this_thread::yield();
    }
  });
  const rest::Batch probe = peer.ReadBatch();
  has_come = true;
  mover.join();
  CHECK(probe.messages.empty());
  CHECK(probe.sequence == 2);
}

TEST_CASE("a refusal is told by its name, and names that no peer may say are not believed") {
  FakePeer peer;
  RestNode node(peer);
  const auto refuse = [&](const char* name) {
    peer.Accept();
    (void)peer.Read();
    peer.Answer("403 Forbidden",
                std::string(R"({"error":{"name":")") + name + R"(","message":""}})");
  };
  refuse("IdentityReplaced");
  CHECK(
      node.host().Wait([&] { return node.host().WasRefused(kPeer, RaftErrc::IdentityReplaced); }));
  node.NextAttempt(peer);
  refuse("StorageFailed");
  CHECK(node.host().Wait([&] { return node.host().WasRefused(kPeer, RaftErrc::UnexpectedPeer); }));
}

TEST_CASE("what is no answer ends the connection") {
  const std::string welcome =
      rest::EncodeWelcome(kRestSession, {MakeHello(kPeer, Incarnation(2000)), kSelf});
  const std::string length = std::to_string(welcome.size());
  const std::vector<std::string> wrongs{
      "nonsense\r\n\r\n",
      "HTTP/1.1 200 OK\r\n\r\n" + welcome,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
      "HTTP/1.1 200 OK\r\nContent-Length: " + length + "\r\n\r\n" + welcome + "more",
      "HTTP/1.1 200 OK\nContent-Length: " + length + "\n\n" + welcome,
      "HTTP/1.1 200 OK\r\na: " + std::string(9000, 'b')};
  FakePeer peer;
  RestNode node(peer);
  for (std::size_t i = 0; i < wrongs.size(); ++i) {
    CAPTURE(wrongs[i].substr(0, 80));
    peer.Accept();
    (void)peer.Read();
    peer.Say(wrongs[i]);
    node.Wait([&] { return node.statistics().rejected_corrupt == i + 1; });
    node.NextAttempt(peer);
  }
}

TEST_CASE("what this node refuses it refuses by name, to the peer's ears") {
  FakePeer peer;
  RestNode node;
  node.host().SetPolicy(
      [](const Hello&, NodeId) { return error_code(RaftErrc::IdentityReplaced); });
  node.Dial(peer);
  peer.Welcome();
  CHECK(peer.ReadFarewell() == RaftErrc::IdentityReplaced);
  CHECK(peer.WaitForEnd());
  CHECK(node.host().Wait([&] { return node.host().WasDown(kPeer, RaftErrc::IdentityReplaced); }));
  CHECK(node.host().refusals().empty());
  CHECK(node.statistics().rejected_handshake == 1);
}

TEST_CASE("a peer that is removed is told, between two requests or behind the one under way") {
  FakePeer peer;
  RestNode node(peer);
  peer.Welcome();
  node.SendOnceOpen(1);
  CHECK(peer.ReadBatch().sequence == 1);
  SECTION("behind it") {}
  SECTION("between") {
    peer.Answer("200 OK", R"({"received":1})");
    node.Send(2);  // the answer has been taken when the next request comes
    CHECK(peer.ReadBatch().sequence == 2);
    peer.Answer("200 OK", R"({"received":1})");
  }
  node.transport().RemovePeer(kPeer);
  CHECK(!peer.ReadFarewell());
  CHECK(node.host().downs().empty());
}

TEST_CASE("a stop says farewell as well, and an attempt that has no session says nothing") {
  FakePeer peer;
  RestNode node(peer);
  SECTION("with a session") {
    peer.Welcome();
    node.SendOnceOpen(1);
    CHECK(peer.ReadBatch().sequence == 1);
    node.Wait([&] { return node.statistics().writes == 2; });  // the request has left
    node.transport().Stop({});
    CHECK(!peer.ReadFarewell());
  }
  SECTION("without") {
    peer.Accept();
    (void)peer.Read();
    node.transport().Stop({});
    CHECK(peer.WaitForEnd());
  }
}

TEST_CASE("a refusal reaches the host each time, an absence once") {
  FakePeer peer;
  RestNode node(peer);
  for (std::size_t i = 1; i <= 3; ++i) {
    peer.Accept();
    (void)peer.Read();
    peer.Answer("503 Service Unavailable",
                R"({"error":{"name":"NodeIsNotReady","message":"not yet"}})");
    REQUIRE(node.host().Wait([&] { return node.host().refusals().size() == i; }));
    node.NextAttempt(peer);
  }
  CHECK(node.host().WasRefused(kPeer, RaftErrc::NodeIsNotReady));
  CHECK(node.host().downs().empty());
  peer.Welcome();
  node.SendOnceOpen(1);
  peer.Close();
  for (int i = 0; i < 3; ++i) {
    node.NextAttempt(peer);
    peer.Accept();
    peer.Close();
  }
  node.NextAttempt(peer);
  CHECK(node.host().downs().size() == 1);
}

TEST_CASE("messages that a lost connection did not take are dropped and counted") {
  FakePeer peer;
  RestNode node(peer);
  peer.Welcome();
  node.SendOnceOpen(1);
  CHECK(peer.ReadBatch().messages.size() == 1);
  node.Send(2);  // waits for the answer
  const auto before = node.statistics().dropped_unreachable;
  peer.Close();
  REQUIRE(node.host().Wait([&] { return !node.host().downs().empty(); }));
  for (int i = 0; i < 5; ++i) node.Send(9);
  CHECK(node.statistics().dropped_unreachable == before + 6);
  CHECK(node.statistics().messages_sent == 0);
}

TEST_CASE("a request gathers so many bytes, and the order stays") {
  FakePeer peer;
  RestNode node(RestTransportOptions().RequestBytes(64u << 10));
  node.Dial(peer);
  peer.Welcome();
  node.SendOnceOpen(1);
  CHECK(peer.ReadBatch().messages.size() == 1);
  constexpr std::uint64_t kCount = 40;
  for (std::uint64_t i = 1; i <= kCount; ++i) {
    node.transport().Send(conformance::MakeAppend(kSelf, kPeer, 7, i, 10'000));
  }
  peer.Answer("200 OK", R"({"received":1})");
  std::uint64_t next = 1;
  std::size_t requests = 0;
  for (; next <= kCount; ++requests) {
    const rest::Batch batch = peer.ReadBatch();
    CHECK(batch.messages.size() <= 7);
    for (const Message& message : batch.messages) {
      REQUIRE(std::get<AppendRequest>(message.body).entries.at(0).index == LogIndex(next));
      ++next;
    }
    peer.Answer("200 OK", R"({"received":1})");
  }
  CHECK(requests >= kCount / 7);
  CHECK(requests <= kCount / 6 + 2);
}

TEST_CASE("what no request has room for is dropped, and what follows it is not") {
  FakePeer peer;
  RestNode node(RestTransportOptions().RequestBytes(8u << 20));
  node.Dial(peer);
  peer.Welcome();
  node.SendOnceOpen(1);
  CHECK(peer.ReadBatch().messages.size() == 1);
  const auto chunk = [](std::size_t bytes) {
    return Message(PartitionId(1), kSelf, kPeer, Term(1),
                   SnapshotChunk(LogIndex(1), 2, std::string(bytes, 'x')));
  };
  node.transport().Send(chunk(17u << 20));
  node.transport().Send(chunk(7u << 20));
  node.transport().Send(chunk(15u << 20));  // both in one would be too much
  node.transport().Send(chunk(5));
  peer.Answer("200 OK", R"({"received":1})");
  std::vector<std::size_t> sizes;
  while (sizes.empty() || sizes.back() != 5) {
    const rest::Batch batch = peer.ReadBatch();
    for (const Message& message : batch.messages) {
      sizes.push_back(std::get<SnapshotChunk>(message.body).bytes.size());
    }
    peer.Answer("200 OK", R"({"received":1})");
  }
  CHECK(sizes == std::vector<std::size_t>{7u << 20, 15u << 20, 5});
  CHECK(node.statistics().dropped_queue_full == 1);
}

TEST_CASE("a cluster id that is too long is an error of this node") {
  FakePeer peer;
  RestNode node;
  node.host().Change([](Hello& hello) { hello.cluster_id.assign(300, 'c'); });
  node.Dial(peer);
  const error_code invalid = RaftErrc::InvalidArgument;
  CHECK(node.host().Wait([&] { return node.host().WasDown(kPeer, invalid); }));
}

TEST_CASE("where a REST transport listens") {
  const auto runner = conformance::MakeRunner(conformance::Threads::kContext1);
  const auto host = std::make_shared<RecordingHost>(MakeHello(kSelf, Incarnation(1)));
  const auto start = [&](Endpoint listen, RestTransportOptions options, std::string& detail) {
    RestTransport transport(std::make_shared<ManualClock>(), options);
    CHECK(transport.BoundEndpoint() == Endpoint());
    const error_code error = transport.Start(runner->executor(), listen, host, detail);
    CHECK((error || options.is_mounted() || transport.BoundEndpoint().port != 0));
    return error;
  };
  std::string detail;
  CHECK(!start(Endpoint("", 0), {}, detail));
  CHECK(!start(Endpoint("localhost", 0), {}, detail));
  CHECK(!start(Endpoint("example.invalid", 0), RestTransportOptions().Mounted(), detail));
  CHECK(detail.empty());
  CHECK(start(Endpoint("example.invalid", 0), {}, detail) == RaftErrc::InvalidArgument);
  CHECK(detail == "cannot listen on 'example.invalid': not an IP address");
}

TEST_CASE("options that are out of range are refused by name") {
  const auto runner = conformance::MakeRunner(conformance::Threads::kContext1);
  const auto host = std::make_shared<RecordingHost>(MakeHello(kSelf, Incarnation(1)));
  const auto refused = [&](const RestTransportOptions& options) {
    RestTransport transport(std::make_shared<ManualClock>(), options);
    std::string detail;
    const error_code error =
        transport.Start(runner->executor(), Endpoint("127.0.0.1", 0), host, detail);
    CHECK((error == RaftErrc::InvalidArgument || (!error && detail.empty())));
    return detail.substr(0, detail.find(' '));
  };
  using Options = RestTransportOptions;
  CHECK(refused(Options()).empty());
  CHECK(refused(Options().RequestBytes(0)) == "RequestBytes");
  CHECK(refused(Options().RequestBytes((8u << 20) + 1)) == "RequestBytes");
  CHECK(refused(Options().MaxConnections(0, 1)) == "MaxConnections");
  CHECK(refused(Options().MaxConnections(1, 0)) == "MaxConnections");
  CHECK(refused(Options().HandshakeTimeout(0s)) == "HandshakeTimeout,");
  CHECK(refused(Options().BackOff(0s, 1s)) == "HandshakeTimeout,");
  CHECK(refused(Options().BackOff(1s, 0s)) == "HandshakeTimeout,");
  CHECK(refused(Options().IdleTimeout(-1s)) == "HandshakeTimeout,");
}

}  // namespace
}  // namespace kommander::testing
