// Ending a node, by Stop or by its destructor, at any moment: every call is answered once, no
// handler comes afterwards, and nothing holds the executor.
#include <atomic>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <kommander/memory_snapshots.hpp>
#include <kommander/steady_clock.hpp>

#include "catch.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

namespace asio = boost::asio;

// A busy cluster on a context that the test drives, for as many steps as a seed says.
class BusyCluster {
 public:
  explicit BusyCluster(std::uint64_t seed)
      : random_(seed), cluster(world.executor(), 3, [](RaftConfiguration& configuration) {
          configuration.InitialPartitions(2).ElectionTimeout(std::chrono::milliseconds(50));
        }) {
    cluster.CreateAll();
    joins.resize(3);
    for (std::uint32_t id = 1; id <= 3; ++id) cluster.raft(id).JoinCluster(joins[id - 1].Token());
  }

  // Runs a stretch of the context's life, with calls of every kind thrown in.
  void RunTo(std::size_t steps) {
    for (std::size_t done = 0; done < steps;) {
      const std::size_t some = std::min<std::size_t>(1 + random_() % 25, steps - done);
      world.RunSome(some);
      done += some;
      Call();
    }
  }
  void Call() {
    const std::uint32_t id = 1 + static_cast<std::uint32_t>(random_() % 3);
    const PartitionId partition(static_cast<std::uint32_t>(random_() % 3));
    if (!cluster.node(id).IsAlive()) return;
    RaftManager& raft = cluster.raft(id);
    switch (random_() % 6) {
      case 0: raft.ReadBarrier(partition, reads.emplace_back().Token()); break;
      case 1: raft.WaitForLeader(partition, leaders.emplace_back().Token()); break;
      case 2: raft.TransferLeadership(partition, NodeId(), plain.emplace_back().Token()); break;
      default:
        raft.ReplicateLogs(partition, "Text", std::to_string(writes.size()),
                           ReplicateOptions().AwaitApply(random_() % 2 == 0),
                           writes.emplace_back().Token());
    }
  }
  void CheckAllAnsweredOnce() const {
    const auto once = [](const auto& answers) {
      return std::all_of(answers.begin(), answers.end(),
                         [](const auto& answer) { return answer.count() == 1; });
    };
    CHECK(once(joins));
    CHECK(once(reads));
    CHECK(once(leaders));
    CHECK(once(plain));
    CHECK(once(writes));
    CHECK_FALSE(cluster.AnythingMisplaced());
  }
  [[nodiscard]] std::uint64_t Draw() { return random_(); }

 private:
  std::mt19937_64 random_;

 public:
  ManualWorld world;
  TestCluster cluster;
  std::vector<Answer<>> joins;
  std::vector<Answer<ReadBarrierResult>> reads;
  std::vector<Answer<NodeId>> leaders;
  std::vector<Answer<>> plain;
  std::vector<Answer<ReplicateResult>> writes;
};

// Takes tasks and runs none, as while a disk hangs.
class FrozenScheduler final : public IoScheduler {
 public:
  error_code Start(std::shared_ptr<Wal>) override { return {}; }
  error_code SubmitWrite(WriteUnit, std::shared_ptr<IoSink>) override {
    return RaftErrc::NodeStopped;
  }
  error_code SubmitRead(ReadRequest, std::shared_ptr<IoSink>) override {
    return RaftErrc::NodeStopped;
  }
  error_code UseFileSets() override { return {}; }
  error_code SubmitTask(PartitionId, std::function<void(Wal& wal, bool cancelled)> task) override {
    tasks_.push_back(std::move(task));
    return {};
  }
  error_code SubmitFileTask(std::function<void(bool cancelled)>) override {
    return RaftErrc::NodeStopped;
  }
  bool IsSaturated(PartitionId) const noexcept override { return false; }
  IoStatistics Statistics() const noexcept override { return {}; }
  void Stop(std::function<void()> done) override { done(); }
  void Abort() noexcept override { tasks_.clear(); }

 private:
  std::vector<std::function<void(Wal& wal, bool cancelled)>> tasks_;
};

constexpr std::uint64_t kSeeds = 40;

