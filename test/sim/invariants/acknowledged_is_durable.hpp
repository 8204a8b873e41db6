// A write that was acknowledged lies, synced, on the disks of a quorum and of the node that
// acknowledged it (thesis 3.6.1, 11.7.3): a majority may lose power at this very moment.
#pragma once

#include <algorithm>

#include "invariants/invariant.hpp"
#include "invariants/quorum.hpp"

namespace kommander::sim {

class AcknowledgedIsDurable final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "acknowledged is durable"; }
  void OnEnded(const ClientOperation& operation) override {
    if (operation.end != OperationEnd::kAnswered || operation.error || !operation.term) return;
    const auto has = [&](NodeId node) { return Has(node, operation); };
    // A node that handed the question on passes the answer on.
    if (!operation.forwards && !has(operation.node)) {
      Violate(Place(operation.node, operation.partition) + " acknowledged entry " +
              Text(operation.index) + " of term " + Text(operation.term) +
              " that is not on its own disk");
      return;
    }
    if (!IsOnQuorum(operation, has)) {
      Violate(Place(operation.node, operation.partition) + " acknowledged entry " +
              Text(operation.index) + " of term " + Text(operation.term) +
              " that is on no quorum of disks");
    }
  }

 private:
  // Below a boundary an entry has done its work: the snapshot stands for it.
  bool Has(NodeId node, const ClientOperation& operation) const {
    const DiskPartition* disk = facts().Disk(node, operation.partition);
    if (disk == nullptr) return false;
    return disk->boundary.index >= operation.index ||
           disk->TermAt(operation.index) == operation.term;
  }
  // Which configuration counted is the leader's secret: any one in force from the entry on will do.
  // Who led when the question was handed on, too.
  template <class Predicate>
  bool IsOnQuorum(const ClientOperation& operation, Predicate has) const {
    if (!operation.forwards) return IsOnQuorumOf(operation.node, operation, has);
    const auto& disks = facts().disks();
    return std::any_of(disks.begin(), disks.end(),
                       [&](const auto& disk) { return IsOnQuorumOf(disk.first, operation, has); });
  }
  template <class Predicate>
  bool IsOnQuorumOf(NodeId node, const ClientOperation& operation, Predicate has) const {
    const LogView* view = facts().View(node, operation.partition);
    if (view == nullptr) return true;  // the node has died since; its disk was asked above
    const auto& versions = view->configurations();
    for (std::size_t i = 0; i < versions.size(); ++i) {
      const bool is_over = i + 1 < versions.size() && versions[i + 1].index <= operation.index;
      if (!is_over && IsQuorum(versions[i].configuration, has)) return true;
    }
    return false;
  }
};

}  // namespace kommander::sim
