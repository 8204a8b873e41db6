// A node whose log consists of several file sets: one that fails takes its own partitions along and
// nothing else.
#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>

#include <kommander/testing/faulty_wal.hpp>

#include "catch.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

constexpr std::uint32_t kFileSets = 3;
constexpr std::uint32_t kPartitions = 5;  // beside partition 0: each set holds two

std::shared_ptr<testing::FaultyWal> MakeDisk() {
  return std::make_shared<testing::FaultyWal>(std::make_shared<MemoryWal>(kFileSets));
}

std::vector<Event> ProblemsOf(const Journal& journal) {
  std::vector<Event> problems = journal.Events();
  std::erase_if(problems, [](const Event& event) { return event.kind != Event::Kind::kProblem; });
  return problems;
}

void WaitForProblems(const Journal& journal, std::size_t count) {
  journal.WaitFor("the node's problem", [count](const std::vector<Event>& events) {
    const auto problems = std::count_if(events.begin(), events.end(), [](const Event& event) {
      return event.kind == Event::Kind::kProblem;
    });
    return static_cast<std::size_t>(problems) >= count;
  });
}

struct Nodes {
  explicit Nodes(std::uint32_t count)
      : cluster(world.executor(), count, [](RaftConfiguration& configuration) {
          configuration.InitialPartitions(kPartitions);
        }) {
    for (std::uint32_t id = 1; id <= count; ++id) {
      disks.push_back(MakeDisk());
      cluster.Create(cluster.ConfigurationOf(id), disks.back());
    }
  }
  ~Nodes() {
    for (const auto& disk : disks) disk->Release();
  }
  Answer<ReplicateResult> Write(std::uint32_t id, PartitionId partition, const std::string& text) {
    Answer<ReplicateResult> answer(cluster.node(id).Probe());
    cluster.raft(id).ReplicateLogs(partition, "Text", text, answer.Token());
    return answer;
  }
  // Every partition of these file sets has failed on the node, and no other one.
  void RequireFailed(std::uint32_t id, const std::vector<std::uint32_t>& file_sets) {
    for (std::uint32_t p = 0; p <= kPartitions; ++p) {
      INFO("partition " << p);
      const bool is_failed =
          std::find(file_sets.begin(), file_sets.end(), p % kFileSets) != file_sets.end();
      if (is_failed) {
        // A barrier passes through the partition's mailbox behind whatever it was told.
        Answer<ReadBarrierResult> barrier;
        cluster.raft(id).ReadBarrier(p, barrier.Token());
        CHECK(barrier.Wait() == RaftErrc::StorageFailed);
        CHECK_FALSE(cluster.raft(id).AmILeaderQuick(p));
      }
      CHECK(cluster.raft(id).Status(p).failed == is_failed);
    }
  }
  void Finish() {
    cluster.StopAll();
    CHECK_FALSE(cluster.AnythingMisplaced());
    world.Finish();
  }
  World world{World::Kind::kFourThreads};
  std::vector<std::shared_ptr<testing::FaultyWal>> disks;
  TestCluster cluster;
};

TEST_CASE("a file set that fails takes its own partitions along, on its own node") {
  Nodes nodes(3);
  auto& cluster = nodes.cluster;
  cluster.JoinAll();
  for (std::uint32_t p = 1; p <= kPartitions; ++p) cluster.Write(p, "before");
  const std::uint32_t failed = 2;
  cluster.MakeLeader(1, failed);
  nodes.disks[failed - 1]->FailWrite(1, 1);
  (void)nodes.Write(failed, 1, "the only write").Wait();
  WaitForProblems(cluster.journal(failed), 1);
  nodes.RequireFailed(failed, {1});
  CHECK(nodes.Write(failed, 1, "x").Wait() == RaftErrc::StorageFailed);
  CHECK(nodes.Write(failed, 4, "x").Wait() == RaftErrc::StorageFailed);
  // The others lead what this node cannot, and it goes on leading the rest.
  for (const std::uint32_t p : {1u, 4u}) {
    cluster.Write(p, "after");
    CHECK(cluster.WaitForLeader(p) != failed);
  }
  for (const std::uint32_t p : {2u, 3u, 5u}) {
    cluster.MakeLeader(p, failed);
    cluster.Write(p, "after");
    cluster.journal(failed).WaitForText(p, "after");
  }
  nodes.RequireFailed(failed, {1});
  const std::vector<Event> problems = ProblemsOf(cluster.journal(failed));
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].error == RaftErrc::StorageFailed);
  CHECK(problems[0].text.find("storage failed in file set 1 of 3, seen first in partition ") == 0);
  CHECK(nodes.disks[failed - 1]->writes_failed() == 1);
  for (const std::uint32_t id : {1u, 3u}) {
    nodes.RequireFailed(id, {});
    CHECK(ProblemsOf(cluster.journal(id)).empty());
  }
  nodes.Finish();
}

