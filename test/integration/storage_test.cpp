// A node whose disk fails or fills up: it says so, by its own errors, and the others go on.
#include <algorithm>

#include "catch.hpp"
#include "support/faulty_wal.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

using std::chrono::milliseconds;

struct Three {
  explicit Three(TestCluster::Tuning tuning = {})
      : cluster(world.executor(), 3, [tuning](RaftConfiguration& configuration) {
          configuration.InitialPartitions(2);
          if (tuning) tuning(configuration);
        }) {
    for (std::uint32_t id = 1; id <= 3; ++id) {
      disks.push_back(std::make_shared<FaultyWal>());
      cluster.Create(cluster.ConfigurationOf(id), disks.back());
    }
    cluster.JoinAll();
  }
  ~Three() {
    for (const auto& disk : disks) disk->Release();
  }
  Answer<ReplicateResult> Write(std::uint32_t id, PartitionId partition, const std::string& text) {
    Answer<ReplicateResult> answer(cluster.node(id).Probe());
    cluster.raft(id).ReplicateLogs(partition, "Text", text, answer.Token());
    return answer;
  }
  void Finish() {
    cluster.StopAll();
    CHECK_FALSE(cluster.AnythingMisplaced());
    world.Finish();
  }
  World world{World::Kind::kFourThreads};
  std::vector<std::shared_ptr<FaultyWal>> disks;
  TestCluster cluster;
};

std::size_t CountProblems(const std::vector<Event>& events, RaftErrc error) {
  return static_cast<std::size_t>(
      std::count_if(events.begin(), events.end(), [&](const Event& event) {
        return event.kind == Event::Kind::kProblem && event.error == error;
      }));
}

TEST_CASE("a leader whose disk fails leads nothing any more, and the others go on") {
  Three three;
  auto& cluster = three.cluster;
  cluster.Write(1, "before");
  cluster.Write(2, "before");
  const std::uint32_t failed = cluster.WaitForLeader(1);
  three.disks[failed - 1]->Fail();
  Answer<ReplicateResult> write = three.Write(failed, 1, "lost or not");
  const error_code error = write.Wait();
  INFO(error.message());
  CHECK((error == RaftErrc::OutcomeUnknown || error == RaftErrc::NodeIsNotLeader));
  // One event of the node, whatever number of partitions it concerns.
  cluster.journal(failed).WaitFor("the node's problem", [](const std::vector<Event>& events) {
    return CountProblems(events, RaftErrc::StorageFailed) > 0;
  });
  // Others lead, and take writes; this node refuses them with its own word.
  cluster.Write(1, "after");
  cluster.Write(2, "after");
  CHECK(cluster.WaitForLeader(1) != failed);
  CHECK(three.Write(failed, 1, "x").Wait() == RaftErrc::StorageFailed);
  CHECK(cluster.raft(failed).Status(1).failed);
  CHECK_FALSE(cluster.raft(failed).AmILeaderQuick(1));
  for (std::uint32_t id = 1; id <= 3; ++id) {
    if (id == failed) continue;
    cluster.journal(id).WaitForText(1, "after");
    cluster.journal(id).WaitForText(2, "after");
    CHECK_FALSE(cluster.raft(id).Status(1).failed);
    CHECK(CountProblems(cluster.journal(id).Events(), RaftErrc::StorageFailed) == 0);
  }
  CHECK(CountProblems(cluster.journal(failed).Events(), RaftErrc::StorageFailed) == 1);
  // A failed sync is never tried again: at most the write that failed, once.
  CHECK(three.disks[failed - 1]->writes_failed() == 1);
  three.Finish();
}

TEST_CASE("a follower whose disk fails acknowledges nothing any more") {
  Three three;
  auto& cluster = three.cluster;
  cluster.Write(1, "before");
  const std::uint32_t leader = cluster.WaitForLeader(1);
  const std::uint32_t failed = leader % 3 + 1;
  three.disks[failed - 1]->Fail();
  cluster.Write(1, "two are enough");
  cluster.journal(failed).WaitFor("the node's problem", [](const std::vector<Event>& events) {
    return CountProblems(events, RaftErrc::StorageFailed) > 0;
  });
  // Without the third there is no quorum left, for the failed one does not count.
  const std::uint32_t now = cluster.WaitForLeader(1);
  REQUIRE(now != failed);
  const std::uint32_t third = 6 - now - failed;
  cluster.Isolate(third);
  Answer<ReplicateResult> write;
  cluster.raft(now).ReplicateLogs(1, "Text", "one is not",
                                  ReplicateOptions().Timeout(milliseconds(300)), write.Token());
  const error_code error = write.Wait();
  INFO(error.message());
  CHECK(error);
  CHECK((IsOutcomeUnknown(error) || IsRetryable(error)));
  three.Finish();
}

