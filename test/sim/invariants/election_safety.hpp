// Election Safety (Raft, figure 3; thesis 3.4): at most one leader can be elected in a term.
#pragma once

#include <map>
#include <tuple>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class ElectionSafety final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "election safety"; }
  void OnStatus(NodeId node, const PartitionStatus&, const PartitionStatus& now) override {
    if (now.role != Role::kLeader) return;
    const auto [place, is_new] = leaders_.try_emplace({now.partition, now.term}, node);
    if (!is_new && place->second != node) {
      Violate(Place(node, now.partition) + " leads term " + Text(now.term) + ", and so did node " +
              Text(place->second));
    }
  }

 private:
  std::map<std::pair<PartitionId, Term>, NodeId> leaders_;
};

}  // namespace kommander::sim