TEST_CASE("each file set that fails is told of once, and a restart recovers all of them") {
  Nodes nodes(1);
  auto& cluster = nodes.cluster;
  testing::FaultyWal& disk = *nodes.disks[0];
  cluster.JoinAll();
  for (std::uint32_t p = 1; p <= kPartitions; ++p) cluster.Write(p, "before");
  disk.FailWrite(1, 2);
  // Nobody but this node can have it, and it does not know.
  CHECK(nodes.Write(1, 5, "lost").Wait() == RaftErrc::OutcomeUnknown);
  WaitForProblems(cluster.journal(1), 1);
  nodes.RequireFailed(1, {2});
  for (const std::uint32_t p : {1u, 3u, 4u}) {
    cluster.Write(p, "after one");
    cluster.journal(1).WaitForText(p, "after one");
  }
  // Partition 0's own set: what lies elsewhere goes on all the same.
  disk.FailWrite(1, 0);
  // Partition 0 may have met it first.
  const error_code lost = nodes.Write(1, 3, "lost").Wait();
  CHECK((lost == RaftErrc::OutcomeUnknown || lost == RaftErrc::StorageFailed));
  WaitForProblems(cluster.journal(1), 2);
  nodes.RequireFailed(1, {0, 2});
  for (const std::uint32_t p : {1u, 4u}) {
    cluster.Write(p, "after two");
    cluster.journal(1).WaitForText(p, "after two");
  }
  for (const std::uint32_t p : {2u, 3u, 5u}) {
    CHECK(nodes.Write(1, p, "x").Wait() == RaftErrc::StorageFailed);
  }
  CHECK(ProblemsOf(cluster.journal(1)).size() == 2);
  CHECK(disk.writes_failed() == 2);
  cluster.StopAll();

  cluster.Create(cluster.ConfigurationOf(1), nodes.disks[0]);
  cluster.JoinAll();
  nodes.RequireFailed(1, {});
  for (std::uint32_t p = 1; p <= kPartitions; ++p) {
    cluster.journal(1).WaitForText(p, "before");
    cluster.Write(p, "again");
    cluster.journal(1).WaitForText(p, "again");
  }
  for (const std::uint32_t p : {1u, 4u}) cluster.journal(1).WaitForText(p, "after two");
  nodes.Finish();
}

TEST_CASE("a write that hangs in one file set holds up no partition of another") {
  Nodes nodes(1);
  auto& cluster = nodes.cluster;
  cluster.JoinAll();
  for (std::uint32_t p = 1; p <= kPartitions; ++p) cluster.Write(p, "before");
  nodes.disks[0]->Hold(1);
  const Answer<ReplicateResult> held = nodes.Write(1, 1, "held");
  for (const std::uint32_t p : {2u, 3u, 5u}) {
    CHECK_FALSE(nodes.Write(1, p, "meanwhile").Wait());
    cluster.journal(1).WaitForText(p, "meanwhile");
  }
  CHECK_FALSE(held.HasCome());
  nodes.disks[0]->Release();
  CHECK_FALSE(held.Wait());
  nodes.Finish();
}

