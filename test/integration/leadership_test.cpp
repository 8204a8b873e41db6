// Who leads, how that changes, and reads that see every acknowledged write wherever they are asked.
#include <algorithm>
#include <atomic>

#include <kommander/steady_clock.hpp>

#include "catch.hpp"
#include "support/pinned_cluster.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

using std::chrono::milliseconds;

struct Three {
  explicit Three(TestCluster::Tuning tuning = {}) : cluster(world.executor(), 3, tuning) {
    cluster.CreateAll();
    cluster.JoinAll();
  }
  void Finish() {
    cluster.StopAll();
    CHECK_FALSE(cluster.AnythingMisplaced());
    world.Finish();
  }
  [[nodiscard]] std::uint32_t OtherThan(std::uint32_t id) const { return id % 3 + 1; }
  World world{World::Kind::kFourThreads};
  TestCluster cluster;
};

TEST_CASE("a follower refuses writes and names the leader") {
  Three three;
  auto& cluster = three.cluster;
  // Leadership may move at any time: the answer must be right for one leader, sooner or later.
  for (int attempt = 0; attempt < 20; ++attempt) {
    const std::uint32_t leader = cluster.WaitForLeader(1);
    const std::uint32_t follower = three.OtherThan(leader);
    Answer<NodeId> hint;
    cluster.raft(follower).WaitForLeader(1, hint.Token());
    if (hint.Wait() || hint.result() != NodeId(leader)) continue;
    Answer<ReplicateResult> write;
    cluster.raft(follower).ReplicateLogs(1, "Text", "x", write.Token());
    const error_code error = write.Wait();
    if (write.result().leader != NodeId(leader)) continue;
    CHECK(error == RaftErrc::NodeIsNotLeader);
    CHECK(IsRetryable(error));
    CHECK_FALSE(cluster.raft(follower).AmILeaderQuick(1));
    three.Finish();
    return;
  }
  FAIL("no follower ever named its leader");
}

TEST_CASE("a transfer makes the named node the leader") {
  Three three;
  auto& cluster = three.cluster;
  cluster.Write(1, "before");
  for (int attempt = 0; attempt < 20; ++attempt) {
    const std::uint32_t from = cluster.WaitForLeader(1);
    const std::uint32_t to = three.OtherThan(from);
    Answer<> transfer(cluster.node(from).Probe());
    cluster.raft(from).TransferLeadership(1, NodeId(to), transfer.Token());
    const error_code error = transfer.Wait();
    CHECK(transfer.count() == 1);
    if (error) {  // the named one was slow, or the lead was gone: allowed, and tried again
      INFO(error.message());
      CHECK(IsRetryable(error));
      continue;
    }
    // The old leader has seen the new one.
    CHECK_FALSE(cluster.raft(from).AmILeaderQuick(1));
    if (cluster.WaitForLeader(1) != to) continue;
    CHECK(cluster.raft(to).AmILeaderQuick(1));
    cluster.Write(1, "after");
    for (std::uint32_t id = 1; id <= 3; ++id) cluster.journal(id).WaitForText(1, "after");
    three.Finish();
    return;
  }
  FAIL("no transfer ever succeeded");
}

TEST_CASE("a transfer to nobody in particular goes to another voter") {
  Three three;
  auto& cluster = three.cluster;
  for (int attempt = 0; attempt < 20; ++attempt) {
    const std::uint32_t from = cluster.WaitForLeader(1);
    Answer<> transfer;
    cluster.raft(from).TransferLeadership(1, NodeId(), transfer.Token());
    if (transfer.Wait()) continue;
    CHECK_FALSE(cluster.raft(from).AmILeaderQuick(1));
    three.Finish();
    return;
  }
  FAIL("no transfer ever succeeded");
}