TEST_CASE("a failed write fails every partition of its node, those without a write too") {
  Three three;
  auto& cluster = three.cluster;
  cluster.Write(1, "before");
  cluster.Write(2, "before");
  const std::uint32_t failed = cluster.WaitForLeader(1);
  three.disks[failed - 1]->Fail();
  (void)three.Write(failed, 1, "the only write").Wait();
  cluster.journal(failed).WaitFor("the node's problem", [](const std::vector<Event>& events) {
    return CountProblems(events, RaftErrc::StorageFailed) > 0;
  });
  for (const std::uint32_t partition : {0u, 1u, 2u}) {
    // A barrier passes through the partition's mailbox behind whatever it was told.
    Answer<ReadBarrierResult> barrier;
    cluster.raft(failed).ReadBarrier(partition, barrier.Token());
    CHECK(barrier.Wait() == RaftErrc::StorageFailed);
    CHECK(cluster.raft(failed).Status(partition).failed);
    CHECK_FALSE(cluster.raft(failed).AmILeaderQuick(partition));
  }
  cluster.Write(1, "after");
  cluster.Write(2, "after");
  three.Finish();
}

TEST_CASE("a node with a failed disk can be stopped like any other") {
  Three three;
  auto& cluster = three.cluster;
  cluster.Write(1, "before");
  three.disks[0]->Fail();
  cluster.Write(1, "meanwhile");
  cluster.Stop(1);
  cluster.node(1).Destroy();
  cluster.Write(1, "without it");
  three.Finish();
}

TEST_CASE("a full disk refuses proposals until there is room again") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1);
  auto disk = std::make_shared<FaultyWal>();
  cluster.Create(cluster.ConfigurationOf(1), disk);
  cluster.JoinAll();
  cluster.Write(1, "before");
  disk->SetFreeBytes(1);
  const auto write_until = [&](const char* what, const error_code& expected) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      Answer<ReplicateResult> write;
      cluster.raft(1).ReplicateLogs(1, "Text", what, write.Token());
      if (write.Wait() == expected) return;
    }
    FAIL("never came: " << what);
  };
  write_until("full", RaftErrc::DiskFull);
  // Reads go on, and so does the node.
  Answer<ReadBarrierResult> read;
  cluster.raft(1).ReadBarrier(1, read.Token());
  read.Get();
  CHECK_FALSE(cluster.raft(1).Status(1).failed);
  disk->SetFreeBytes(std::uint64_t{1} << 40);
  write_until("room", error_code());
  cluster.journal(1).WaitForText(1, "room");
  cluster.StopAll();
  world.Finish();
}

TEST_CASE("a store with members that do not decode is refused, by name") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1);
  cluster.Create(1);
  cluster.JoinAll();
  cluster.Write(1, "before");
  cluster.StopAll();
  // Bytes that pass every checksum and mean nothing.
  MemoryWal& wal = *cluster.wal(1);
  std::optional<StoreIdentity> identity;
  std::string detail;
  REQUIRE_FALSE(wal.Open(identity, detail));
  RecoveredPartition recovered;
  REQUIRE_FALSE(wal.Recover(1, recovered));
  WriteUnit unit;
  unit.partition = 1;
  const LogIndex index = recovered.last_index.Next();
  unit.entries.emplace_back(recovered.terms.back().term, index, EntryKind::kConfiguration, Ticket(),
                            Payload("who?"));
  const WriteUnit* const units[] = {&unit};
  REQUIRE_FALSE(wal.Write(units));
  wal.Close();

  TestNode& node = cluster.Create(1);
  Answer<> join;
  node->JoinCluster(join.Token());
  CHECK(join.Wait() == RaftErrc::WalCorrupted);
  CHECK(node->JoinDetail() ==
        "partition 1 is damaged: a configuration that does not decode at index " +
            std::to_string(index.value()));
  cluster.StopAll();
  world.Finish();
}

TEST_CASE("Stop and the destructor wait for the write that is running") {
  Three three;
  auto& cluster = three.cluster;
  cluster.Write(1, "before");
  const std::uint32_t leader = cluster.WaitForLeader(1);
  three.disks[leader - 1]->Hold();
  Answer<ReplicateResult> write = three.Write(leader, 1, "held");
  Answer<> stop;
  cluster.raft(leader).Stop(stop.Token());
  // The callers are answered although the disk hangs; the store is not closed under the write.
  const error_code error = write.Wait();
  INFO(error.message());
  CHECK((IsOutcomeUnknown(error) || error == RaftErrc::NodeStopped ||
         error == RaftErrc::NodeIsNotLeader));
  three.disks[leader - 1]->Release();
  stop.Get();
  cluster.Write(1, "after");
  three.Finish();
  CHECK(write.count() == 1);
}

}  // namespace
}  // namespace kommander::test