TEST_CASE("Stop at any moment") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    BusyCluster busy(seed);
    // Early moments are dense: that is where the node is half built.
    busy.RunTo(seed <= kSeeds / 2 ? busy.Draw() % 40 : busy.Draw() % 3000);
    std::vector<Answer<>> stops(3);
    std::size_t journals_at_stop[3] = {};
    bool handler_after_stop = false;
    for (std::uint32_t i = 0; i < 3; ++i) {
      const std::uint32_t id = (i + static_cast<std::uint32_t>(seed)) % 3 + 1;
      busy.cluster.raft(id).Stop([&, id, token = stops[id - 1].Token()](error_code error) {
        journals_at_stop[id - 1] = busy.cluster.journal(id).size();
        token(error);
      });
      busy.world.RunSome(busy.Draw() % 4);
      busy.Call();
    }
    busy.world.RunOut();
    for (std::uint32_t id = 1; id <= 3; ++id) {
      CHECK(stops[id - 1].count() == 1);
      CHECK_FALSE(stops[id - 1].error());
      handler_after_stop =
          handler_after_stop || busy.cluster.journal(id).size() != journals_at_stop[id - 1];
    }
    CHECK_FALSE(handler_after_stop);
    busy.CheckAllAnsweredOnce();
  }
}

TEST_CASE("destruction at any moment") {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    BusyCluster busy(seed + 1000);
    busy.RunTo(seed <= kSeeds / 2 ? busy.Draw() % 40 : busy.Draw() % 3000);
    std::size_t journals[3] = {};
    for (std::uint32_t i = 0; i < 3; ++i) {
      const std::uint32_t id = (i + static_cast<std::uint32_t>(seed)) % 3 + 1;
      busy.cluster.node(id).Destroy();
      journals[id - 1] = busy.cluster.journal(id).size();
      busy.world.RunSome(busy.Draw() % 4);
      busy.Call();
    }
    busy.world.RunOut();
    for (std::uint32_t id = 1; id <= 3; ++id) {
      CHECK(busy.cluster.journal(id).size() == journals[id - 1]);  // no handler after the end
    }
    busy.CheckAllAnsweredOnce();
  }
}

TEST_CASE("destruction while a stop is under way") {
  for (std::uint64_t seed = 1; seed <= kSeeds / 2; ++seed) {
    INFO("seed " << seed);
    BusyCluster busy(seed + 2000);
    busy.RunTo(busy.Draw() % 1500);
    std::vector<Answer<>> stops(3);
    for (std::uint32_t id = 1; id <= 3; ++id) busy.cluster.raft(id).Stop(stops[id - 1].Token());
    busy.world.RunSome(busy.Draw() % 30);
    for (std::uint32_t id = 1; id <= 3; ++id) busy.cluster.node(id).Destroy();
    busy.world.RunOut();
    for (const auto& stop : stops) CHECK(stop.count() == 1);
    busy.CheckAllAnsweredOnce();
  }
}

TEST_CASE("destruction while a stop waits for a store that never opens") {
  ManualWorld world;
  TestCluster cluster(world.executor(), 1);
  const RaftConfiguration configuration = cluster.ConfigurationOf(1);
  RaftDependencies dependencies;
  dependencies.io_scheduler = std::make_shared<FrozenScheduler>();
  auto raft = std::make_unique<RaftManager>(
      world.executor(), configuration, std::make_shared<MemoryWal>(),
      cluster.network().CreateTransport(MakeSteadyClock()),
      std::make_shared<StaticDiscovery>(configuration.initial_members()), dependencies);
  Answer<> join;
  Answer<> stop;
  raft->JoinCluster(join.Token());
  world.RunReady();
  raft->Stop(stop.Token());
  world.RunReady();
  CHECK(stop.count() == 0);
  raft.reset();
  world.RunOut();
  CHECK(join.count() == 1);
  CHECK(stop.count() == 1);
}

// Nobody runs the context any more: what is left is freed with it, unanswered.
TEST_CASE("managers and then the context destroyed at any moment") {
  for (std::uint64_t seed = 1; seed <= kSeeds / 2; ++seed) {
    BusyCluster busy(seed + 3000);
    busy.RunTo(busy.Draw() % 800);
    for (std::uint32_t id = 1; id <= 3; ++id) busy.cluster.node(id).Destroy();
    for (const auto& write : busy.writes) CHECK(write.count() <= 1);
  }
}

