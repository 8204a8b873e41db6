// Makes the faults of a plan happen to a cluster, and undoes them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "fault_plan.hpp"
#include "sim_network.hpp"
#include "sim_node.hpp"
#include "workload.hpp"
#include "world.hpp"

namespace kommander::sim {

class FaultInjector {
 public:
  FaultInjector(World& world, SimNetwork& network, std::vector<std::unique_ptr<SimNode>>& nodes,
                Workload& workload, const ClusterOptions& cluster);

  // From now on the plan's faults come due. The plan must outlive the run.
  void Begin(const std::vector<Fault>& plan);
  // Every fault ends, every node runs, nothing is broken any more.
  void HealAll();
  // How often each kind has taken effect.
  [[nodiscard]] const FaultCounts& counts() const noexcept { return counts_; }
  [[nodiscard]] std::uint64_t total() const noexcept;

 private:
  void Start(std::size_t index);
  void End(std::size_t index);
  // False: there was nothing that it could hit.
  bool Strike(const Fault& fault);
  bool StrikeNode(const Fault& fault);
  bool StrikeMembers(const Fault& fault);
  void Release(const Fault& fault);
  void RestartIfDown(SimNode& node);
  void Kill(SimNode& node);
  // Links and disks are set anew from all faults that are active.
  void RefreshLinks();
  void ApplyToLinks(const Fault& fault);
  void CutBetween(std::uint64_t side, std::uint32_t spared);
  void RefreshDisks();
  [[nodiscard]] SimNode* LeaderOf(PartitionId partition) const;
  [[nodiscard]] static bool IsOfLinks(FaultKind kind) noexcept;
  [[nodiscard]] static bool IsOfDisks(FaultKind kind) noexcept;

  World& world_;
  SimNetwork& network_;
  std::vector<std::unique_ptr<SimNode>>& nodes_;
  Workload& workload_;
  const ClusterOptions cluster_;
  Process process_;
  const std::vector<Fault>* plan_ = nullptr;
  std::vector<std::size_t> active_;  // ascending
  FaultCounts counts_{};
  bool running_ = false;
};

}  // namespace kommander::sim
