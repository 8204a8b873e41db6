// Makes the faults of a plan happen to a cluster, undoes them, and counts those that took effect:
// a fault that nobody noticed proves nothing. Most count once a message, a call or an answer has
// met them. What changes a process or its clock as it strikes, or drops a connection, has taken
// effect by that: see IsFeltAtOnce.
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
  // How many faults of each kind somebody has felt; complete once all that was asked is answered.
  [[nodiscard]] FaultCounts Counts() const;
  // How many of the disk stalls have held somebody up for kLongStall.
  [[nodiscard]] std::uint64_t LongDiskStalls() const;

 private:
  struct Active {
    std::size_t index;
    Instant began;
  };
  void Start(std::size_t index);
  void End(std::size_t index);
  // Whether a strike of the kind is felt by itself. Otherwise that remains to be seen.
  [[nodiscard]] static bool IsFeltAtOnce(FaultKind kind) noexcept;
  [[nodiscard]] FaultMark MarkOf(std::size_t index) { return FaultMark(effects_[index]); }
  // False: there was nothing that it could hit.
  bool Strike(std::size_t index);
  bool StrikeNode(std::size_t index);
  bool StrikeAt(std::size_t index, DiskMoment moment, Duration delay);
  bool StrikeMachine(std::size_t index);
  bool StrikeMembers(std::size_t index);
  bool Ask(std::size_t index, std::uint64_t operation);
  // The new node of a wiped machine comes up.
  void Arrive();
  void Release(const Fault& fault);
  void RestartIfDown(SimNode& node);
  void Kill(SimNode& node);
  // Links, disks and applications are set anew from all faults that are active.
  void Refresh(FaultKind kind);
  void RefreshLinks();
  void ApplyToLinks(const Active& active);
  void ApplySwizzle(const Active& active);
  void CutBetween(std::uint64_t side, std::uint32_t spared, FaultMark mark);
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
  std::vector<Active> active_;                                // ascending
  std::vector<std::pair<std::size_t, std::uint64_t>> asked_;  // fault, operation
  std::vector<std::uint64_t> effects_;                        // of each fault of the plan
  std::vector<std::uint64_t> long_stalls_;                    // by each of them
  std::size_t wiped_by_ = 0;                                  // the last machine
  bool running_ = false;
};

}  // namespace kommander::sim