// Waits, is told to stop, and waits on.
asio::awaitable<void> WaitInSpite(std::shared_ptr<int> stage) {
  asio::steady_timer never(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
  error_code ignored;
  *stage = 1;
  co_await never.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  *stage = 2;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await never.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

// Snapshots of it are never written to their end.
class Endless final : public StateMachine {
 public:
  explicit Endless(std::shared_ptr<int> stage) : stage_(std::move(stage)) {}
  bool Apply(std::span<const RaftLog>) override { return true; }
  std::shared_ptr<SnapshotImage> Capture(PartitionId partition) override {
    return partition == PartitionId(1) ? std::make_shared<Image>(stage_) : nullptr;
  }
  asio::awaitable<bool> Import(PartitionId, SnapshotSource&) override { co_return true; }

 private:
  struct Image final : SnapshotImage {
    explicit Image(std::shared_ptr<int> stage) : stage_(std::move(stage)) {}
    asio::awaitable<void> Write(SnapshotSink&) override { return WaitInSpite(stage_); }

   private:
    const std::shared_ptr<int> stage_;
  };
  const std::shared_ptr<int> stage_;
};

TEST_CASE("a context that goes while a stop waits for the application takes all of it with it") {
  const bool is_snapshot = GENERATE(false, true);
  CAPTURE(is_snapshot);
  auto stage = std::make_shared<int>(0);
  const std::weak_ptr<int> left = stage;
  {
    ManualWorld world;
    TestCluster cluster(world.executor(), 1, [](RaftConfiguration& configuration) {
      configuration.CompactionStep(8).RetainedEntries(0).SnapshotEntries(20);
    });
    TestNode& node = cluster.Create(1);
    node->OnLogRestored({}).OnReplicationReceived({});
    if (is_snapshot) {
      node->UseStateMachine(std::make_shared<Endless>(stage)).UseSnapshots(MakeMemorySnapshots());
    } else {
      node->OnReplicationReceived([stage](const RaftLog&) { return WaitInSpite(stage); });
    }
    Answer<> join;
    node->JoinCluster(join.Token());
    world.RunUntil("a leader", [&] { return join.HasCome() && node->AmILeaderQuick(1); });
    std::vector<Answer<ReplicateResult>> writes(30);
    for (const auto& write : writes) node->ReplicateLogs(1, "Text", "x", write.Token());
    world.RunUntil("what never ends", [&] { return *stage == 1; });
    Answer<> stop;
    node->Stop(stop.Token());
    world.RunUntil("the stop's word", [&] { return *stage == 2; });
    node.Destroy();
    CHECK(stop.count() == 0);
    stage.reset();
  }
  CHECK(left.expired());
}

TEST_CASE("on four threads: Stop while everything is in motion") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    World world(World::Kind::kFourThreads);
    TestCluster cluster(world.executor(), 3);
    cluster.CreateAll();
    cluster.JoinAll();
    const std::uint32_t leader = cluster.WaitForLeader(1);
    std::vector<Answer<ReplicateResult>> writes(50);
    for (std::size_t i = 0; i < writes.size(); ++i) {
      cluster.raft(leader).ReplicateLogs(1, "Text", std::to_string(i), writes[i].Token());
    }
    (void)writes[random() % writes.size()].Wait();
    cluster.StopAll();
    std::size_t sizes[3] = {};
    for (std::uint32_t id = 1; id <= 3; ++id) sizes[id - 1] = cluster.journal(id).size();
    for (const auto& write : writes) {
      (void)write.Wait();
      CHECK(write.count() == 1);
    }
    CHECK_FALSE(cluster.AnythingMisplaced());
    world.Finish();
    for (std::uint32_t id = 1; id <= 3; ++id) CHECK(cluster.journal(id).size() == sizes[id - 1]);
  }
}

TEST_CASE("on four threads: no handler begins after the destructor has returned") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    World world(World::Kind::kFourThreads);
    TestCluster cluster(world.executor(), 1);
    TestNode& node = cluster.Create(1);
    std::atomic<bool> destroyed{false};
    std::atomic<int> too_late{0};
    node->OnReplicationReceived([&](const RaftLog&) {
      if (destroyed.load()) ++too_late;
      std::this_thread::yield();
      if (destroyed.load()) ++too_late;  // a running one was to be waited for
    });
    cluster.JoinAll();
    cluster.WaitForLeader(1);
    std::vector<Answer<ReplicateResult>> writes(200);
    for (std::size_t i = 0; i < writes.size(); ++i) {
      node->ReplicateLogs(1, "Text", std::to_string(i), writes[i].Token());
    }
    (void)writes[random() % writes.size()].Wait();
    node.Destroy();
    destroyed.store(true);
    for (const auto& write : writes) (void)write.Wait();
    world.Finish();
    for (const auto& write : writes) CHECK(write.count() == 1);
    CHECK(too_late == 0);
  }
}

