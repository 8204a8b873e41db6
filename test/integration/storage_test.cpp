// A node whose disk fails or fills up: it says so, by its own errors, and the others go on.
#include <algorithm>
#include <atomic>
#include <string>

#include <kommander/testing/faulty_wal.hpp>

#include "catch.hpp"
#include "support/pinned_cluster.hpp"
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
      disks.push_back(std::make_shared<testing::FaultyWal>());
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
  std::vector<std::shared_ptr<testing::FaultyWal>> disks;
  TestCluster cluster;
};

std::size_t CountProblems(const std::vector<Event>& events, RaftErrc error) {
  return static_cast<std::size_t>(
      std::count_if(events.begin(), events.end(), [&](const Event& event) {
        return event.kind == Event::Kind::kProblem && event.error == error;
      }));
}

// A write that is in the log of the partition's leader, and on no disk of it: the disk is held.
struct HeldWrite {
  std::uint32_t leader = 0;
  Answer<ReplicateResult> answer;
};
HeldWrite HoldWrite(Three& three, PartitionId partition) {
  HeldWrite held;
  const bool appended = Eventually([&] {
    held.leader = three.cluster.WaitForLeader(partition);
    RaftManager& raft = three.cluster.raft(held.leader);
    testing::FaultyWal& disk = *three.disks[held.leader - 1];
    const PartitionStatus before = raft.Status(partition);
    disk.Hold();
    held.answer = three.Write(held.leader, partition, "held");
    PartitionStatus after;
    REQUIRE(Eventually([&] {
      after = raft.Status(partition);
      return held.answer.HasCome() || after.last > before.last;
    }));
    // In one term a ready leader's log grows by what its callers propose and by nothing else.
    if (before.ready && after.term == before.term && after.role == Role::kLeader) return true;
    disk.Release();
    return false;
  });
  REQUIRE(appended);
  return held;
}

TEST_CASE("a leader whose disk fails leads nothing any more, and the others go on") {
  Three three;
  auto& cluster = three.cluster;
  cluster.Write(1, "before");
  cluster.Write(2, "before");
  HeldWrite write = HoldWrite(three, 1);
  const std::uint32_t failed = write.leader;
  three.disks[failed - 1]->FailWrite();
  three.disks[failed - 1]->Release();
  CHECK(write.answer.Wait() == RaftErrc::OutcomeUnknown);
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
  // A failed sync is never tried again: the write that failed, once.
  CHECK(three.disks[failed - 1]->writes_failed() == 1);
  three.Finish();
  CHECK(write.answer.count() == 1);
}

TEST_CASE("what waits for a leader whose disk fails is told what became of it") {
  PinnedCluster pinned;
  auto& cluster = pinned.cluster;
  testing::FaultyWal& disk = *pinned.disks[PinnedCluster::kLeader - 1];
  const LogIndex last = cluster.Write(1, "before").index;
  REQUIRE(pinned.leader().AmILeaderQuick(1));
  disk.Hold();
  std::vector<Answer<ReplicateResult>> appended(3);
  for (std::size_t i = 0; i < appended.size(); ++i) {
    pinned.leader().ReplicateLogs(1, "Text", std::to_string(i), appended[i].Token());
  }
  REQUIRE(Eventually([&] { return pinned.leader().Status(1).last == last + appended.size(); }));
  // Cut off, no read can be confirmed.
  cluster.Isolate(PinnedCluster::kLeader);
  Answer<ReadBarrierResult> read;
  pinned.leader().ReadBarrier(1, read.Token());
  disk.FailWrite();
  disk.Release();
  for (const auto& write : appended) CHECK(write.Wait() == RaftErrc::OutcomeUnknown);
  CHECK(read.Wait() == RaftErrc::StorageFailed);
  // And so is whoever comes later.
  Answer<ReplicateResult> later;
  pinned.leader().ReplicateLogs(1, "Text", "later", later.Token());
  CHECK(later.Wait() == RaftErrc::StorageFailed);
  Answer<ReadBarrierResult> later_read;
  pinned.leader().ReadBarrier(1, later_read.Token());
  CHECK(later_read.Wait() == RaftErrc::StorageFailed);
  Answer<> transfer;
  pinned.leader().TransferLeadership(1, NodeId(1), transfer.Token());
  CHECK(transfer.Wait() == RaftErrc::StorageFailed);
  CHECK(pinned.leader().Status(1).last == last + appended.size());
  pinned.Finish();
  for (const auto& write : appended) CHECK(write.count() == 1);
  CHECK(read.count() == 1);
}

