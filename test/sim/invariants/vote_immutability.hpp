// A node votes for at most one candidate per term, and neither its term nor that vote is ever
// forgotten (thesis 3.4, 3.8): judged by what lies on its disk, across restarts.
#pragma once

#include <map>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class VoteImmutability final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "vote immutability"; }
  void OnSynced(NodeId node, const WriteUnit& unit) override {
    if (unit.hard_state) Compare(node, unit.partition, *unit.hard_state);
  }
  void OnRecovered(NodeId node, PartitionId partition,
                   const RecoveredPartition& recovered) override {
    Compare(node, partition, recovered.hard_state);
  }

 private:
  void Compare(NodeId node, PartitionId partition, const HardState& now) {
    HardState& known = known_[{node, partition}];
    if (now.term < known.term) {
      Violate(Place(node, partition) + ": the term went from " + Text(known.term) + " to " +
              Text(now.term));
    } else if (now.term == known.term && known.vote && now.vote != known.vote) {
      Violate(Place(node, partition) + ": in term " + Text(now.term) + " the vote went from " +
              Text(known.vote) + " to " + Text(now.vote));
    }
    known = now;
  }
  std::map<std::pair<NodeId, PartitionId>, HardState> known_;
};

}  // namespace kommander::sim