TEST_CASE("a handler stops its own node") {
  World world(GENERATE(World::Kind::kOneThread, World::Kind::kFourThreads));
  TestCluster cluster(world.executor(), 1);
  TestNode& node = cluster.Create(1);
  Answer<> stop;
  std::atomic<int> calls{0};
  node->OnReplicationReceived([&](const RaftLog&) {
    if (calls++ == 0) node->Stop(stop.Token());
  });
  cluster.JoinAll();
  cluster.WaitForLeader(1);
  Answer<ReplicateResult> write;
  node->ReplicateLogs(1, "Text", "x", write.Token());
  stop.Get();
  (void)write.Wait();
  world.Finish();
  CHECK(calls == 1);
  CHECK(write.count() == 1);
}

TEST_CASE("a handler destroys its own manager") {
  World world(GENERATE(World::Kind::kOneThread, World::Kind::kFourThreads));
  TestCluster cluster(world.executor(), 1);
  TestNode& node = cluster.Create(1);
  std::atomic<int> calls{0};
  Answer<> destroyed;
  node->OnReplicationReceived([&](const RaftLog&) {
    if (calls++ != 0) return;
    node.Destroy();
    destroyed.Token()(error_code());
  });
  cluster.JoinAll();
  cluster.WaitForLeader(1);
  Answer<ReplicateResult> write;
  node->ReplicateLogs(1, "Text", "x", write.Token());
  destroyed.Get();
  (void)write.Wait();
  world.Finish();
  CHECK(calls == 1);
  CHECK(write.count() == 1);
}

// Waits for the end of what waits for it: the wait is cancelled, the stop goes on.
struct SelfStopper {
  RaftManager* raft = nullptr;
  error_code wait_error{};
  bool has_returned = false;

  asio::awaitable<void> Handle() {
    co_await raft->Stop(asio::redirect_error(asio::use_awaitable, wait_error));
    has_returned = true;
  }
};

TEST_CASE("a coroutine handler that awaits Stop is cancelled, and the stop goes on") {
  ManualWorld world;
  TestCluster cluster(world.executor(), 1);
  TestNode& node = cluster.Create(1);
  SelfStopper stopper;
  stopper.raft = &node.raft();
  node->OnReplicationReceived([&](const RaftLog&) { return stopper.Handle(); });
  Answer<> join;
  node->JoinCluster(join.Token());
  world.RunUntil("a leader", [&] { return join.HasCome() && node->AmILeaderQuick(1); });
  Answer<ReplicateResult> write;
  node->ReplicateLogs(1, "Text", "x", write.Token());
  world.RunOut();
  CHECK(stopper.wait_error == asio::error::operation_aborted);
  CHECK(stopper.has_returned);
  CHECK(write.count() == 1);
  Answer<> again;  // it is stopped: another stop has nothing to wait for
  node->Stop(again.Token());
  world.RunOut();
  CHECK(again.count() == 1);
  CHECK_FALSE(again.error());
}

TEST_CASE("Stop before the join completes ends the join") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 3);
  cluster.Create(1);  // alone it would wait for long
  Answer<> join;
  cluster.raft(1).JoinCluster(join.Token());
  cluster.Stop(1);
  CHECK(join.Wait() == RaftErrc::NodeStopped);
  CHECK(join.count() == 1);
  CHECK_FALSE(cluster.raft(1).IsInitialized());
  world.Finish();
}

TEST_CASE("Stop without a join, and more than once") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1);
  const bool joins = GENERATE(false, true);
  cluster.CreateAll();
  if (joins) cluster.JoinAll();
  std::vector<Answer<>> stops(5);
  for (auto& stop : stops) cluster.raft(1).Stop(stop.Token());
  for (auto& stop : stops) stop.Get();
  cluster.Stop(1);
  world.Finish();
  for (auto& stop : stops) CHECK(stop.count() == 1);
}

TEST_CASE("a manager that was never used holds nothing") {
  ManualWorld world;
  TestCluster cluster(world.executor(), 1);
  cluster.CreateAll();
  world.RunOut();
  cluster.node(1).Destroy();
  world.RunOut();
}

TEST_CASE("while joined a manager is outstanding work, afterwards it is not") {
  ManualWorld world;
  TestCluster cluster(world.executor(), 1);
  TestNode& node = cluster.Create(1);
  Answer<> join;
  node->JoinCluster(join.Token());
  world.RunUntil("the join", [&] { return join.HasCome(); });
  // There is always something to wait for: the context does not run out.
  world.context().restart();
  world.context().poll();
  CHECK_FALSE(world.context().stopped());
  Answer<> stop;
  node->Stop(stop.Token());
  world.RunOut();
  CHECK(stop.count() == 1);
}

}  // namespace
}  // namespace kommander::test
