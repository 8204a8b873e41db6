// The spine of the core: a leader is elected, writes commit on a quorum of disks, restarts and
// crashes lose nothing that was acknowledged.
#include "catch.hpp"
#include "unit/raft/test_cluster.hpp"

using namespace std::chrono_literals;
using namespace kommander;
using namespace kommander::raft;
using namespace kommander::raft::test;

namespace {

Configuration Voters(std::uint32_t count) {
  std::vector<NodeId> voters;
  for (std::uint32_t id = 1; id <= count; ++id) voters.emplace_back(id);
  return Configuration(voters);
}

}  // namespace

TEST_CASE("clusters of one to seven elect a leader, commit and apply everywhere") {
  for (std::uint32_t size = 1; size <= 7; ++size) {
    TestCluster cluster({.seed = size, .core = {}}, Voters(size));
    const NodeId leader = cluster.WaitForLeader();
    REQUIRE(leader);
    const auto request = cluster.Propose(leader.value(), "hello");
    cluster.Advance(1s);
    REQUIRE_FALSE(cluster.node(leader.value()).completions.at(request).error);
    for (auto& [id, node] : cluster.nodes()) {
      REQUIRE(node->delivered.size() == 1);
      REQUIRE(node->delivered[0].body.text() == "hello");
    }
  }
}

TEST_CASE("a restarted cluster keeps its writes and elects again") {
  TestCluster cluster({.seed = 7, .core = {}}, Voters(3));
  const NodeId first = cluster.WaitForLeader();
  for (int i = 0; i < 100; ++i) cluster.Propose(first.value(), "write " + std::to_string(i));
  cluster.Advance(1s);
  const Term term = cluster.status(first.value()).term;
  for (std::uint32_t id = 1; id <= 3; ++id) cluster.Crash(NodeId(id));
  for (std::uint32_t id = 1; id <= 3; ++id) cluster.Start(NodeId(id));
  const NodeId second = cluster.WaitForLeader();
  REQUIRE(second);
  REQUIRE(cluster.status(second.value()).term > term);
  cluster.Advance(1s);
  for (auto& [id, node] : cluster.nodes()) {
    REQUIRE(node->delivered.size() == 100);
    REQUIRE(node->delivered[99].body.text() == "write 99");
  }
}

TEST_CASE("a leader that is cut off is replaced and steps down by itself") {
  TestCluster cluster({.seed = 3, .core = {}}, Voters(3));
  const NodeId old_leader = cluster.WaitForLeader();
  cluster.Isolate(old_leader.value());
  const auto lost = cluster.Propose(old_leader.value(), "lost");
  cluster.Advance(5s);
  REQUIRE(cluster.status(old_leader.value()).role != RoleKind::kLeader);
  const NodeId new_leader = cluster.WaitForLeader();
  REQUIRE(new_leader);
  REQUIRE(new_leader != old_leader);
  const auto kept = cluster.Propose(new_leader.value(), "kept");
  cluster.Advance(1s);
  REQUIRE_FALSE(cluster.node(new_leader.value()).completions.at(kept).error);
  REQUIRE(cluster.node(old_leader.value()).waiting.contains(lost));
  cluster.Heal();
  cluster.Advance(5s);
  REQUIRE(cluster.node(old_leader.value()).completions.at(lost).error == RaftErrc::ProposalDropped);
  REQUIRE(cluster.node(old_leader.value()).delivered.back().body.text() == "kept");
}

TEST_CASE("while heartbeats are suspended no read is confirmed") {
  TestCluster cluster({.seed = 5, .core = {}}, Voters(3));
  const std::uint32_t leader = cluster.WaitForLeader().value();
  const auto before = cluster.Request(leader, Read{});
  cluster.Settle();
  REQUIRE(cluster.node(leader).completions.contains(before));
  cluster.Step(leader, SuspendHeartbeats{true});
  const auto read = cluster.Request(leader, Read{});
  cluster.Settle();
  cluster.Advance(200ms);
  CHECK(cluster.node(leader).waiting.contains(read));
  cluster.Step(leader, SuspendHeartbeats{false});
  cluster.Advance(500ms);
  REQUIRE(cluster.node(leader).completions.contains(read));
  CHECK_FALSE(cluster.node(leader).completions.at(read).error);
}

TEST_CASE("a stopped core answers every request and hears nothing else") {
  TestCluster cluster({.seed = 5, .core = {}}, Voters(3));
  const NodeId leader = cluster.WaitForLeader();
  cluster.Step(leader.value(), Stop{});
  const CoreStatus stopped = cluster.status(leader.value());
  const std::uint64_t requests[] = {
      cluster.Propose(leader.value(), "late"), cluster.Request(leader.value(), Read{}),
      cluster.Request(leader.value(), Transfer{}), cluster.Request(leader.value(), StepDown{}),
      cluster.Request(leader.value(), Reconfigure{RequestId(), Voters(2)})};
  for (const std::uint64_t request : requests) {
    CHECK(cluster.node(leader.value()).completions.at(request).error == RaftErrc::NodeStopped);
  }
  const NodeId other(leader.value() % 3 + 1);
  SnapshotStaged snapshot{other, Term(9), BoundaryRecord()};
  snapshot.boundary.index = LogIndex(100);
  snapshot.boundary.configuration = Voters(3);
  for (const Input& input :
       {Input(Receive{Message(PartitionId(0), other, leader, Term(9), Heartbeat())}),
        Input(StorageFailure{}), Input(snapshot), Input(Compact{snapshot.boundary}),
        Input(Fetched{1, LogIndex(1), {}}), Input(Applied{LogIndex(1)}), Input(Stop{})}) {
    cluster.Step(leader.value(), input);
  }
  CHECK(cluster.status(leader.value()) == stopped);
  CHECK(cluster.core(leader.value()).NextDeadline() == kNever);
}

TEST_CASE("a change of members that a snapshot overtakes ends as unknown") {
  TestCluster cluster({.seed = 5, .core = {}, .check = false}, Voters(3));
  const NodeId leader = cluster.WaitForLeader();
  cluster.Isolate(leader.value());
  const auto change = cluster.Request(leader.value(), Reconfigure{RequestId(), Voters(2)});
  const auto later = cluster.Propose(leader.value(), "behind it");
  const CoreStatus status = cluster.status(leader.value());
  SnapshotStaged snapshot{NodeId(leader.value() % 3 + 1), status.term.Next(), BoundaryRecord()};
  snapshot.boundary.index = status.last;
  snapshot.boundary.term = status.term.Next();
  snapshot.boundary.configuration = Voters(3);
  cluster.Step(leader.value(), snapshot);
  for (const std::uint64_t request : {change, later}) {
    CHECK(cluster.node(leader.value()).completions.at(request).error == RaftErrc::OutcomeUnknown);
  }
  CHECK(cluster.core(leader.value()).ActiveConfiguration() == Voters(3));
  CHECK(cluster.status(leader.value()).committed == status.last);
}
