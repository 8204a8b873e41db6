// Three nodes whose leader stays whatever the test does to it: for tests of what a leader answers
// while it leads, which must not depend on how fast the machine is.
#pragma once

#include <memory>
#include <vector>

#include <kommander/testing/faulty_wal.hpp>

#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {

// Node 2 leads partition 1. It misses a quorum, and node 3 its leader, only after half a minute of
// silence; node 1, which is quick so that the cluster starts at once, gets no vote before that.
struct PinnedCluster {
  static constexpr std::uint32_t kLeader = 2;

  PinnedCluster()
      : cluster(world.executor(), 3, [](RaftConfiguration& configuration) {
          configuration.HeartbeatInterval(std::chrono::milliseconds(50));
          if (configuration.id() == NodeId(1)) return;
          configuration.ElectionTimeout(std::chrono::seconds(30));
        }) {
    for (std::uint32_t id = 1; id <= 3; ++id) {
      disks.push_back(std::make_shared<testing::FaultyWal>());
      cluster.Create(cluster.ConfigurationOf(id), disks.back());
    }
    cluster.JoinAll();
    cluster.MakeLeader(1, kLeader);
    for (std::uint32_t id = 1; id <= 3; ++id) {
      REQUIRE(Eventually(
          [&] { return cluster.raft(id).GetPartitionLeaderHint(1) == NodeId(kLeader); }));
    }
  }
  ~PinnedCluster() {
    for (const auto& disk : disks) disk->Release();
  }
  RaftManager& leader() { return cluster.raft(kLeader); }
  void Finish() {
    cluster.StopAll();
    CHECK_FALSE(cluster.AnythingMisplaced());
    world.Finish();
  }

  World world{World::Kind::kFourThreads};
  std::vector<std::shared_ptr<testing::FaultyWal>> disks;  // of node 1, 2 and 3
  TestCluster cluster;
};

}  // namespace kommander::test
