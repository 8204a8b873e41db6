// Leader Completeness (Raft, figure 3; thesis 3.6): an entry committed in some term is in the log
// of the leader of every higher term.
#pragma once

#include "invariants/invariant.hpp"

namespace kommander::sim {

class LeaderCompleteness final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "leader completeness"; }
  void OnStatus(NodeId node, const PartitionStatus& before, const PartitionStatus& now) override {
    if (now.role != Role::kLeader) return;
    if (before.role == Role::kLeader && before.term == now.term) return;
    const LogView* view = facts().View(node, now.partition);
    const auto& committed = facts().Committed(now.partition);
    // A leader that was elected late, when a higher term had begun, owes nothing of that term.
    std::size_t count = committed.size();
    while (count > 0 && committed[count - 1].noticed_in >= now.term) --count;
    if (count == 0 || view == nullptr || LogIndex(count) < view->base()) return;
    const auto item = view->At(LogIndex(count));
    if (item && item->chain == committed[count - 1].chain) return;
    Violate(Place(node, now.partition) + " leads term " + Text(now.term) +
            " without the committed entry " + std::to_string(count) + " of term " +
            Text(committed[count - 1].term) + " or one before it; its log ends at " +
            Text(view->last()));
  }
};

}  // namespace kommander::sim
