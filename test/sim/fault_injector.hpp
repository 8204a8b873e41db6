// Makes the faults of a plan happen to a cluster, undoes them, and counts those that took effect:
// a fault that nobody noticed proves nothing.
//   fault_injector.cpp   when faults begin and end, and which of them count
//   fault_strikes.cpp    what they do to nodes, disks and members
//   fault_links.cpp      what they do to links
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "fault_plan.hpp"
#include "replacement.hpp"
#include "sim_network.hpp"
#include "sim_node.hpp"
#include "workload.hpp"
#include "world.hpp"

namespace kommander::sim {

class FaultInjector {
 public:
  FaultInjector(World& world, SimNetwork& network, std::vector<std::unique_ptr<SimNode>>& nodes,
                Workload& workload, Replacement& replacement, const ClusterOptions& cluster);

  // From now on the plan's faults come due. The plan must outlive the run.
  void Begin(const std::vector<Fault>& plan);
  // Every fault ends, every node runs, nothing is broken any more; a replacement goes on.
  void HealAll();
  // How often each kind has taken effect; complete after HealAll.
  [[nodiscard]] const FaultCounts& counts() const noexcept { return counts_; }
  [[nodiscard]] std::uint64_t total() const noexcept;

 private:
  struct Active {
    std::size_t index;
    SimNode* node;                        // whom it struck; it may have been replaced since
    std::optional<std::uint64_t> before;  // what Effects said when it began
  };
  void Start(std::size_t index);
  void End(std::size_t index);
  [[nodiscard]] std::optional<std::uint64_t> Effects(FaultKind kind, SimNode& node) const;
  void Count(FaultKind kind) noexcept;
  void CountIfEffective(const Active& active);
  // False: there was nothing that it could hit.
  bool Strike(const Fault& fault);
  bool StrikeNode(const Fault& fault);
  bool StrikeAt(const Fault& fault, DiskMoment moment, Duration delay);
  bool StrikeMachine(const Fault& fault);
  bool StrikeMembers(const Fault& fault);
  bool Ask(FaultKind kind, std::uint64_t operation);
  void Release(const Fault& fault);
  void RestartIfDown(SimNode& node);
  void Kill(SimNode& node);
  // Links, disks and applications are set anew from all faults that are active.
  void Refresh(FaultKind kind);
  void RefreshLinks();
  void ApplyToLinks(const Fault& fault);
  void CutBetween(std::uint64_t side, std::uint32_t spared);
  [[nodiscard]] LinkFaults& LinkOf(std::uint32_t from, std::uint32_t to);
  void RefreshMoods();
  [[nodiscard]] SimNode* LeaderOf(PartitionId partition) const;
  [[nodiscard]] static bool IsOfLinks(FaultKind kind) noexcept;
  [[nodiscard]] static bool IsOfMoods(FaultKind kind) noexcept;

  World& world_;
  SimNetwork& network_;
  std::vector<std::unique_ptr<SimNode>>& nodes_;
  Workload& workload_;
  Replacement& replacement_;
  const ClusterOptions cluster_;
  Process process_;
  const std::vector<Fault>* plan_ = nullptr;
  std::vector<Active> active_;  // ascending
  std::vector<std::pair<FaultKind, std::uint64_t>> asked_;
  FaultCounts counts_{};
  bool running_ = false;
};

}  // namespace kommander::sim
