// What a disk remembers as committed is committed: a restart serves that without asking anybody.
#pragma once

#include "invariants/invariant.hpp"

namespace kommander::sim {

class HintIsCommitted final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "hint is committed"; }
  void OnRecovered(NodeId node, PartitionId partition,
                   const RecoveredPartition& recovered) override {
    const std::size_t committed = facts().Committed(partition).size();
    if (recovered.commit_hint.value() <= committed) return;
    Violate(Place(node, partition) + " recovers the commit index " + Text(recovered.commit_hint) +
            "; committed is " + std::to_string(committed));
  }
};

}  // namespace kommander::sim
