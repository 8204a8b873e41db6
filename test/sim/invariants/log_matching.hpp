// Log Matching (Raft, figure 3; thesis 3.5): if two logs contain an entry with the same index and
// term, the logs are identical up to that index.
#pragma once

#include "invariants/invariant.hpp"

namespace kommander::sim {

class LogMatching final : public Invariant {
 public:
  // The one invariant that writes into the facts: it is where chains become known.
  explicit LogMatching(Facts& facts) : writable_facts_(facts) {}
  std::string_view name() const noexcept override { return "log matching"; }
  void OnSubmitted(NodeId node, const WriteUnit& unit) override {
    const LogView* view = facts().View(node, unit.partition);
    if (view == nullptr) return;
    for (const Entry& entry : unit.entries) Check(node, unit.partition, *view, entry.index);
  }
  void OnRecovered(NodeId node, PartitionId partition, const RecoveredPartition&) override {
    const LogView* view = facts().View(node, partition);
    if (view == nullptr || view->last() == view->base()) return;
    Check(node, partition, *view, view->last());
  }

 private:
  void Check(NodeId node, PartitionId partition, const LogView& view, LogIndex index) {
    const auto item = view.At(index);
    if (!item || writable_facts_.RecordChain(partition, index, item->term, item->chain)) return;
    Violate(Place(node, partition) + ": entry " + Text(index) + " of term " + Text(item->term) +
            " or one before it differs from another node's");
  }
  Facts& writable_facts_;
};

}  // namespace kommander::sim
