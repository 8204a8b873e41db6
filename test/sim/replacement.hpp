// Machines whose disk is gone, and the operator that puts new nodes in their places. An id whose
// disk was wiped never comes back: the machine comes back as a node with the next free id, an
// operator adds it to the roster and moves the partitions over, one replacement at a time. Now and
// then an impostor, a node with an empty disk under the old id, comes up first: nobody may take it
// for the old one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "checker.hpp"
#include "cluster_options.hpp"
#include "sim_discovery.hpp"
#include "sim_network.hpp"
#include "sim_node.hpp"
#include "workload.hpp"
#include "world.hpp"

namespace kommander::sim {

class Replacement {
 public:
  Replacement(World& world, SimNetwork& network, Checker& checker,
              std::vector<std::unique_ptr<SimNode>>& nodes, Workload& workload,
              const ClusterOptions& cluster);
  ~Replacement();

  // A node of this cluster; `copy` tells apart those with the same id.
  [[nodiscard]] std::unique_ptr<SimNode> MakeNode(NodeId id, Checker& checker, std::uint32_t copy);

  // Whether a cluster can be asked to go on without what is on the machine's disk.
  [[nodiscard]] bool CanWipe(std::size_t machine) const;
  // The power of the machine goes and so does its disk; a new node takes its place and is started
  // by Arrive.
  void Wipe(std::size_t machine, bool impostor_first);
  // The impostor, if there is one, goes for good; the new node comes up. No effect when it has.
  void Arrive();

  // From the wipe until the new node votes wherever the old one did.
  [[nodiscard]] bool IsOpen() const noexcept { return open_.has_value(); }
  // Impostors that somebody has refused.
  [[nodiscard]] std::uint64_t impostors_refused() const noexcept { return impostors_refused_; }
  // What is left of the machines that were wiped.
  [[nodiscard]] const std::vector<std::unique_ptr<SimNode>>& retired() const noexcept {
    return retired_;
  }

  // Whether the node would vote if asked, and its vote count.
  [[nodiscard]] bool CanCount(const SimNode& node) const;

 private:
  struct Open {
    Open() {}  // clang 16: an optional needs one that is written out, inside a class
    NodeId old_id;
    SimNode* newcomer = nullptr;
    std::uint64_t number = 0;
    bool is_member = false;                                            // the roster has it
    Instant asked_at{};                                                // for that
    std::map<PartitionId, std::pair<std::uint64_t, Instant>> changes;  // operation, when asked
  };
  void Work(std::uint64_t number);
  void DoWork();
  void AskForMember();
  [[nodiscard]] std::optional<Configuration> TargetOf(PartitionId partition,
                                                      const Configuration& now) const;
  // Whether the partition has done with the old node, and asks for what is missing.
  bool Settle(PartitionId partition);
  void DismissImpostor();
  [[nodiscard]] bool IsKnownToAll(const SimNode& node) const;
  [[nodiscard]] bool KeepsMajorities(PartitionId partition, NodeId lost) const;
  [[nodiscard]] SimNode* LeaderOf(PartitionId partition) const;

  World& world_;
  SimNetwork& network_;
  Checker& checker_;
  std::vector<std::unique_ptr<SimNode>>& nodes_;
  Workload& workload_;
  const ClusterOptions cluster_;
  Process process_;
  std::vector<NodeAddress> members_;  // those that the cluster begins with
  std::shared_ptr<SimDiscovery> discovery_ = std::make_shared<SimDiscovery>();
  std::uint32_t next_id_;
  std::uint64_t replacements_ = 0;
  std::optional<Open> open_;
  std::vector<std::unique_ptr<SimNode>> retired_;
  std::unique_ptr<Checker> impostor_checker_;  // the facts are those of the node it claims to be
  std::unique_ptr<SimNode> impostor_;
  std::uint64_t impostors_refused_ = 0;
};

}  // namespace kommander::sim
