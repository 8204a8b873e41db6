// What every Transport must do, as one suite. A backend's program links the suite and defines
// MakeTransportBackend. Anyone who writes a Transport of his own can do the same.
#include <atomic>
#include <future>
#include <random>
#include <thread>

#include <boost/asio/post.hpp>

#include <kommander/steady_clock.hpp>

#include "catch.hpp"
#include "transport_fixture.hpp"

namespace kommander::conformance {
namespace {

const NodeId kA(1);
const NodeId kB(2);

// Two nodes that know each other.
struct Pair {
  explicit Pair(Threads threads, TransportLimits limits = {})
      : backend(MakeTransportBackend(limits)), a(*backend, threads, kA), b(*backend, threads, kB) {
    a.Start();
    b.Start();
  }
  void Connect() {
    a.Dial(b);
    b.Dial(a);
    REQUIRE(a.Reach(b));
    REQUIRE(b.Reach(a));
  }
  std::unique_ptr<TransportBackend> backend;
  TestNode a;
  TestNode b;
};

Threads AnyThreads() {
  const auto threads = GENERATE(Threads::kContext1, Threads::kContext4, Threads::kPool);
  return threads;
}

std::vector<Message> OneOfEach() {
  VoteRequest vote;
  vote.last_index = LogIndex(8);
  vote.last_term = Term(2);
  vote.pre_vote = true;
  VoteReply vote_reply;
  vote_reply.granted = true;
  AppendReply reply;
  reply.rejected = LogIndex(4);
  reply.hint_index = LogIndex(3);
  HeartbeatReply beat_reply;
  beat_reply.round = 5;
  ReadIndexRequest read;
  read.request = 6;
  ReadIndexReply read_reply;
  read_reply.confirmed = true;
  std::vector<Message> messages{MakeAppend(kA, kB, 1, 5, 100), MakeHeartbeat(kA, kB, 2, 9)};
  for (const MessageBody& body :
       {MessageBody(vote), MessageBody(vote_reply), MessageBody(reply), MessageBody(beat_reply),
        MessageBody(read), MessageBody(read_reply), MessageBody(TransferRequest())}) {
    messages.emplace_back(PartitionId(70000), kA, kB, Term(1u << 20), body);
  }
  return messages;
}

bool WaitFor(TestNode& node, std::size_t messages) {
  return node.host().Wait([&] { return node.host().messages().size() >= messages; });
}

}  // namespace

TEST_CASE("transport: every type of message arrives as it was sent, in order") {
  const Threads threads = AnyThreads();
  CAPTURE(Name(threads));
  Pair pair(threads);
  pair.Connect();
  const std::vector<Message> messages = OneOfEach();
  for (const auto& message : messages) pair.a.transport().Send(message);
  REQUIRE(WaitFor(pair.b, messages.size()));
  CHECK(pair.b.host().messages() == messages);
  CHECK(pair.a.host().messages().empty());
  // A sender may count after the receiver has read. One write follows another, so the arrival of a
  // later message says that the earlier ones have been counted.
  pair.a.transport().Send(messages.front());
  REQUIRE(WaitFor(pair.b, messages.size() + 1));
  CHECK(pair.a.transport().Statistics().messages_sent >= messages.size());
  CHECK(pair.b.transport().Statistics().messages_received >= messages.size());
  CHECK(pair.b.transport().Statistics().bytes_received > 0);
}

TEST_CASE("transport: both directions at once, from several threads") {
  const Threads threads = AnyThreads();
  CAPTURE(Name(threads));
  Pair pair(threads);
  pair.Connect();
  constexpr std::size_t kEach = 2000;
  const auto send = [](TestNode& from, TestNode& to, std::uint32_t first) {
    for (std::uint32_t i = 0; i < kEach; ++i) {
      from.transport().Send(MakeAppend(from.id(), to.id(), first + i, i + 1, 40));
    }
  };
  std::vector<std::thread> senders;
  for (std::uint32_t first : {0u, 100'000u}) {
    senders.emplace_back(send, std::ref(pair.a), std::ref(pair.b), first);
    senders.emplace_back(send, std::ref(pair.b), std::ref(pair.a), first);
  }
  for (auto& sender : senders) sender.join();
  for (TestNode* node : {&pair.a, &pair.b}) {
    REQUIRE(WaitFor(*node, 2 * kEach));
    // What one thread sent keeps its order.
    std::uint32_t next[2] = {0, 100'000};
    for (const auto& message : node->host().messages()) {
      auto& expected = next[message.partition.value() >= 100'000 ? 1 : 0];
      REQUIRE(message.partition.value() == expected);
      ++expected;
    }
  }
}

TEST_CASE("transport: a burst is one hand-over, not a thousand") {
  Pair pair(Threads::kContext1);
  pair.Connect();
  const auto writes = pair.a.transport().Statistics().writes;
  pair.b.host().Forget();
  // Sent from the sender's only thread while the receiver's only thread waits, so that nothing can
  // leave or arrive in between.
  std::promise<void> go;
  boost::asio::post(pair.b.runner().executor(), [wait = go.get_future().share()] { wait.wait(); });
  boost::asio::post(pair.a.runner().executor(), [&] {
    for (std::uint32_t i = 0; i < 1000; ++i) {
      pair.a.transport().Send(MakeHeartbeat(kA, kB, i, 1));
    }
    go.set_value();
  });
  REQUIRE(WaitFor(pair.b, 1000));
  CHECK(pair.b.host().batches() <= 10);
  CHECK(pair.a.transport().Statistics().writes - writes <= 3);
}

TEST_CASE("transport: entries of eight mebibytes") {
  const Threads threads = AnyThreads();
  CAPTURE(Name(threads));
  Pair pair(threads);
  pair.Connect();
  std::vector<Message> messages;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    messages.push_back(MakeAppend(kA, kB, 1, i, (8u << 20) + i));
    messages.push_back(MakeHeartbeat(kA, kB, static_cast<std::uint32_t>(i), i));
  }
  for (const auto& message : messages) pair.a.transport().Send(message);
  REQUIRE(WaitFor(pair.b, messages.size()));
  CHECK((pair.b.host().messages() == messages));
}

TEST_CASE("transport: a heartbeat of each of forty thousand partitions") {
  Pair pair(AnyThreads());
  pair.Connect();
  for (std::uint32_t i = 0; i < 40'000; ++i) {
    pair.a.transport().Send(MakeHeartbeat(kA, kB, i, i));
  }
  REQUIRE(WaitFor(pair.b, 40'000));
  std::uint32_t next = 0;
  for (const auto& message : pair.b.host().messages()) {
    REQUIRE(message.partition.value() == next);
    ++next;
  }
}

TEST_CASE("transport: a peer that restarts is reached again") {
  Pair pair(AnyThreads());
  pair.Connect();
  for (std::uint64_t life = 1; life <= 3; ++life) {
    pair.b.Restart(Incarnation(5000 + life));
    pair.b.Dial(pair.a);
    REQUIRE(pair.a.Reach(pair.b));
    REQUIRE(pair.b.Reach(pair.a));
  }
  CHECK_FALSE(pair.a.host().downs().empty());
}

TEST_CASE("transport: a peer whose disk was replaced is refused by a host that pins") {
  Pair pair(AnyThreads());
  const auto pin = [](const Hello& hello, NodeId) -> error_code {
    if (hello.node == kB && hello.incarnation != Incarnation(2000)) {
      return RaftErrc::IdentityReplaced;
    }
    return {};
  };
  pair.a.host().SetPolicy(pin);
  pair.Connect();
  pair.b.Restart(Incarnation(2001));
  pair.b.Dial(pair.a);
  const error_code replaced = RaftErrc::IdentityReplaced;
  CHECK(pair.b.host().Wait([&] { return pair.b.host().WasRefused(kA, replaced); }));
  // Whoever refuses is not refused itself.
  CHECK(pair.a.host().refusals().empty());
  CHECK_FALSE(pair.a.Reach(pair.b, std::chrono::milliseconds(100)));
  CHECK(pair.a.transport().Statistics().rejected_handshake >= 1);
}

TEST_CASE("transport: a hello that does not fit is refused by name, and nothing is delivered") {
  struct Mismatch {
    const char* what;
    RaftErrc expected;
    std::function<void(Hello&)> change;
    bool host_judges = false;  // the policy refuses, not the transport
  };
  const std::vector<Mismatch> mismatches{
      {"another cluster", RaftErrc::ClusterIdMismatch, [](Hello& h) { h.cluster_id = "other"; }},
      {"no cluster", RaftErrc::ClusterIdMismatch, [](Hello& h) { h.cluster_id.clear(); }},
      {"only newer versions", RaftErrc::VersionMismatch,
       [](Hello& h) { h.version_min = h.version_max = 900; }},
      {"only older versions", RaftErrc::VersionMismatch,
       [](Hello& h) { h.version_min = h.version_max = 0; }},
      {"versions upside down", RaftErrc::VersionMismatch, [](Hello& h) { h.version_max = 0; }},
      {"our own id", RaftErrc::DuplicateNodeId, [](Hello& h) { h.node = kA; }},
      {"no id", RaftErrc::UnexpectedPeer, [](Hello& h) { h.node = NodeId(0); }},
      {"ourselves", RaftErrc::UnexpectedPeer,
       [](Hello& h) { h.nonce = MakeHello(kA, Incarnation(1000)).nonce; }},
      {"a bootstrap of other members", RaftErrc::BootstrapMismatch, [](Hello&) {}, true},
      {"a replaced disk", RaftErrc::IdentityReplaced, [](Hello&) {}, true},
      {"a second process", RaftErrc::DuplicateNodeId, [](Hello&) {}, true},
      {"no member", RaftErrc::UnexpectedPeer, [](Hello&) {}, true},
      {"not yet", RaftErrc::NodeIsNotReady, [](Hello&) {}, true},
  };
  for (const auto& mismatch : mismatches) {
    for (const bool a_dials : {false, true}) {
      CAPTURE(mismatch.what, a_dials);
      Pair pair(Threads::kContext1);
      pair.b.host().Change(mismatch.change);
      if (mismatch.host_judges) {
        pair.a.host().SetPolicy(
            [&](const Hello&, NodeId) { return error_code(mismatch.expected); });
      }
      if (a_dials) {
        pair.a.Dial(pair.b);
      } else {
        pair.b.Dial(pair.a);
      }
      // Either side may be the first to notice; the one that is refused hears the name.
      const auto refused = [](TestNode& node, const error_code& error) {
        const auto is_it = [&](const auto& told) { return told.second == error; };
        const auto downs = node.host().downs();
        const auto refusals = node.host().refusals();
        return std::any_of(downs.begin(), downs.end(), is_it) ||
               std::any_of(refusals.begin(), refusals.end(), is_it);
      };
      TestNode& dialler = a_dials ? pair.a : pair.b;
      CHECK(dialler.host().Wait([&] { return refused(dialler, mismatch.expected); }));
      const auto sum = pair.a.transport().Statistics().rejected_handshake +
                       pair.b.transport().Statistics().rejected_handshake;
      CHECK(sum >= 1);
      dialler.transport().Send(MakeHeartbeat(dialler.id(), a_dials ? kB : kA, 1, 1));
      CHECK(pair.a.host().messages().empty());
      CHECK(pair.b.host().messages().empty());
      CHECK(dialler.transport().Statistics().dropped_unreachable == 1);
    }
  }
}

TEST_CASE("transport: the node that answers must be the one that was dialled") {
  Pair pair(AnyThreads());
  pair.a.transport().SetPeer(NodeId(3), pair.b.endpoint());
  const error_code unexpected = RaftErrc::UnexpectedPeer;
  CHECK(pair.a.host().Wait([&] { return pair.a.host().WasRefused(NodeId(3), unexpected); }));
}

TEST_CASE("transport: a node that dials itself notices") {
  Pair pair(AnyThreads());
  pair.a.transport().SetPeer(kB, pair.a.endpoint());
  const error_code unexpected = RaftErrc::UnexpectedPeer;
  CHECK(pair.a.host().Wait([&] { return pair.a.host().WasRefused(kB, unexpected); }));
}

TEST_CASE("transport: nothing is delivered before both have judged, however late") {
  const Threads threads = AnyThreads();
  const bool dialler_is_late = GENERATE(false, true);
  CAPTURE(Name(threads), dialler_is_late);
  Pair pair(threads);
  TestNode& late = dialler_is_late ? pair.a : pair.b;
  late.host().HoldVerdicts();
  pair.a.Dial(pair.b);
  REQUIRE(late.host().Wait([&] { return late.host().held_verdicts() == 1; }));
  for (std::uint32_t i = 0; i < 100; ++i) pair.a.transport().Send(MakeHeartbeat(kA, kB, i, 1));
  CHECK_FALSE(pair.a.Reach(pair.b, std::chrono::milliseconds(30)));
  CHECK(pair.b.host().batches() == 0);
  CHECK(pair.a.transport().Statistics().dropped_unreachable >= 100);
  late.host().ReleaseVerdicts();
  CHECK(pair.a.Reach(pair.b));
  CHECK(pair.b.host().messages().empty());  // what was sent too early is gone
}

TEST_CASE("transport: a judgement that never comes is given up, and asked for again") {
  TransportLimits limits;
  limits.handshake_timeout = std::chrono::milliseconds(30);
  Pair pair(AnyThreads(), limits);
  pair.b.host().HoldVerdicts();
  pair.a.Dial(pair.b);
  REQUIRE(pair.b.host().Wait([&] { return pair.b.host().judged() >= 2; }));
  pair.b.host().ReleaseVerdicts();
  CHECK(pair.a.Reach(pair.b));
}

TEST_CASE("transport: a verdict after the end does no harm") {
  const Threads threads = AnyThreads();
  auto host = std::make_shared<RecordingHost>(MakeHello(kB, Incarnation(1)));
  {
    Pair pair(threads);
    pair.b.host().HoldVerdicts();
    pair.a.Dial(pair.b);
    REQUIRE(pair.b.host().Wait([&] { return pair.b.host().held_verdicts() == 1; }));
    pair.b.Stop();
    pair.b.host().ReleaseVerdicts();
    pair.a.Stop();
    CHECK(pair.b.host().calls_in_silence() == 0);
  }
}

TEST_CASE("transport: the queue to a peer that does not read is bounded") {
  TransportLimits limits;
  limits.queue_bytes = 1u << 20;
  Pair pair(AnyThreads(), limits);
  pair.Connect();
  // Every thread of the receiver waits; sockets may swallow some megabytes, no more.
  std::promise<void> go;
  const std::shared_future<void> wait = go.get_future().share();
  for (int i = 0; i < 4; ++i) {
    boost::asio::post(pair.b.runner().executor(), [wait] { wait.wait(); });
  }
  std::size_t sent = 0;
  while (pair.a.transport().Statistics().dropped_queue_full == 0 && sent < 4000) {
    pair.a.transport().Send(MakeAppend(kA, kB, 1, ++sent, 64u << 10));
  }
  const auto statistics = pair.a.transport().Statistics();
  go.set_value();
  CHECK(statistics.dropped_queue_full >= 1);
  // What was not dropped arrives, and the connection still serves.
  CHECK(pair.a.Reach(pair.b));
  CHECK(pair.b.host().messages().size() < sent);
}

TEST_CASE(
    "transport: a message of a foreign sender or for a foreign receiver ends the connection") {
  Pair pair(AnyThreads());
  pair.Connect();
  pair.b.host().Forget();
  pair.a.transport().Send(MakeHeartbeat(NodeId(3), kB, 1, 1));
  CHECK(pair.b.host().Wait([&] { return !pair.b.host().downs().empty(); }));
  CHECK(pair.b.transport().Statistics().rejected_foreign == 1);
  CHECK(pair.b.host().messages().empty());
  CHECK(pair.a.Reach(pair.b));  // and it is dialled again
}

TEST_CASE("transport: a peer that moves is followed, one that is removed is left") {
  Pair pair(AnyThreads());
  pair.Connect();
  TestNode c(*pair.backend, Threads::kContext1, kB);  // the same node at another address
  c.Start();
  pair.a.Dial(c);
  CHECK(pair.a.Reach(c));
  pair.a.transport().RemovePeer(kB);
  REQUIRE(c.host().Wait([&] { return !c.host().downs().empty(); }));
  const auto dropped = pair.a.transport().Statistics().dropped_unreachable;
  pair.a.transport().Send(MakeHeartbeat(kA, kB, 1, 1));
  CHECK(pair.a.transport().Statistics().dropped_unreachable == dropped + 1);
  pair.a.Dial(c);
  CHECK(pair.a.Reach(c));
}

TEST_CASE("transport: an address that is taken is named") {
  Pair pair(AnyThreads());
  TestNode other(*pair.backend, Threads::kContext1, NodeId(3));
  std::string detail;
  const error_code error = other.transport().Start(other.runner().executor(), pair.a.endpoint(),
                                                   std::weak_ptr<TransportHost>(), detail);
  CHECK(error == RaftErrc::AddressInUse);
  CHECK(detail.find(pair.a.endpoint().ToString()) != std::string::npos);
  CHECK(detail.find('\n') == std::string::npos);
}

TEST_CASE("transport: what is sent after the end is counted and forgotten") {
  Pair pair(AnyThreads());
  pair.Connect();
  std::promise<void> stopped;
  pair.a.transport().Stop([&] { stopped.set_value(); });
  stopped.get_future().wait();
  const auto dropped = pair.a.transport().Statistics().dropped_unreachable;
  pair.a.transport().Send(MakeHeartbeat(kA, kB, 1, 1));
  pair.a.transport().SetPeer(NodeId(9), pair.b.endpoint());
  pair.a.transport().RemovePeer(kB);
  CHECK(pair.a.transport().Statistics().dropped_unreachable == dropped + 1);
  // And it does not start again.
  std::string detail;
  CHECK(pair.a.transport().Start(pair.a.runner().executor(), pair.backend->FreshEndpoint(), {},
                                 detail));
  CHECK_FALSE(detail.empty());
}

TEST_CASE("transport: it may be stopped, or let go of, at any moment") {
  std::mt19937_64 random(GENERATE(1u, 2u, 3u));
  for (int round = 0; round < 25; ++round) {
    const auto threads = static_cast<Threads>(random() % 3);
    const bool stop = random() % 2 == 0;
    CAPTURE(round, Name(threads), stop);
    Pair pair(threads);
    std::atomic<bool> end{false};
    std::thread sender([&] {
      for (std::uint64_t i = 1; !end; ++i) {
        pair.a.transport().Send(MakeAppend(kA, kB, 1, i, i % 7 == 0 ? 100'000 : 10));
      }
    });
    const std::size_t until = random() % 4;
    if (until >= 1) pair.a.Dial(pair.b);
    if (until >= 2) pair.b.Dial(pair.a);
    if (until >= 3) (void)pair.b.host().Wait([&] { return pair.b.host().batches() > 2; });
    if (stop) {
      pair.b.Stop();
    } else {
      pair.b.Drop();
    }
    end = true;
    sender.join();
    if (stop) {
      pair.a.Stop();
    } else {
      pair.a.Drop();
    }
  }
}

TEST_CASE("transport: a stop before the start, and a second stop, still answer") {
  const auto backend = MakeTransportBackend({});
  const auto never = backend->Create(MakeSteadyClock());
  int calls = 0;
  never->Stop([&] { ++calls; });
  CHECK(calls == 1);
  never->Send(MakeHeartbeat(kA, kB, 1, 1));
  CHECK(never->Statistics().dropped_unreachable == 1);

  const auto runner = MakeRunner(Threads::kContext1);
  const auto host = std::make_shared<RecordingHost>(MakeHello(kA, Incarnation(1)));
  const auto twice = backend->Create(MakeSteadyClock());
  std::string detail;
  REQUIRE(!twice->Start(runner->executor(), backend->FreshEndpoint(), host, detail));
  std::promise<void> first;
  std::promise<void> second;
  twice->Stop([&] { first.set_value(); });
  twice->Stop([&] { second.set_value(); });
  twice->Stop({});
  first.get_future().wait();
  second.get_future().wait();
}

}  // namespace kommander::conformance