TEST_CASE("transfers that cannot be") {
  Three three;
  auto& cluster = three.cluster;
  const auto transfer = [&](std::uint32_t on, NodeId target) {
    Answer<> answer;
    cluster.raft(on).TransferLeadership(1, target, answer.Token());
    return answer.Wait();
  };
  for (int attempt = 0; attempt < 20; ++attempt) {
    const std::uint32_t leader = cluster.WaitForLeader(1);
    const std::uint32_t follower = three.OtherThan(leader);
    const error_code by_follower = transfer(follower, NodeId(leader));
    const error_code to_stranger = transfer(leader, NodeId(9));
    if (to_stranger == RaftErrc::NodeIsNotLeader || !by_follower) continue;  // it moved meanwhile
    CHECK(by_follower == RaftErrc::NodeIsNotLeader);
    CHECK(to_stranger == RaftErrc::UnknownNode);
    three.Finish();
    return;
  }
  FAIL("the lead never stayed");
}

TEST_CASE("a leader that steps down is followed by one that leads in a later term") {
  Three three;
  auto& cluster = three.cluster;
  cluster.Write(1, "before");
  const std::uint32_t leader = cluster.WaitForLeader(1);
  const Term term = cluster.raft(leader).Status(1).term;
  Answer<> step_down;
  cluster.raft(leader).StepDown(1, step_down.Token());
  const error_code error = step_down.Wait();
  CHECK((!error || error == RaftErrc::NodeIsNotLeader));
  const ReplicateResult after = cluster.Write(1, "after");
  CHECK(after.term > term);
  Answer<> refused;
  const std::uint32_t follower = three.OtherThan(cluster.WaitForLeader(1));
  cluster.raft(follower).StepDown(1, refused.Token());
  const error_code refusal = refused.Wait();
  CHECK((!refusal || refusal == RaftErrc::NodeIsNotLeader));
  three.Finish();
}

TEST_CASE("every node is told of its leader, and of a change") {
  Three three;
  auto& cluster = three.cluster;
  const std::uint32_t first = cluster.WaitForLeader(1);
  for (std::uint32_t id = 1; id <= 3; ++id) {
    cluster.journal(id).WaitFor("a leader", [](const std::vector<Event>& events) {
      return std::any_of(events.begin(), events.end(), [](const Event& event) {
        return event.kind == Event::Kind::kLeader && event.partition == PartitionId(1) &&
               event.leader != NodeId();
      });
    });
  }
  cluster.Isolate(first);
  // The cut leader finds out that it leads no more, the others find another.
  cluster.journal(first).WaitFor("no leader", [&](const std::vector<Event>& events) {
    bool led = false;
    bool lost = false;
    for (const Event& event : events) {
      if (event.kind != Event::Kind::kLeader || event.partition != PartitionId(1)) continue;
      lost = lost || (led && event.leader != NodeId(first));
      led = led || event.leader == NodeId(first);
    }
    return lost;
  });
  const std::uint32_t witness = three.OtherThan(first);
  cluster.journal(witness).WaitFor("another leader", [&](const std::vector<Event>& events) {
    bool was_first = false;
    for (const Event& event : events) {
      if (event.kind != Event::Kind::kLeader || event.partition != PartitionId(1)) continue;
      was_first = was_first || event.leader == NodeId(first);
      if (was_first && event.leader != NodeId() && event.leader != NodeId(first)) return true;
    }
    return false;
  });
  // Never the same leader twice in a row: only changes are told.
  for (std::uint32_t id = 1; id <= 3; ++id) {
    std::vector<NodeId> leaders;
    for (const Event& event : cluster.journal(id).Events()) {
      if (event.kind == Event::Kind::kLeader && event.partition == PartitionId(1)) {
        leaders.push_back(event.leader);
      }
    }
    CHECK(std::adjacent_find(leaders.begin(), leaders.end()) == leaders.end());
  }
  three.Finish();
}

