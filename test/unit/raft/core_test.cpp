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