TEST_CASE("a follower whose disk fails acknowledges nothing any more") {
  PinnedCluster pinned;
  auto& cluster = pinned.cluster;
  cluster.Write(1, "before");
  cluster.journal(3).WaitForText(1, "before");
  pinned.disks[2]->FailWrite();
  const LogIndex committed = cluster.Write(1, "two are enough").index;
  cluster.journal(3).WaitFor("the node's problem", [](const std::vector<Event>& events) {
    return CountProblems(events, RaftErrc::StorageFailed) > 0;
  });
  CHECK(cluster.raft(3).Status(1).durable < committed);
  // Without node 1 there is no quorum left, for the failed node does not count.
  cluster.Isolate(1);
  const PartitionStatus before = pinned.leader().Status(1);
  REQUIRE(before.ready);
  REQUIRE(before.committed == committed);
  Answer<ReplicateResult> write;
  pinned.leader().ReplicateLogs(1, "Text", "one is not",
                                ReplicateOptions().Timeout(milliseconds(500)), write.Token());
  CHECK(write.Wait() == RaftErrc::ProposalTimeout);
  const PartitionStatus after = pinned.leader().Status(1);
  CHECK(after.term == before.term);
  CHECK(after.last == committed.Next());
  CHECK(after.durable == committed.Next());
  CHECK(after.committed == committed);
  CHECK(pinned.disks[2]->writes_failed() == 1);
  pinned.Finish();
}

TEST_CASE("a failed write fails every partition of its node, those without a write too") {
  Three three;
  auto& cluster = three.cluster;
  cluster.Write(1, "before");
  cluster.Write(2, "before");
  const std::uint32_t failed = cluster.WaitForLeader(1);
  three.disks[failed - 1]->FailWrite();
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

TEST_CASE("a join ends when the disk fails meanwhile") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 3, [](RaftConfiguration& configuration) {
    configuration.JoinTimeout(Duration::zero());  // it waits for the others as long as it takes
  });
  const auto disk = std::make_shared<testing::FaultyWal>();
  cluster.Create(cluster.ConfigurationOf(1), disk);
  Answer<> join;
  cluster.raft(1).JoinCluster(join.Token());
  REQUIRE(Eventually([&] { return !cluster.raft(1).Partitions().empty(); }));
  disk->FailWrite();
  std::vector<Answer<>> others(2);
  for (std::uint32_t id = 2; id <= 3; ++id) {
    cluster.Create(id);
    cluster.raft(id).JoinCluster(others[id - 2].Token());
  }
  // What it learns of them cannot be stored.
  CHECK(join.Wait() == RaftErrc::StorageFailed);
  CHECK(cluster.raft(1).JoinDetail().find("storage failed") != std::string::npos);
  for (const auto& other : others) other.Get();
  cluster.StopAll();
  world.Finish();
  CHECK(join.count() == 1);
}

TEST_CASE("a node with a failed disk can be stopped like any other") {
  Three three;
  auto& cluster = three.cluster;
  cluster.Write(1, "before");
  three.disks[0]->FailWrite();
  cluster.Write(1, "meanwhile");
  cluster.Stop(1);
  cluster.node(1).Destroy();
  cluster.Write(1, "without it");
  three.Finish();
}

TEST_CASE("a full disk refuses proposals until there is room again") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1,
                      [](RaftConfiguration& configuration) { configuration.FreeBytesMin(5000); });
  auto disk = std::make_shared<testing::FaultyWal>();
  cluster.Create(cluster.ConfigurationOf(1), disk);
  cluster.JoinAll();
  cluster.Write(1, "before");
  disk->SetFreeBytes(4999);
  const auto write_until = [&](const char* what, const error_code& expected) {
    const bool has_come = Eventually([&] {
      Answer<ReplicateResult> write;
      cluster.raft(1).ReplicateLogs(1, "Text", what, write.Token());
      return write.Wait() == expected;
    });
    if (!has_come) FAIL("never came: " << what);
  };
  write_until("full", RaftErrc::DiskFull);
  // Reads go on, and so does the node.
  Answer<ReadBarrierResult> read;
  cluster.raft(1).ReadBarrier(1, read.Token());
  read.Get();
  CHECK_FALSE(cluster.raft(1).Status(1).failed);
  disk->SetFreeBytes(5000);
  write_until("room", error_code());
  cluster.journal(1).WaitForText(1, "room");
  cluster.StopAll();
  world.Finish();
}