TEST_CASE("after a barrier any node has delivered what was acknowledged before it") {
  Three three;
  auto& cluster = three.cluster;
  const std::uint32_t reader = GENERATE(1u, 2u, 3u);
  std::size_t confirmed = 0;
  for (int i = 0; i < 20; ++i) {
    const std::string text = std::to_string(i);
    const ReplicateResult write = cluster.Write(1, text);
    Answer<ReadBarrierResult> barrier(cluster.node(reader).Probe());
    cluster.raft(reader).ReadBarrier(1, barrier.Token());
    const error_code error = barrier.Wait();
    if (error) {  // no leader just now
      CHECK((error == RaftErrc::NodeIsNotLeader || error == RaftErrc::ReadTimeout));
      continue;
    }
    ++confirmed;
    CHECK(barrier.result().index >= write.index);
    const auto delivered = cluster.journal(reader).Delivered(1);
    CHECK(std::find(delivered.begin(), delivered.end(), text) != delivered.end());
  }
  CHECK(confirmed > 0);
  three.Finish();
}

TEST_CASE("a node that is cut off confirms no read") {
  Three three(
      [](RaftConfiguration& configuration) { configuration.ReadTimeout(milliseconds(700)); });
  auto& cluster = three.cluster;
  cluster.Write(1, "before");
  const std::uint32_t leader = cluster.WaitForLeader(1);
  const std::uint32_t cut = GENERATE(0u, 1u) == 0 ? leader : three.OtherThan(leader);
  cluster.Isolate(cut);
  Answer<ReadBarrierResult> barrier;
  cluster.raft(cut).ReadBarrier(1, barrier.Token());
  const error_code error = barrier.Wait();
  INFO(error.message());
  CHECK((error == RaftErrc::NodeIsNotLeader || error == RaftErrc::ReadTimeout));
  // And again as before, once it is back.
  cluster.Isolate(cut, false);
  const ReplicateResult write = cluster.Write(1, "back");
  cluster.journal(cut).WaitForText(1, "back");
  for (int attempt = 0; attempt < 50; ++attempt) {
    Answer<ReadBarrierResult> again;
    cluster.raft(cut).ReadBarrier(1, again.Token());
    if (again.Wait()) continue;
    CHECK(again.result().index >= write.index);
    three.Finish();
    return;
  }
  FAIL("no read was ever confirmed again");
}

bool Confirms(RaftManager& raft, milliseconds timeout) {
  Answer<bool> answer;
  raft.ConfirmLeadership(1, ReadOptions().Timeout(timeout), answer.Token());
  const bool leads = answer.Get();
  CHECK(answer.count() == 1);
  return leads;
}