// Whose author took FileSets() for the number of those beside the first.
class SetlessWal final : public Wal {
 public:
  [[nodiscard]] std::size_t FileSets() const noexcept override { return 0; }
  error_code Open(std::optional<StoreIdentity>&, std::string&) override { return {}; }
  error_code Create(const StoreIdentity&) override { return Touch(); }
  error_code ListPartitions(std::vector<PartitionId>&) override { return Touch(); }
  error_code Recover(PartitionId, RecoveredPartition&) override { return Touch(); }
  error_code Write(std::span<const WriteUnit* const>) override { return Touch(); }
  error_code Read(PartitionId, LogIndex, LogIndex, std::size_t, std::vector<Entry>&) override {
    return Touch();
  }
  error_code DeletePartition(PartitionId) override { return Touch(); }
  error_code GetMetadata(std::string_view, std::optional<Payload>&) override { return Touch(); }
  error_code PutMetadata(std::string_view, const Payload&) override { return Touch(); }
  [[nodiscard]] WalStatistics Statistics() const noexcept override { return {}; }
  void Close() noexcept override { ++closed; }

  std::atomic<int> touched{0};
  std::atomic<int> closed{0};

 private:
  error_code Touch() {
    ++touched;
    return {};
  }
};

TEST_CASE("a log that says it has no file set is refused before it is used") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1);
  const auto wal = std::make_shared<SetlessWal>();
  cluster.Create(cluster.ConfigurationOf(1), wal);
  Answer<> join;
  cluster.raft(1).JoinCluster(join.Token());
  CHECK(join.Wait() == RaftErrc::WalUnavailable);
  CHECK(cluster.raft(1).JoinDetail() ==
        "the log says that it has no file set: Wal::FileSets() is at least 1");
  cluster.StopAll();
  CHECK(wal->touched == 0);
  CHECK(wal->closed == 1);
  world.Finish();
}

TEST_CASE("a join fails when a file set fails in which its partitions are to be made") {
  Nodes nodes(1);
  auto& cluster = nodes.cluster;
  nodes.disks[0]->FailWrite(1, 1);
  Answer<> join;
  cluster.raft(1).JoinCluster(join.Token());
  CHECK(join.Wait() == RaftErrc::StorageFailed);
  CHECK(cluster.raft(1).JoinDetail().find("partitions cannot be created") == 0);
  // The set that failed has none, and is not written to again; the rest is there and works.
  for (const std::uint32_t p : {2u, 3u, 5u}) {
    REQUIRE(Eventually([&] { return !nodes.Write(1, p, "works").Wait(); }));
    cluster.journal(1).WaitForText(p, "works");
  }
  CHECK(cluster.raft(1).Partitions() == std::vector<PartitionId>{0u, 2u, 3u, 5u});
  CHECK_FALSE(cluster.raft(1).IsInitialized());
  WaitForProblems(cluster.journal(1), 1);
  CHECK(ProblemsOf(cluster.journal(1)).size() == 1);
  CHECK(nodes.disks[0]->writes_failed() == 1);
  cluster.StopAll();

  // Once the disk is mended, a restart makes up for it.
  cluster.Create(cluster.ConfigurationOf(1), nodes.disks[0]);
  cluster.JoinAll();
  for (std::uint32_t p = 1; p <= kPartitions; ++p) cluster.Write(p, "again");
  nodes.Finish();
}

// Runs everything on the test's own context; what is held waits until the test runs it.
class SteppedScheduler final : public IoScheduler {
 public:
  explicit SteppedScheduler(boost::asio::any_io_executor executor)
      : executor_(std::move(executor)) {}

  // Tasks of that file set wait from now on.
  void Hold(std::size_t file_set) { held_[file_set]; }
  [[nodiscard]] bool IsWaiting(std::size_t file_set) const { return !held_.at(file_set).empty(); }
  void RunHeld(std::size_t file_set) {
    for (auto& task : std::exchange(held_.at(file_set), {})) task(*wal_, false);
  }
  [[nodiscard]] int stops() const { return stops_; }

