// What a write may carry, what it answers, and each way in which it is refused.
#include <boost/system/system_error.hpp>

#include "catch.hpp"
#include "support/pinned_cluster.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

using std::chrono::milliseconds;

// One node that leads its partitions 1 and 2.
struct Sole {
  explicit Sole(TestCluster::Tuning tuning = {})
      : cluster(world.executor(), 1, [tuning](RaftConfiguration& configuration) {
          configuration.InitialPartitions(2);
          if (tuning) tuning(configuration);
        }) {
    cluster.CreateAll();
    cluster.JoinAll();
    cluster.WaitForLeader(1);
    cluster.WaitForLeader(2);
  }
  ~Sole() {
    cluster.StopAll();
    CHECK_FALSE(cluster.AnythingMisplaced());
  }
  RaftManager& raft() { return cluster.raft(1); }
  Answer<ReplicateResult> Write(PartitionId partition, const Batch& batch) {
    Answer<ReplicateResult> answer(cluster.node(1).Probe());
    raft().ReplicateLogs(partition, batch, answer.Token());
    return answer;
  }
  Answer<ReplicateResult> Write(PartitionId partition, std::string_view type, Payload payload) {
    Answer<ReplicateResult> answer(cluster.node(1).Probe());
    raft().ReplicateLogs(partition, type, std::move(payload), answer.Token());
    return answer;
  }
  World world{World::Kind::kFourThreads};
  TestCluster cluster;
};

TEST_CASE("a batch is one entry, delivered in its order with its ordinals") {
  Sole sole;
  Batch batch;
  for (int i = 0; i < 100; ++i) batch.Add(i % 2 == 0 ? "Even" : "Odd", std::to_string(i));
  const auto result = sole.Write(1, batch).Get();
  CHECK(result.count == 100);
  const auto after = sole.Write(1, "Text", "after").Get();
  CHECK(after.index == result.index.Next());
  CHECK(after.ticket > result.ticket);
  CHECK(after.term == result.term);
  sole.cluster.journal(1).WaitForDelivered(1, 101);
  std::uint32_t ordinal = 0;
  for (const Event& event : sole.cluster.journal(1).Events()) {
    if (!IsDelivery(event, 1) || event.index != result.index) continue;
    CHECK(event.ordinal == ordinal);
    CHECK(event.text == std::to_string(ordinal));
    CHECK(event.type == (ordinal % 2 == 0 ? "Even" : "Odd"));
    ++ordinal;
  }
  CHECK(ordinal == 100);
}

