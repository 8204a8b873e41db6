// Leader Append-Only (Raft, figure 3): a leader never overwrites or deletes entries in its log, it
// only appends.
#pragma once

#include <map>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class LeaderAppendOnly final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "leader append-only"; }
  void OnLifeBegan(NodeId node) override {
    std::erase_if(lasts_, [&](const auto& item) { return item.first.first == node; });
  }
  void OnSubmitted(NodeId node, const WriteUnit& unit) override {
    LogIndex& last = lasts_[{node, unit.partition}];
    const LogView* view = facts().View(node, unit.partition);
    const PartitionStatus* status = facts().Status(node, unit.partition);
    const LogIndex before = std::exchange(last, view == nullptr ? LogIndex() : view->last());
    if (!unit.truncate_from || *unit.truncate_from > before || status == nullptr) return;
    // A leader that has met a higher term writes that term no later than it truncates.
    if (status->role == Role::kLeader && view->hard_state().term == status->term) {
      Violate(Place(node, unit.partition) + " leads term " + Text(status->term) +
              " and removes its entries from " + Text(*unit.truncate_from) + " on");
    }
  }

 private:
  std::map<std::pair<NodeId, PartitionId>, LogIndex> lasts_;
};

}  // namespace kommander::sim
