// Cancelling one call: each row of the contract in raft_manager.hpp. The test drives the context
// itself, so "not yet accepted" and "accepted" are moments, not matters of luck.
#include <thread>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "catch.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

namespace asio = boost::asio;
using asio::cancellation_type;
using std::chrono::milliseconds;
using std::chrono::minutes;

const error_code kAborted = asio::error::operation_aborted;

// Three nodes on one context that only runs when the test says so.
struct Three {
  // Times are long: what ends a wait here is the cancellation.
  Three()
      : cluster(world.executor(), 3, [](RaftConfiguration& configuration) {
          configuration.ElectionTimeout(milliseconds(600)).ProposalTimeout(minutes(50));
          configuration.ReadTimeout(minutes(50)).LeaderTimeout(minutes(50));
        }) {}

  // The leader of partition 1.
  RaftManager& Lead() {
    cluster.CreateAll();
    std::vector<Answer<>> joins(3);
    for (std::uint32_t id = 1; id <= 3; ++id) cluster.raft(id).JoinCluster(joins[id - 1].Token());
    world.RunUntil("a leader", [&] {
      leader = cluster.LeaderNow(1).value_or(0);
      return leader != 0 && joins[0].HasCome() && joins[1].HasCome() && joins[2].HasCome();
    });
    return cluster.raft(leader);
  }
  RaftManager& LeadAgain() {
    leader = 0;
    world.RunUntil("a leader", [&] {
      leader = cluster.LeaderNow(1).value_or(0);
      return leader != 0;
    });
    return cluster.raft(leader);
  }
  void Finish() {
    std::vector<Answer<>> stops(3);
    for (std::uint32_t id = 1; id <= 3; ++id) cluster.raft(id).Stop(stops[id - 1].Token());
    world.RunOut();
    for (const auto& stop : stops) CHECK(stop.count() == 1);
    CHECK_FALSE(cluster.AnythingMisplaced());
  }

  ManualWorld world;
  TestCluster cluster;
  std::uint32_t leader = 0;
};

TEST_CASE("a call that the partition has not accepted ends without effect, whatever the type") {
  Three three;
  RaftManager& raft = three.Lead();
  const auto type =
      GENERATE(cancellation_type::total, cancellation_type::partial, cancellation_type::terminal);
  asio::cancellation_signal signal[6];
  Answer<ReplicateResult> write;
  Answer<ReadBarrierResult> read;
  Answer<bool> am_i;
  Answer<NodeId> who;
  Answer<> transfer;
  Answer<> step_down;
  // Nothing runs between the calls and the cancellations.
  raft.ReplicateLogs(1, "Text", "cancelled", write.Token(signal[0].slot()));
  raft.ReadBarrier(1, read.Token(signal[1].slot()));
  raft.AmILeader(1, am_i.Token(signal[2].slot()));
  raft.WaitForLeader(1, who.Token(signal[3].slot()));
  raft.TransferLeadership(1, NodeId(), transfer.Token(signal[4].slot()));
  raft.StepDown(1, step_down.Token(signal[5].slot()));
  for (auto& one : signal) one.emit(type);
  Answer<ReplicateResult> after;
  raft.ReplicateLogs(1, "Text", "after", after.Token());
  three.world.RunUntil("answers", [&] {
    return write.HasCome() && read.HasCome() && am_i.HasCome() && who.HasCome() &&
           transfer.HasCome() && step_down.HasCome() && after.HasCome();
  });
  CHECK(write.error() == kAborted);
  CHECK(read.error() == kAborted);
  CHECK(am_i.error() == kAborted);
  CHECK(who.error() == kAborted);
  CHECK(transfer.error() == kAborted);
  CHECK(step_down.error() == kAborted);
  // No effect: the lead has not moved and the text was never written.
  if (!after.error()) {
    three.world.RunUntil("delivery", [&] {
      const auto delivered = three.cluster.journal(three.leader).Delivered(1);
      return !delivered.empty() && delivered.back() == "after";
    });
    CHECK(three.cluster.journal(three.leader).Delivered(1) == std::vector<std::string>{"after"});
  } else {
    CHECK(after.error() == RaftErrc::NodeIsNotLeader);
  }
  three.Finish();
  CHECK(write.count() == 1);
  CHECK(read.count() == 1);
  CHECK(am_i.count() == 1);
  CHECK(who.count() == 1);
  CHECK(transfer.count() == 1);
  CHECK(step_down.count() == 1);
}

