// Within one life of a node, term, commit index and applied index never go back (thesis 3.3, 3.5),
// and in one term a partition's known leader, once known, never changes to another node.
#pragma once

#include "invariants/invariant.hpp"

namespace kommander::sim {

class MonotonicProgress final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "monotonic progress"; }
  void OnStatus(NodeId node, const PartitionStatus& before, const PartitionStatus& now) override {
    Compare(node, now.partition, "term", before.term.value(), now.term.value());
    Compare(node, now.partition, "commit index", before.committed.value(), now.committed.value());
    Compare(node, now.partition, "applied index", before.applied.value(), now.applied.value());
    if (before.term == now.term && before.leader && now.leader && before.leader != now.leader) {
      Violate(Place(node, now.partition) + ": the leader of term " + Text(now.term) + " was " +
              Text(before.leader) + " and is " + Text(now.leader));
    }
  }

 private:
  void Compare(NodeId node, PartitionId partition, const char* what, std::uint64_t before,
               std::uint64_t now) const {
    if (now >= before) return;
    Violate(Place(node, partition) + ": the " + what + " went from " + std::to_string(before) +
            " to " + std::to_string(now));
  }
};

}  // namespace kommander::sim
