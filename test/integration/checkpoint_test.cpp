// A log that gets shorter: what a checkpoint removes, what holds it back, and what a restart then
// delivers and still knows.
#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/use_future.hpp>

#include "catch.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

namespace asio = boost::asio;

void CutEarly(RaftConfiguration& configuration) {
  configuration.CompactionStep(8).RetainedEntries(0);
}

struct Cluster {
  explicit Cluster(std::uint32_t nodes, TestCluster::Tuning tuning = CutEarly)
      : cluster(world.executor(), nodes, std::move(tuning)) {
    cluster.CreateAll();
    cluster.JoinAll();
  }
  void Finish() {
    cluster.StopAll();
    CHECK_FALSE(cluster.AnythingMisplaced());
    world.Finish();
  }
  void WriteMany(PartitionId partition, int count) {
    for (int i = 0; i < count; ++i) cluster.Write(partition, std::to_string(++written));
  }
  // Through whoever leads.
  ReplicateResult Checkpoint(PartitionId partition, std::optional<LogIndex> covered = {}) {
    for (;;) {
      Answer<ReplicateResult> answer;
      cluster.raft(cluster.WaitForLeader(partition))
          .ReplicateCheckpoint(partition, covered, ReplicateOptions(), answer.Token());
      if (!answer.Wait()) return answer.result();
      REQUIRE(IsRetryable(answer.error()));
    }
  }
  [[nodiscard]] LogIndex First(std::uint32_t id, PartitionId partition) {
    return cluster.raft(id).Status(partition).first;
  }
  void WaitUntilCut(std::uint32_t id, PartitionId partition, LogIndex first) {
    CAPTURE(id);
    REQUIRE(Eventually([&] { return First(id, partition) >= first; }));
  }
  World world{World::Kind::kFourThreads};
  TestCluster cluster;
  int written = 0;
};

std::vector<std::string> Texts(int from, int to) {
  std::vector<std::string> texts;
  for (int i = from; i <= to; ++i) texts.push_back(std::to_string(i));
  return texts;
}

TEST_CASE("a checkpoint shortens every log, and a restart delivers what comes after it") {
  Cluster three(3);
  auto& cluster = three.cluster;
  three.WriteMany(1, 50);
  for (std::uint32_t id = 1; id <= 3; ++id) cluster.journal(id).WaitForText(1, "50");
  const std::uint32_t leader = cluster.WaitForLeader(1);
  const LogIndex applied = cluster.raft(leader).Status(1).applied;
  const ReplicateResult checkpoint = three.Checkpoint(1, applied);
  CHECK(checkpoint.index > applied);
  for (std::uint32_t id = 1; id <= 3; ++id) {
    three.WaitUntilCut(id, 1, LogIndex(40));
    const PartitionStatus status = cluster.raft(id).Status(1);
    CHECK(status.floor == applied);
    CHECK(status.checkpoint == checkpoint.index);
    CHECK(status.first <= applied.Next());
  }
  three.WriteMany(1, 10);
  // The record of the floor is on disk with what was written after it.
  for (std::uint32_t id = 1; id <= 3; ++id) cluster.journal(id).WaitForText(1, "60");
  for (std::uint32_t id = 1; id <= 3; ++id) cluster.Stop(id);
  cluster.CreateAll();
  cluster.JoinAll();
  cluster.Write(1, "after");
  for (std::uint32_t id = 1; id <= 3; ++id) {
    cluster.journal(id).WaitForText(1, "after");
    std::vector<std::string> expected = Texts(51, 60);
    expected.emplace_back("after");
    CHECK(cluster.journal(id).Delivered(1) == expected);
    CHECK(three.First(id, 1) > LogIndex(33));
  }
  // Equal histories, whatever of them is still there.
  REQUIRE(Eventually([&] {
    const PartitionStatus one = cluster.raft(1).Status(1);
    return one.applied == cluster.raft(2).Status(1).applied &&
           one.applied == cluster.raft(3).Status(1).applied;
  }));
  CHECK(cluster.raft(1).Status(1).digest == cluster.raft(2).Status(1).digest);
  CHECK(cluster.raft(1).Status(1).digest == cluster.raft(3).Status(1).digest);
  three.Finish();
}