TEST_CASE("payloads of any bytes come out as they went in") {
  Sole sole;
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  Batch batch;
  batch.Add("", "").Add("Bytes", bytes).Add(std::string(65'535, 't'), Payload());
  CHECK(sole.Write(1, batch).Get().count == 3);
  sole.cluster.journal(1).WaitForDelivered(1, 3);
  std::vector<Event> delivered;
  for (const Event& event : sole.cluster.journal(1).Events()) {
    if (IsDelivery(event, 1)) delivered.push_back(event);
  }
  REQUIRE(delivered.size() == 3);
  CHECK(delivered[0].type.empty());
  CHECK(delivered[0].text.empty());
  CHECK(delivered[1].text == bytes);
  CHECK(delivered[2].type.size() == 65'535);
}

TEST_CASE("partitions are independent, the system partition takes the application's writes too") {
  Sole sole;
  sole.Write(1, "Text", "one").Get();
  sole.Write(2, "Text", "two").Get();
  sole.Write(kSystemPartition, "Text", "zero").Get();
  for (const std::uint32_t partition : {0u, 1u, 2u}) {
    sole.cluster.journal(1).WaitForDelivered(partition, 1);
  }
  CHECK(sole.cluster.journal(1).Delivered(1) == std::vector<std::string>{"one"});
  CHECK(sole.cluster.journal(1).Delivered(2) == std::vector<std::string>{"two"});
  // And nothing of the library's own commands.
  CHECK(sole.cluster.journal(1).Delivered(0) == std::vector<std::string>{"zero"});
  CHECK(sole.raft().Partitions() == std::vector<PartitionId>{0, 1, 2});
}

TEST_CASE("with AwaitApply a write answers after this node's handler has returned") {
  Sole sole;
  for (int i = 0; i < 50; ++i) {
    Answer<ReplicateResult> answer;
    std::atomic<bool> was_delivered{false};
    const std::string text = std::to_string(i);
    sole.raft().ReplicateLogs(1, "Text", text, ReplicateOptions().AwaitApply(),
                              [&, token = answer.Token()](error_code error, ReplicateResult r) {
                                const auto delivered = sole.cluster.journal(1).Delivered(1);
                                was_delivered = !delivered.empty() && delivered.back() == text;
                                token(error, r);
                              });
    answer.Get();
    CHECK(was_delivered);
  }
}

TEST_CASE("requests that are wrong are refused without effect") {
  Sole sole;
  CHECK(sole.Write(1, Batch()).Wait() == RaftErrc::InvalidArgument);
  CHECK(sole.Write(1, "_RaftSystem", "x").Wait() == RaftErrc::InvalidArgument);
  CHECK(sole.Write(0, "_RaftSystem", "x").Wait() == RaftErrc::InvalidArgument);
  Batch mixed;
  mixed.Add("Text", "x").Add("_RaftSystem", "y");
  CHECK(sole.Write(0, mixed).Wait() == RaftErrc::InvalidArgument);
  CHECK(sole.Write(1, std::string(65'536, 't'), "x").Wait() == RaftErrc::InvalidArgument);
  CHECK(sole.Write(3, "Text", "x").Wait() == RaftErrc::PartitionNotFound);
  Answer<ReadBarrierResult> read;
  sole.raft().ReadBarrier(3, read.Token());
  CHECK(read.Wait() == RaftErrc::PartitionNotFound);
  Answer<NodeId> leader;
  sole.raft().WaitForLeader(3, leader.Token());
  CHECK(leader.Wait() == RaftErrc::PartitionNotFound);
  CHECK_FALSE(sole.raft().AmILeaderQuick(3));
  CHECK(sole.raft().GetPartitionLeaderHint(3) == NodeId());
  CHECK(sole.raft().Status(3).partition == PartitionId(3));
  CHECK(sole.raft().Status(3).term == Term());
  sole.Write(1, "Text", "only this").Get();
  sole.cluster.journal(1).WaitForDelivered(1, 1);
  CHECK(sole.cluster.journal(1).Delivered(1) == std::vector<std::string>{"only this"});
}

TEST_CASE("an entry is as large as entry_bytes_max, and no byte larger") {
  constexpr std::size_t kMax = 64 << 10;
  Sole sole([](RaftConfiguration& configuration) { configuration.EntryBytesMax(kMax); });
  // The entry's fixed part, the count, and the two lengths of one payload of type "T".
  constexpr std::size_t kAround = kEntryOverheadBytes + 4 + 6 + 1;
  CHECK(sole.Write(1, "T", std::string(kMax - kAround + 1, 'x')).Wait() ==
        RaftErrc::ProposalTooLarge);
  sole.Write(1, "T", std::string(kMax - kAround, 'x')).Get();
  Batch batch;
  for (int i = 0; i < 2; ++i) batch.Add("T", std::string(kMax / 2, 'x'));
  CHECK(sole.Write(1, batch).Wait() == RaftErrc::ProposalTooLarge);
  sole.cluster.journal(1).WaitForDelivered(1, 1);
  CHECK(sole.cluster.journal(1).Delivered(1)[0].size() == kMax - kAround);
}

TEST_CASE("before the join nothing is accepted, and after the stop neither") {
  World world(World::Kind::kOneThread);
  TestCluster cluster(world.executor(), 1);
  cluster.CreateAll();
  auto& raft = cluster.raft(1);
  const auto write = [&] {
    Answer<ReplicateResult> answer;
    raft.ReplicateLogs(1, "Text", "x", answer.Token());
    return answer.Wait();
  };
  const auto read = [&] {
    Answer<ReadBarrierResult> answer;
    raft.ReadBarrier(1, answer.Token());
    return answer.Wait();
  };
  CHECK(write() == RaftErrc::NodeIsNotReady);
  CHECK(read() == RaftErrc::NodeIsNotReady);
  CHECK_FALSE(raft.IsInitialized());
  cluster.JoinAll();
  CHECK(raft.IsInitialized());
  Answer<> again;
  raft.JoinCluster(again.Token());
  CHECK(again.Wait() == RaftErrc::AlreadyJoined);
  cluster.StopAll();
  CHECK(write() == RaftErrc::NodeStopped);
  CHECK(read() == RaftErrc::NodeStopped);
  Answer<> late;
  raft.JoinCluster(late.Token());
  CHECK(late.Wait() == RaftErrc::NodeStopped);
  world.Finish();
}

TEST_CASE("more proposals than the queue holds are refused at once, the others go through") {
  constexpr std::size_t kQueue = 8;
  ManualWorld world;
  TestCluster cluster(world.executor(), 1, [](RaftConfiguration& configuration) {
    configuration.QueuedProposalsMax(kQueue);
  });
  cluster.CreateAll();
  auto& raft = cluster.raft(1);
  Answer<> join;
  raft.JoinCluster(join.Token());
  world.RunUntil("a leader", [&] { return join.HasCome() && raft.AmILeaderQuick(1); });
  world.RunReady();
  // Nobody takes anything out of the queue while the context does not run.
  std::vector<Answer<ReplicateResult>> writes(3 * kQueue);
  for (std::size_t i = 0; i < writes.size(); ++i) {
    raft.ReplicateLogs(1, "Text", std::to_string(i), writes[i].Token());
  }
  world.RunUntil("answers", [&] {
    return std::all_of(writes.begin(), writes.end(), [](const auto& w) { return w.HasCome(); });
  });
  for (std::size_t i = 0; i < writes.size(); ++i) {
    CHECK(writes[i].error() == (i < kQueue ? error_code() : RaftErrc::ProposalQueueFull));
    CHECK(writes[i].count() == 1);
  }
  CHECK(IsRetryable(writes.back().error()));
  // There is room again.
  Answer<ReplicateResult> later;
  raft.ReplicateLogs(1, "Text", "later", later.Token());
  world.RunUntil("an answer", [&] { return later.HasCome(); });
  CHECK_FALSE(later.error());
  world.RunUntil("deliveries",
                 [&] { return cluster.journal(1).Delivered(1).size() == kQueue + 1; });
  Answer<> stop;
  raft.Stop(stop.Token());
  world.RunOut();
  CHECK(stop.count() == 1);
}

TEST_CASE("without a quorum a write ends at its deadline, its outcome unknown") {
  PinnedCluster pinned;
  pinned.cluster.Isolate(PinnedCluster::kLeader);
  Answer<ReplicateResult> write;
  pinned.leader().ReplicateLogs(1, "Text", "cut", ReplicateOptions().Timeout(milliseconds(50)),
                                write.Token());
  CHECK(write.Wait() == RaftErrc::ProposalTimeout);
  CHECK(IsOutcomeUnknown(write.error()));
  CHECK_FALSE(IsRetryable(write.error()));
  CHECK(write.count() == 1);
  pinned.Finish();
}

TEST_CASE("an invalid configuration throws all of its problems") {
  ManualWorld world;
  RaftConfiguration configuration;
  configuration.ClusterId("").ElectionTimeout(milliseconds(1));
  try {
    RaftManager raft(world.executor(), configuration, nullptr, nullptr, nullptr);
    FAIL("it was accepted");
  } catch (const boost::system::system_error& error) {
    CHECK(error.code() == RaftErrc::InvalidConfiguration);
    const std::string text = error.what();
    for (const char* field :
         {"id: ", "cluster_id: ", "election_timeout: ", "wal: ", "transport: "}) {
      INFO(field << " in " << text);
      CHECK(text.find(field) != std::string::npos);
    }
  }
  world.RunOut();
}

}  // namespace
}  // namespace kommander::test