TEST_CASE("a disk that runs full, and has room again, is told of once though nobody proposes") {
  World world(World::Kind::kOneThread);
  TestCluster cluster(world.executor(), 1, [](RaftConfiguration& configuration) {
    configuration.FreeBytesMin(5000).LogInterval(Duration::zero());
    configuration.EntryBytesMax(12u << 20).InflightBytesMax(12u << 20);
  });
  auto disk = std::make_shared<testing::FaultyWal>();
  TestNode& node = cluster.Create(cluster.ConfigurationOf(1), disk);
  std::atomic<int> full{0};
  std::atomic<int> room{0};
  node->UseLogSink(
      [&](const LogRecord& record) {
        if (record.event == "disk_full") ++full;
        if (record.event == "disk_has_room") ++room;
      },
      LogLevel::kInfo);
  cluster.JoinAll();
  cluster.Write(1, "before");
  CHECK(full == 0);
  disk->SetFreeBytes(4999);
  // So much that the disk is looked at, and the last that anybody proposes.
  Answer<ReplicateResult> write;
  node->ReplicateLogs(1, "Text", std::string(9u << 20, 'x'), write.Token());
  (void)write.Wait();
  REQUIRE(Eventually([&] { return full != 0; }));
  CHECK(room == 0);
  disk->SetFreeBytes(5000);
  REQUIRE(Eventually([&] { return room != 0; }));
  cluster.StopAll();
  world.Finish();
  CHECK(full == 1);
  CHECK(room == 1);
}

// Writes one entry into a log whose disk is held, and another while that is on its way.
error_code WriteBehindHeldDisk(const TestCluster::Tuning& tuning, PartitionId first,
                               PartitionId second, const std::string& text = "x") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1, tuning);
  auto disk = std::make_shared<testing::FaultyWal>();
  cluster.Create(cluster.ConfigurationOf(1), disk);
  cluster.JoinAll();
  cluster.Write(first, "before");
  cluster.Write(second, "before");
  error_code refusal;
  const bool was_held = Eventually([&] {
    disk->Hold();
    const LogIndex last = cluster.raft(1).Status(first).last;
    Answer<ReplicateResult> write;
    cluster.raft(1).ReplicateLogs(first, "Text", text, write.Token());
    const bool is_on_its_way =
        Eventually([&] { return write.HasCome() || cluster.raft(1).Status(first).last > last; });
    if (is_on_its_way && !write.HasCome()) {
      Answer<ReplicateResult> next;
      cluster.raft(1).ReplicateLogs(second, "Text", "behind it",
                                    ReplicateOptions().Timeout(milliseconds(300)), next.Token());
      refusal = next.Wait();
    }
    disk->Release();
    (void)write.Wait();
    return bool(refusal);
  });
  CHECK(was_held);
  cluster.StopAll();
  world.Finish();
  return refusal;
}

TEST_CASE("what is on its way to the disk is bounded, of one partition and of all") {
  const auto none = [](RaftConfiguration& configuration) { configuration.InitialPartitions(2); };
  CHECK(WriteBehindHeldDisk(none, 1, 1) == RaftErrc::ProposalTimeout);
  const auto one = [](RaftConfiguration& configuration) {
    configuration.InitialPartitions(2).QueuedWritesMax(1);
  };
  CHECK(WriteBehindHeldDisk(one, 1, 1) == RaftErrc::ProposalQueueFull);
  CHECK(WriteBehindHeldDisk(one, 1, 2) == RaftErrc::ProposalTimeout);
  const auto one_of_all = [](RaftConfiguration& configuration) {
    configuration.InitialPartitions(2).NodeQueuedWritesMax(1);
  };
  CHECK(WriteBehindHeldDisk(one_of_all, 1, 2) == RaftErrc::ProposalQueueFull);
  const auto bytes = [](RaftConfiguration& configuration) {
    configuration.InitialPartitions(2).EntryBytesMax(2048).QueuedWriteBytesMax(2048);
  };
  CHECK(WriteBehindHeldDisk(bytes, 1, 1) == RaftErrc::ProposalTimeout);
  CHECK(WriteBehindHeldDisk(bytes, 1, 1, std::string(1960, 'x')) == RaftErrc::ProposalQueueFull);
  const auto bytes_of_all = [](RaftConfiguration& configuration) {
    configuration.InitialPartitions(2).EntryBytesMax(2048).NodeQueuedWriteBytesMax(2048);
  };
  CHECK(WriteBehindHeldDisk(bytes_of_all, 1, 2, std::string(1960, 'x')) ==
        RaftErrc::ProposalQueueFull);
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
  HeldWrite write = HoldWrite(three, 1);
  Answer<> stop;
  cluster.raft(write.leader).Stop(stop.Token());
  // The caller is answered although the disk hangs; the store is not closed under the write.
  CHECK(write.answer.Wait() == RaftErrc::OutcomeUnknown);
  CHECK_FALSE(stop.HasCome());
  three.disks[write.leader - 1]->Release();
  stop.Get();
  cluster.Write(1, "after");
  three.Finish();
  CHECK(write.answer.count() == 1);
}

}  // namespace
}  // namespace kommander::test