TEST_CASE("what a checkpoint lets go is removed in passes of a bounded size") {
  const std::uint64_t most = GENERATE(20u, 1000u);
  CAPTURE(most);
  Cluster sole(1, [&](RaftConfiguration& configuration) {
    CutEarly(configuration);
    configuration.CompactionEntriesMax(most);
  });
  RaftManager& raft = sole.cluster.raft(1);
  sole.WriteMany(1, 60);
  sole.cluster.journal(1).WaitForText(1, "60");
  CHECK(raft.GetPartitionStatistics(1).log_cuts == 0);
  sole.Checkpoint(1);
  sole.WaitUntilCut(1, 1, LogIndex(57));
  const std::uint64_t cuts = raft.GetPartitionStatistics(1).log_cuts;
  if (most == 20) {
    CHECK(cuts >= 3);
  } else {
    CHECK(cuts == 1);
  }
  sole.Finish();
}

TEST_CASE("what is held stays in the log") {
  Cluster sole(1);
  RaftManager& raft = sole.cluster.raft(1);
  sole.WriteMany(1, 50);
  sole.cluster.journal(1).WaitForText(1, "50");
  RetentionHold hold = raft.AcquireRetentionHold(1, LogIndex(20), asio::use_future).get();
  REQUIRE(hold);
  { const RetentionHold gone = raft.AcquireRetentionHold(1, LogIndex(4), asio::use_future).get(); }
  sole.Checkpoint(1);
  sole.WaitUntilCut(1, 1, LogIndex(17));
  sole.WriteMany(1, 20);
  sole.Checkpoint(1);
  CHECK(sole.First(1, 1) <= LogIndex(20));

  raft.SetMinRetainIndex(1, LogIndex(30));
  hold.Release();
  CHECK_FALSE(hold);
  sole.WriteMany(1, 1);  // any event lets the partition look again
  sole.WaitUntilCut(1, 1, LogIndex(25));
  sole.WriteMany(1, 20);
  sole.Checkpoint(1);
  CHECK(sole.First(1, 1) <= LogIndex(30));
  raft.SetMinRetainIndex(1, LogIndex());
  sole.WriteMany(1, 1);
  sole.WaitUntilCut(1, 1, LogIndex(60));

  Answer<> late;
  raft.AcquireRetentionHold(
      1, LogIndex(20),
      [token = late.Token()](error_code error, const RetentionHold&) { token(error); });
  CHECK(late.Wait() == RaftErrc::LogCompacted);
  sole.Finish();
}

TEST_CASE("an open ticket keeps its entry, and its decision lets it go") {
  Cluster sole(1);
  RaftManager& raft = sole.cluster.raft(1);
  sole.WriteMany(1, 20);
  Answer<ReplicateResult> prepared;
  raft.ReplicateLogs(1, "Text", "prepared", ReplicateOptions().Manual(), prepared.Token());
  const ReplicateResult ticket = prepared.Get();
  sole.WriteMany(1, 40);
  sole.Checkpoint(1);
  sole.WaitUntilCut(1, 1, LogIndex(17));
  CHECK(sole.First(1, 1) <= ticket.index);
  Answer<ReplicateResult> committed;
  raft.CommitLogs(1, ticket.ticket, committed.Token());
  committed.Get();
  sole.WriteMany(1, 1);
  sole.WaitUntilCut(1, 1, LogIndex(50));
  sole.cluster.journal(1).WaitForText(1, "prepared");
  sole.Finish();
}

TEST_CASE("what the application has not on disk is neither removed nor left out") {
  std::atomic<std::uint64_t> durable{10};
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1, CutEarly);
  const auto create = [&] {
    cluster.CreateAll();
    cluster.raft(1).OnDurableIndex([&](PartitionId partition) -> std::optional<LogIndex> {
      if (partition != PartitionId(1) || durable == 0) return std::nullopt;
      return LogIndex(durable);
    });
    cluster.JoinAll();
  };
  const auto checkpoint = [&] {
    Answer<ReplicateResult> answer;
    cluster.raft(1).ReplicateCheckpoint(1, answer.Token());
    answer.Get();
    cluster.Write(1, "mark");
  };
  create();
  for (int i = 1; i <= 40; ++i) cluster.Write(1, std::to_string(i));
  checkpoint();
  REQUIRE(Eventually([&] { return cluster.raft(1).Status(1).first >= LogIndex(9); }));
  CHECK(cluster.raft(1).Status(1).floor == LogIndex(10));
  CHECK(cluster.raft(1).Status(1).first <= LogIndex(11));
  durable = 0;  // no opinion
  checkpoint();
  CHECK(cluster.raft(1).Status(1).floor == LogIndex(10));

  // At a start it is asked again, and may have come further than at the last checkpoint.
  durable = 30;
  cluster.Stop(1);
  create();
  cluster.Write(1, "end");
  cluster.journal(1).WaitForText(1, "end");
  for (const Event& event : cluster.journal(1).Events()) {
    if (IsDelivery(event, 1)) CHECK(event.index > LogIndex(30));
  }
  CHECK(cluster.journal(1).Delivered(1).front() == "30");  // entry 31, after a no-op
  cluster.StopAll();
  world.Finish();
}

