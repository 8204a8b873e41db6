// No node removes an entry that it knows to be committed, except below a boundary that stands for
// it (thesis 3.5, 5.1).
#pragma once

#include "invariants/invariant.hpp"

namespace kommander::sim {

class CommittedIsKept final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "committed is kept"; }
  void OnSubmitted(NodeId node, const WriteUnit& unit) override {
    const PartitionStatus* status = facts().Status(node, unit.partition);
    if (status == nullptr) return;
    if (unit.truncate_from && *unit.truncate_from <= status->committed) {
      Violate(Place(node, unit.partition) + " removes entries from " + Text(*unit.truncate_from) +
              " on and has committed up to " + Text(status->committed));
    }
    if (unit.boundary && unit.boundary->index > status->applied && !unit.drop_log) {
      Violate(Place(node, unit.partition) + " removes entries up to " + Text(unit.boundary->index) +
              " and has applied up to " + Text(status->applied));
    }
  }
};

}  // namespace kommander::sim
