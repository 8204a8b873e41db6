// applied <= min(committed, durable on this node) (thesis 10.2.1): nothing is handed to the
// application that this node could still lose or take back.
#pragma once

#include <algorithm>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class AppliedInBounds final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "applied in bounds"; }
  void OnStatus(NodeId node, const PartitionStatus&, const PartitionStatus& now) override {
    if (now.applied <= now.committed && now.applied <= now.durable && now.durable <= now.last &&
        now.committed <= now.last) {
      return;
    }
    Violate(Place(node, now.partition) + ": applied " + Text(now.applied) + ", committed " +
            Text(now.committed) + ", durable " + Text(now.durable) + ", last " + Text(now.last));
  }
  void OnDelivered(NodeId node, const RaftLog& log, bool) override {
    const DiskPartition* disk = facts().Disk(node, log.partition());
    // A snapshot may have taken the place of what is being delivered.
    if (disk != nullptr && log.index() <= disk->boundary.index) return;
    if (disk == nullptr || disk->TermAt(log.index()) != log.term()) {
      Violate(Place(node, log.partition()) + " delivers entry " + Text(log.index()) + " of term " +
              Text(log.term()) + " that is not on its disk");
    }
  }
};

}  // namespace kommander::sim