TEST_CASE("the system partition's roster and map outlive its log") {
  Cluster three(3, [](RaftConfiguration& configuration) {
    CutEarly(configuration);
    configuration.InitialPartitions(3);
  });
  auto& cluster = three.cluster;
  const PartitionMap map = cluster.raft(1).GetPartitionMap();
  three.WriteMany(kSystemPartition, 40);
  for (std::uint32_t id = 1; id <= 3; ++id) cluster.journal(id).WaitForText(0, "40");
  three.Checkpoint(kSystemPartition);
  for (std::uint32_t id = 1; id <= 3; ++id) three.WaitUntilCut(id, 0, LogIndex(30));
  three.WriteMany(kSystemPartition, 1);
  for (std::uint32_t id = 1; id <= 3; ++id) cluster.Stop(id);
  cluster.CreateAll();
  cluster.JoinAll();  // the map is known, or this would wait
  for (std::uint32_t id = 1; id <= 3; ++id) {
    CHECK(cluster.raft(id).GetPartitionMap() == map);
    CHECK(cluster.raft(id).Partitions() == std::vector<PartitionId>{0, 1, 2, 3});
  }
  for (const std::uint32_t partition : {0u, 1u, 2u, 3u}) cluster.Write(partition, "after");
  three.Finish();
}

TEST_CASE("tickets and sessions outlive the log that they were written in") {
  Cluster sole(1);
  auto& cluster = sole.cluster;
  cluster.WaitForLeader(1);
  ClientSession session = cluster.raft(1).OpenSession(1, asio::use_future).get();
  const SessionRequest request = session.Begin();
  const auto write = [&] {
    return cluster.raft(1)
        .ReplicateLogs(1, "Text", "once", ReplicateOptions().Session(request), asio::use_future)
        .get();
  };
  const ReplicateResult first = write();
  const auto prepare = [&](std::string text) {
    return cluster.raft(1)
        .ReplicateLogs(1, "Text", std::move(text), ReplicateOptions().Manual(), asio::use_future)
        .get()
        .ticket;
  };
  const Ticket settled = prepare("settled");
  cluster.raft(1).RollbackLogs(1, settled, asio::use_future).get();
  sole.WriteMany(1, 40);
  const Ticket open = prepare("open");
  cluster.journal(1).WaitForText(1, "40");
  sole.Checkpoint(1);
  sole.WaitUntilCut(1, 1, LogIndex(30));
  sole.WriteMany(1, 1);
  cluster.Stop(1);
  cluster.CreateAll();
  cluster.JoinAll();
  cluster.WaitForLeader(1);
  CHECK(write().index == first.index);
  Answer<ReplicateResult> again;
  cluster.raft(1).CommitLogs(1, settled, again.Token());
  CHECK(again.Wait() == RaftErrc::AlreadySettled);
  cluster.raft(1).CommitLogs(1, open, ReplicateOptions().AwaitApply(), asio::use_future).get();
  const std::vector<std::string> delivered = cluster.journal(1).Delivered(1);
  CHECK(std::count(delivered.begin(), delivered.end(), "open") == 1);
  CHECK(std::count(delivered.begin(), delivered.end(), "once") == 0);
  CHECK(std::count(delivered.begin(), delivered.end(), "settled") == 0);
  sole.Finish();
}

TEST_CASE("nobody covers what is not committed") {
  Cluster sole(1);
  RaftManager& raft = sole.cluster.raft(1);
  sole.WriteMany(1, 3);
  Answer<ReplicateResult> answer;
  raft.ReplicateCheckpoint(1, LogIndex(1000), ReplicateOptions(), answer.Token());
  CHECK(answer.Wait() == RaftErrc::InvalidArgument);
  CHECK(raft.Status(1).floor == LogIndex());
  sole.Finish();
}

TEST_CASE("who does not lead does not judge what is covered") {
  Cluster three(3);
  const std::uint32_t follower = three.cluster.WaitForLeader(1) % 3 + 1;
  Answer<ReplicateResult> answer;
  three.cluster.raft(follower).ReplicateCheckpoint(1, LogIndex(1000), ReplicateOptions(),
                                                   answer.Token());
  CHECK(answer.Wait() == RaftErrc::NodeIsNotLeader);
  three.Finish();
}

}  // namespace
}  // namespace kommander::test