TEST_CASE("a cancellation that comes before its call is not lost") {
  Three three;
  RaftManager& raft = three.Lead();
  // The slot's signal is emitted between the making of the operation and the partition's look at
  // it, here from another thread that is done before the context runs.
  asio::cancellation_signal signal;
  Answer<ReplicateResult> write;
  raft.ReplicateLogs(1, "Text", "x", write.Token(signal.slot()));
  std::thread([&] { signal.emit(cancellation_type::total); }).join();
  three.world.RunUntil("an answer", [&] { return write.HasCome(); });
  CHECK(write.error() == kAborted);
  three.Finish();
}

// A write that the leader has appended and that cannot be committed. Should the leader lose its
// lead before the append, another attempt follows.
struct Appended {
  explicit Appended(Three& three) {
    for (int attempt = 0; attempt < 20; ++attempt) {
      raft = attempt == 0 ? &three.Lead() : &three.LeadAgain();
      three.cluster.Isolate(three.leader);
      const LogIndex before = raft->Status(1).last;
      write = Answer<ReplicateResult>();
      raft->ReplicateLogs(1, "Text", "appended", write.Token(signal.slot()));
      three.world.RunUntil("the append",
                           [&] { return raft->Status(1).last > before || write.HasCome(); });
      if (!write.HasCome()) return;
      three.cluster.Isolate(three.leader, false);
    }
    FAIL("no leader ever appended");
  }
  RaftManager* raft = nullptr;
  asio::cancellation_signal signal;
  Answer<ReplicateResult> write;
};

// Total must not end what was accepted; the loss of the lead may.
template <class Result>
void CheckGoesOn(Three& three, const Answer<Result>& answer) {
  three.world.RunReady();
  CHECK((!answer.HasCome() || !three.cluster.raft(three.leader).AmILeaderQuick(1)));
}

TEST_CASE("an appended write ends at once with an unknown outcome by partial and terminal") {
  Three three;
  Appended appended(three);
  appended.signal.emit(GENERATE(cancellation_type::partial, cancellation_type::terminal));
  three.world.RunUntil("an answer", [&] { return appended.write.HasCome(); });
  CHECK(appended.write.error() == RaftErrc::OutcomeUnknown);
  CHECK(IsOutcomeUnknown(appended.write.error()));
  three.Finish();
  CHECK(appended.write.count() == 1);
}

TEST_CASE("total comes too late for an appended write: it goes on to its end") {
  Three three;
  Appended appended(three);
  appended.signal.emit(cancellation_type::total);
  CheckGoesOn(three, appended.write);
  three.cluster.Isolate(three.leader, false);
  // Back in touch the write is committed, or another leader's entry has taken its place.
  three.world.RunUntil("an answer", [&] { return appended.write.HasCome(); });
  const error_code error = appended.write.error();
  INFO(error.message());
  CHECK((!error || error == RaftErrc::ProposalDropped));
  three.Finish();
  CHECK(appended.write.count() == 1);
}

TEST_CASE("a write that waits to be applied is accepted: partial ends it, its outcome unknown") {
  ManualWorld world;
  TestCluster cluster(world.executor(), 1);
  TestNode& node = cluster.Create(1);
  asio::steady_timer never(world.context(), asio::steady_timer::time_point::max());
  bool entered = false;
  node->OnReplicationReceived([&](const RaftLog&) -> asio::awaitable<void> {
    entered = true;
    return never.async_wait(asio::use_awaitable);
  });
  Answer<> join;
  node->JoinCluster(join.Token());
  world.RunUntil("a leader", [&] { return join.HasCome() && node->AmILeaderQuick(1); });
  asio::cancellation_signal signal;
  Answer<ReplicateResult> write;
  node->ReplicateLogs(1, "Text", "x", ReplicateOptions().AwaitApply(), write.Token(signal.slot()));
  world.RunUntil("the handler", [&] { return entered; });
  world.RunReady();
  signal.emit(cancellation_type::total);
  world.RunReady();
  CHECK_FALSE(write.HasCome());
  signal.emit(cancellation_type::partial);
  world.RunUntil("an answer", [&] { return write.HasCome(); });
  CHECK(write.error() == RaftErrc::OutcomeUnknown);
  Answer<> stop;  // the handler gets terminal cancellation and ends
  node->Stop(stop.Token());
  world.RunOut();
  CHECK(stop.count() == 1);
  CHECK(write.count() == 1);
}