  error_code Start(std::shared_ptr<Wal> wal) override {
    wal_ = std::move(wal);
    return {};
  }
  error_code UseFileSets() override { return {}; }
  error_code SubmitWrite(WriteUnit unit, std::shared_ptr<IoSink> sink) override {
    boost::asio::post(executor_, [wal = wal_, unit = std::move(unit), sink = std::move(sink)] {
      const WriteUnit* const units[] = {&unit};
      sink->OnWritten(unit.partition, unit.unit, wal->Write(units));
    });
    return {};
  }
  error_code SubmitRead(ReadRequest request, std::shared_ptr<IoSink> sink) override {
    boost::asio::post(executor_, [wal = wal_, request, sink = std::move(sink)] {
      ReadResult result;
      result.partition = request.partition;
      result.request = request.request;
      result.first = request.first;
      result.error = wal->Read(request.partition, request.first, request.last, request.bytes_max,
                               result.entries);
      sink->OnRead(std::move(result));
    });
    return {};
  }
  error_code SubmitTask(PartitionId partition, std::function<void(Wal&, bool)> task) override {
    const auto held = held_.find(wal_->FileSetOf(partition));
    if (held != held_.end()) {
      held->second.push_back(std::move(task));
    } else {
      boost::asio::post(executor_, [wal = wal_, task = std::move(task)] { task(*wal, false); });
    }
    return {};
  }
  error_code SubmitFileTask(std::function<void(bool)> task) override {
    boost::asio::post(executor_, [task = std::move(task)] { task(false); });
    return {};
  }
  [[nodiscard]] bool IsSaturated(PartitionId) const noexcept override { return false; }
  [[nodiscard]] IoStatistics Statistics() const noexcept override { return {}; }
  void Stop(std::function<void()> done) override {
    if (++stops_ == 1) wal_->Close();
    boost::asio::post(executor_, std::move(done));
  }
  void Abort() noexcept override { held_.clear(); }

 private:
  const boost::asio::any_io_executor executor_;
  std::shared_ptr<Wal> wal_;
  std::map<std::size_t, std::vector<std::function<void(Wal&, bool)>>> held_;
  int stops_ = 0;
};

TEST_CASE("a stop ends nothing before the partitions of the last file set are made") {
  ManualWorld world;
  TestCluster cluster(world.executor(), 1, [](RaftConfiguration& configuration) {
    configuration.InitialPartitions(kPartitions);
  });
  const auto scheduler = std::make_shared<SteppedScheduler>(world.executor());
  scheduler->Hold(1);
  scheduler->Hold(2);
  RaftDependencies dependencies;
  dependencies.io_scheduler = scheduler;
  TestNode& node = cluster.Create(cluster.ConfigurationOf(1),
                                  std::make_shared<MemoryWal>(kFileSets), dependencies);
  Answer<> join;
  node->JoinCluster(join.Token());
  world.RunUntil("both file sets",
                 [&] { return scheduler->IsWaiting(1) && scheduler->IsWaiting(2); });
  Answer<> stop;
  node->Stop(stop.Token());
  world.RunReady();
  CHECK(join.error() == RaftErrc::NodeStopped);
  CHECK(scheduler->stops() == 0);
  scheduler->RunHeld(2);
  world.RunReady();
  CHECK(scheduler->stops() == 0);
  CHECK_FALSE(stop.HasCome());
  scheduler->RunHeld(1);
  world.RunUntil("the stop", [&] { return stop.HasCome(); });
  CHECK(scheduler->stops() == 1);
  world.RunOut();
  CHECK(stop.count() == 1);
}

TEST_CASE("a stop waits for the partitions that are being made in every file set") {
  Nodes nodes(1);
  auto& cluster = nodes.cluster;
  testing::FaultyWal& disk = *nodes.disks[0];
  disk.Hold(1);
  disk.Hold(2);
  Answer<> join;
  cluster.raft(1).JoinCluster(join.Token());
  // Partition 3, of partition 0's set, is there; those of the others are on their way.
  REQUIRE(Eventually([&] {
    const std::vector<PartitionId> ids = cluster.raft(1).Partitions();
    return std::find(ids.begin(), ids.end(), PartitionId(3)) != ids.end();
  }));
  Answer<> stop;
  cluster.raft(1).Stop(stop.Token());
  CHECK(join.Wait() == RaftErrc::NodeStopped);
  CHECK_FALSE(stop.HasCome());
  disk.Release();
  stop.Get();
  CHECK(stop.count() == 1);
  cluster.Create(cluster.ConfigurationOf(1), nodes.disks[0]);
  cluster.JoinAll();
  for (std::uint32_t p = 1; p <= kPartitions; ++p) cluster.Write(p, "works");
  nodes.Finish();
}

}  // namespace
}  // namespace kommander::test
