// What one node calls committed, every node calls committed: the committed parts of all logs are
// prefixes of one sequence (thesis 3.6.3, the committed part of State Machine Safety).
#pragma once

#include "invariants/invariant.hpp"

namespace kommander::sim {

class CommittedAgreement final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "committed agreement"; }
  void OnStatus(NodeId node, const PartitionStatus& before, const PartitionStatus& now) override {
    if (now.committed == before.committed || now.committed.value() == 0) return;
    const LogView* view = facts().View(node, now.partition);
    const auto& committed = facts().Committed(now.partition);
    if (view == nullptr || now.committed < view->base()) return;
    const auto item = view->At(now.committed);
    if (!item || now.committed.value() > committed.size()) {
      Violate(Place(node, now.partition) + ": commit index " + Text(now.committed) +
              " lies beyond its log, which ends at " + Text(view->last()));
    } else if (committed[now.committed.value() - 1].chain != item->chain) {
      Violate(Place(node, now.partition) + ": its committed entry " + Text(now.committed) +
              " of term " + Text(item->term) + " or one before it differs from what was " +
              "committed elsewhere");
    }
  }
};

}  // namespace kommander::sim