TEST_CASE("a read that waits for its quorum: partial and terminal end it, total does not") {
  Three three;
  RaftManager& raft = three.Lead();
  three.cluster.Isolate(three.leader);
  const auto type =
      GENERATE(cancellation_type::total, cancellation_type::partial, cancellation_type::terminal);
  asio::cancellation_signal signal;
  Answer<ReadBarrierResult> read;
  raft.ReadBarrier(1, read.Token(signal.slot()));
  three.world.RunReady();                     // accepted: the partition has taken it in
  const bool was_accepted = !read.HasCome();  // or the lead was just lost
  signal.emit(type);
  if (type == cancellation_type::total) {
    CheckGoesOn(three, read);
    // The leader that hears nobody steps down, and that ends it.
    three.world.RunUntil("an answer", [&] { return read.HasCome(); });
    CHECK(read.error() == RaftErrc::NodeIsNotLeader);
  } else {
    three.world.RunUntil("an answer", [&] { return read.HasCome(); });
    const bool is_late = !was_accepted || !raft.AmILeaderQuick(1);
    CHECK((read.error() == kAborted || (is_late && read.error() == RaftErrc::NodeIsNotLeader)));
  }
  three.Finish();
  CHECK(read.count() == 1);
}

TEST_CASE("a transfer under way: partial and terminal end its wait, total does not") {
  Three three;
  RaftManager& raft = three.Lead();
  three.cluster.Isolate(three.leader);
  const auto type =
      GENERATE(cancellation_type::total, cancellation_type::partial, cancellation_type::terminal);
  asio::cancellation_signal signal;
  Answer<> transfer;
  raft.TransferLeadership(1, NodeId(three.leader % 3 + 1), transfer.Token(signal.slot()));
  three.world.RunReady();
  const bool was_accepted = !transfer.HasCome();  // or the lead was just lost
  signal.emit(type);
  if (type == cancellation_type::total) {
    CheckGoesOn(three, transfer);
    three.world.RunUntil("an answer", [&] { return transfer.HasCome(); });
    const error_code error = transfer.error();
    INFO(error.message());
    CHECK((error == RaftErrc::TransferTimeout || error == RaftErrc::NodeIsNotLeader));
  } else {
    three.world.RunUntil("an answer", [&] { return transfer.HasCome(); });
    const bool is_late = !was_accepted || !raft.AmILeaderQuick(1);
    CHECK((transfer.error() == RaftErrc::OutcomeUnknown ||
           (is_late && transfer.error() == RaftErrc::NodeIsNotLeader)));
  }
  three.Finish();
  CHECK(transfer.count() == 1);
}

TEST_CASE("waiting for a leader ends at any type: it was never a request to anybody") {
  Three three;
  three.cluster.Create(1);
  three.cluster.Create(2);
  three.cluster.Create(3);
  RaftManager& raft = three.cluster.raft(1);
  Answer<> join;
  raft.JoinCluster(join.Token());  // alone: no leader will come
  three.world.RunUntil("the store",
                       [&] { return raft.Partitions() == std::vector<PartitionId>{0}; });
  const auto type =
      GENERATE(cancellation_type::total, cancellation_type::partial, cancellation_type::terminal);
  asio::cancellation_signal signal[2];
  Answer<NodeId> who;
  Answer<bool> am_i;
  raft.WaitForLeader(kSystemPartition, who.Token(signal[0].slot()));
  raft.AmILeader(kSystemPartition, am_i.Token(signal[1].slot()));
  three.world.RunReady();
  REQUIRE_FALSE(who.HasCome());
  for (auto& one : signal) one.emit(type);
  three.world.RunUntil("answers", [&] { return who.HasCome() && am_i.HasCome(); });
  CHECK(who.error() == kAborted);
  CHECK(am_i.error() == kAborted);
  three.Finish();
  CHECK(who.count() == 1);
  CHECK(am_i.count() == 1);
  CHECK(join.count() == 1);
  CHECK(join.error() == RaftErrc::NodeStopped);
}

