// The library uses what it is given as the interfaces say: units of a log follow one another, and
// no entry leaves a hole (the contract of Wal).
#pragma once

#include <map>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class InterfaceContracts final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "interface contracts"; }
  void OnLifeBegan(NodeId node) override {
    std::erase_if(units_, [&](const auto& unit) { return unit.first.first == node; });
  }
  void OnContractBroken(NodeId node, const std::string& what) override {
    Violate("node " + Text(node) + ": " + what);
  }
  void OnSubmitted(NodeId node, const WriteUnit& unit) override {
    UnitId& last = units_[{node, unit.partition}];
    // The unit that creates a partition may stand apart from the numbers of its actor.
    if (unit.unit <= last && !unit.boundary) {
      Violate(Place(node, unit.partition) + ": unit " + Text(unit.unit) + " follows unit " +
              Text(last));
    }
    last = unit.unit;
  }

 private:
  std::map<std::pair<NodeId, PartitionId>, UnitId> units_;
};

}  // namespace kommander::sim