TEST_CASE("a leader is confirmed by a majority, and nobody else is") {
  PinnedCluster three;
  auto& cluster = three.cluster;
  constexpr milliseconds kLong{30'000};
  CHECK(Confirms(three.leader(), kLong));
  // Not an error, and answered without asking anybody.
  for (const std::uint32_t follower : {1u, 3u}) {
    CHECK_FALSE(Confirms(cluster.raft(follower), kLong));
  }
  Answer<bool> elsewhere;
  three.leader().ConfirmLeadership(7, elsewhere.Token());
  CHECK(elsewhere.Wait() == RaftErrc::PartitionNotFound);

  // It still believes that it leads, and nobody says so.
  cluster.Isolate(PinnedCluster::kLeader);
  CHECK_FALSE(Confirms(three.leader(), milliseconds(200)));
  CHECK(three.leader().AmILeaderQuick(1));
  cluster.Isolate(PinnedCluster::kLeader, false);
  CHECK(Confirms(three.leader(), kLong));
  three.Finish();
}

TEST_CASE("without heartbeats a leader is confirmed by nobody, and stays with them") {
  PinnedCluster three;
  auto& cluster = three.cluster;
  const auto knows_leader = [&] {
    return cluster.raft(1).GetPartitionLeaderHint(1) == NodeId(PinnedCluster::kLeader);
  };
  const Term term = three.leader().Status(1).term;
  Answer<> suspended(cluster.node(PinnedCluster::kLeader).Probe());
  three.leader().SuspendHeartbeats(1, suspended.Token());
  suspended.Get();
  CHECK_FALSE(Confirms(three.leader(), milliseconds(200)));
  // The quick one gives its leader up; the others would not have another one.
  REQUIRE(Eventually([&] { return !knows_leader(); }));

  Answer<> resumed(cluster.node(PinnedCluster::kLeader).Probe());
  three.leader().ResumeHeartbeats(1, resumed.Token());
  resumed.Get();
  REQUIRE(Eventually(knows_leader));
  CHECK(Confirms(three.leader(), milliseconds(30'000)));
  CHECK(three.leader().AmILeaderQuick(1));
  CHECK(three.leader().Status(1).term == term);
  three.Finish();
}

TEST_CASE("who sends no heartbeats is followed by another leader") {
  Three three;
  auto& cluster = three.cluster;
  cluster.Write(1, "before");
  const std::uint32_t silent = cluster.WaitForLeader(1);
  const Term term = cluster.raft(silent).Status(1).term;
  Answer<> suspended;
  cluster.raft(silent).SuspendHeartbeats(1, suspended.Token());
  suspended.Get();
  std::optional<std::uint32_t> next;
  REQUIRE(Eventually([&] {
    next = cluster.LeaderNow(1);
    return next && *next != silent;
  }));
  CHECK(cluster.raft(*next).Status(1).term > term);
  Answer<> resumed;
  cluster.raft(silent).ResumeHeartbeats(1, resumed.Token());
  resumed.Get();
  cluster.Write(1, "after");
  for (std::uint32_t id = 1; id <= 3; ++id) cluster.journal(id).WaitForText(1, "after");
  three.Finish();
}

// Time as it is, and what the test adds to it. What is armed already is not due any sooner.
class LeapingClock final : public Clock {
 public:
  void Leap(Duration by) { leap_->fetch_add(by.count()); }
  [[nodiscard]] Instant Now() const noexcept override { return steady_->Now() + Leaped(*leap_); }
  [[nodiscard]] std::uint64_t WallMilliseconds() const noexcept override {
    return steady_->WallMilliseconds();
  }
  [[nodiscard]] std::unique_ptr<Timer> CreateTimer(boost::asio::any_io_executor executor,
                                                   std::weak_ptr<Sink> sink) override {
    return std::make_unique<LeapingTimer>(
        steady_->CreateTimer(std::move(executor), std::move(sink)), leap_);
  }

 private:
  using Count = std::atomic<Duration::rep>;
  static Duration Leaped(const Count& leap) noexcept { return Duration(leap.load()); }
  class LeapingTimer final : public Timer {
   public:
    LeapingTimer(std::unique_ptr<Timer> timer, std::shared_ptr<Count> leap)
        : timer_(std::move(timer)), leap_(std::move(leap)) {}
    void Arm(Instant when) override { timer_->Arm(when == kNever ? when : when - Leaped(*leap_)); }
    void Disarm() noexcept override { timer_->Disarm(); }

   private:
    std::unique_ptr<Timer> timer_;
    std::shared_ptr<Count> leap_;
  };
  std::shared_ptr<Clock> steady_ = MakeSteadyClock();
  std::shared_ptr<Count> leap_ = std::make_shared<Count>(0);
};

TEST_CASE("a leader is stable once it has been the same for so long, and not before") {
  using std::chrono::hours;
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1);
  const auto clock = std::make_shared<LeapingClock>();
  RaftDependencies dependencies;
  dependencies.clock = clock;
  cluster.Create(cluster.ConfigurationOf(1), cluster.wal(1), dependencies);
  cluster.JoinAll();
  cluster.WaitForLeader(1);
  Answer<NodeId> stable;
  cluster.raft(1).WaitForStableLeader(1, hours(10), hours(100), stable.Token());
  Answer<NodeId> never;
  cluster.raft(1).WaitForStableLeader(1, hours(30), hours(20), never.Token());
  // The partition looks at its callers with everything that happens there.
  const auto look = [&](const std::string& text) { cluster.Write(1, text); };
  look("at once");
  CHECK_FALSE(stable.HasCome());
  clock->Leap(hours(9));
  look("nearly");
  CHECK_FALSE(stable.HasCome());
  // The count starts anew with every leader, even where it is the same node.
  Answer<> step_down;
  cluster.raft(1).StepDown(1, step_down.Token());
  step_down.Get();
  look("announced anew");
  CHECK_FALSE(stable.HasCome());
  clock->Leap(hours(9));
  look("nearly again");
  CHECK_FALSE(stable.HasCome());
  clock->Leap(hours(1));
  look("then");
  CHECK(stable.Get() == NodeId(1));
  CHECK_FALSE(never.HasCome());
  clock->Leap(hours(1));
  look("too late");
  CHECK(never.Wait() == RaftErrc::LeaderTimeout);
  // It has been long enough already.
  Answer<NodeId> known;
  cluster.raft(1).WaitForStableLeader(1, hours(10), hours(1), known.Token());
  CHECK(known.Get() == NodeId(1));
  cluster.StopAll();
  CHECK_FALSE(cluster.AnythingMisplaced());
  world.Finish();
}

TEST_CASE("every node waits for a stable leader, also without being looked at") {
  PinnedCluster three;
  auto& cluster = three.cluster;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    CAPTURE(id);
    Answer<NodeId> stable(cluster.node(id).Probe());
    cluster.raft(id).WaitForStableLeader(1, milliseconds(100), milliseconds(60'000),
                                         stable.Token());
    CHECK(stable.Get() == NodeId(PinnedCluster::kLeader));
    // It leads, and has not for so long.
    Answer<NodeId> impatient(cluster.node(id).Probe());
    cluster.raft(id).WaitForStableLeader(1, std::chrono::hours(1), milliseconds(100),
                                         impatient.Token());
    CHECK(impatient.Wait() == RaftErrc::LeaderTimeout);
  }
  three.Finish();
}

TEST_CASE("when the leader stops the others go on, and lose nothing acknowledged") {
  Three three;
  auto& cluster = three.cluster;
  std::vector<std::string> expected;
  for (int i = 0; i < 10; ++i) {
    expected.push_back("early " + std::to_string(i));
    cluster.Write(1, expected.back());
  }
  const std::uint32_t gone = cluster.WaitForLeader(1);
  cluster.Stop(gone);
  cluster.node(gone).Destroy();
  for (int i = 0; i < 10; ++i) {
    expected.push_back("late " + std::to_string(i));
    cluster.Write(1, expected.back());
  }
  for (std::uint32_t id = 1; id <= 3; ++id) {
    if (id == gone) continue;
    cluster.journal(id).WaitForText(1, expected.back());
    // A write that was tried again may be there twice; take the first of each.
    std::vector<std::string> firsts;
    for (const std::string& text : cluster.journal(id).Delivered(1)) {
      if (std::find(firsts.begin(), firsts.end(), text) == firsts.end()) firsts.push_back(text);
    }
    CHECK(firsts == expected);
  }
  three.Finish();
}

TEST_CASE("without a leader the question who leads ends at its time") {
  World world(World::Kind::kOneThread);
  TestCluster cluster(world.executor(), 3, [](RaftConfiguration& configuration) {
    configuration.LeaderTimeout(milliseconds(50)).JoinTimeout(milliseconds(400));
  });
  cluster.Create(1);  // alone: there is no quorum
  Answer<> join;
  cluster.raft(1).JoinCluster(join.Token());
  CHECK(join.Wait() == RaftErrc::LeaderTimeout);
  Answer<NodeId> leader;
  cluster.raft(1).WaitForLeader(kSystemPartition, leader.Token());
  CHECK(leader.Wait() == RaftErrc::LeaderTimeout);
  Answer<bool> am_i;
  cluster.raft(1).AmILeader(kSystemPartition, am_i.Token());
  CHECK(am_i.Wait() == RaftErrc::LeaderTimeout);
  CHECK(cluster.raft(1).GetPartitionLeaderHint(kSystemPartition) == NodeId());
  cluster.Stop(1);
  world.Finish();
}

}  // namespace
}  // namespace kommander::test