TEST_CASE("a join ends at any type, the node stays as far as it got, and Stop follows") {
  ManualWorld world;
  TestCluster cluster(world.executor(), 3);
  const auto type =
      GENERATE(cancellation_type::total, cancellation_type::partial, cancellation_type::terminal);
  const bool at_once = GENERATE(true, false);
  TestNode& node = cluster.Create(1);
  asio::cancellation_signal signal;
  Answer<> join;
  node->JoinCluster(join.Token(signal.slot()));
  if (!at_once) world.RunUntil("the store", [&] { return !node->Partitions().empty(); });
  signal.emit(type);
  world.RunUntil("an answer", [&] { return join.HasCome(); });
  CHECK(join.error() == kAborted);
  Answer<> stop;
  node->Stop(stop.Token());
  world.RunOut();
  CHECK(stop.count() == 1);
  CHECK_FALSE(stop.error());
  CHECK(join.count() == 1);
}

// A handler that does not let itself be cancelled, until the test opens the door.
struct Stubborn {
  explicit Stubborn(asio::io_context& context)
      : door(context, asio::steady_timer::time_point::max()) {}
  asio::awaitable<void> Handle() {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    entered = true;
    co_await door.async_wait(asio::as_tuple(asio::use_awaitable));
    left = true;
  }
  asio::steady_timer door;
  bool entered = false;
  bool left = false;
};

TEST_CASE("cancelling Stop ends the wait, not the stop") {
  ManualWorld world;
  TestCluster cluster(world.executor(), 1);
  TestNode& node = cluster.Create(1);
  Stubborn stubborn(world.context());
  node->OnReplicationReceived([&](const RaftLog&) { return stubborn.Handle(); });
  Answer<> join;
  node->JoinCluster(join.Token());
  world.RunUntil("a leader", [&] { return join.HasCome() && node->AmILeaderQuick(1); });
  Answer<ReplicateResult> write;
  node->ReplicateLogs(1, "Text", "x", write.Token());
  world.RunUntil("the handler", [&] { return stubborn.entered; });
  asio::cancellation_signal signal;
  const auto type =
      GENERATE(cancellation_type::total, cancellation_type::partial, cancellation_type::terminal);
  Answer<> cancelled;
  Answer<> patient;
  node->Stop(cancelled.Token(signal.slot()));
  node->Stop(patient.Token());
  world.RunReady();
  CHECK_FALSE(cancelled.HasCome());  // the handler is waited for
  signal.emit(type);
  world.RunUntil("an answer", [&] { return cancelled.HasCome(); });
  CHECK(cancelled.error() == kAborted);
  world.RunReady();
  CHECK_FALSE(patient.HasCome());
  CHECK_FALSE(stubborn.left);
  stubborn.door.expires_at(asio::steady_timer::time_point::min());
  world.RunOut();
  CHECK(stubborn.left);
  CHECK(patient.count() == 1);
  CHECK_FALSE(patient.error());
  CHECK(cancelled.count() == 1);
}

// Cancellations that race with everything else; for ThreadSanitizer as much as for the counts.
TEST_CASE("a cancellation from another thread at any moment gives exactly one answer") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1);
  cluster.CreateAll();
  cluster.JoinAll();
  cluster.WaitForLeader(1);
  constexpr int kRounds = 200;
  int aborted = 0;
  std::size_t succeeded = 0;
  std::size_t unknown = 0;
  for (int i = 0; i < kRounds; ++i) {
    asio::cancellation_signal signal;
    Answer<ReplicateResult> write(cluster.node(1).Probe());
    cluster.raft(1).ReplicateLogs(1, "Text", std::to_string(i), write.Token(signal.slot()));
    for (int spin = 0; spin < (i % 40) * 50; ++spin)
      std::atomic_signal_fence(std::memory_order_seq_cst);
    signal.emit(i % 2 == 0 ? cancellation_type::terminal : cancellation_type::total);
    const error_code error = write.Wait();
    if (!error) {
      ++succeeded;
    } else if (error == kAborted) {
      ++aborted;
    } else {
      CHECK(error == RaftErrc::OutcomeUnknown);
      CHECK(i % 2 == 0);
      ++unknown;
    }
    CHECK(write.count() == 1);
  }
  cluster.Write(1, "end");
  cluster.journal(1).WaitForText(1, "end");
  const std::size_t delivered = cluster.journal(1).Delivered(1).size() - 1;
  CHECK(delivered >= succeeded);
  CHECK(delivered <= succeeded + unknown);
  CHECK(succeeded + unknown + static_cast<std::size_t>(aborted) == kRounds);
  cluster.StopAll();
  CHECK_FALSE(cluster.AnythingMisplaced());
  world.Finish();
}

}  // namespace
}  // namespace kommander::test
