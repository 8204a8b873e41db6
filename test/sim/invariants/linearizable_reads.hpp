// A confirmed read index covers every write that was acknowledged, anywhere, before the read began,
// and everything that an earlier read has seen (thesis 6.4); and the node that confirms it has
// applied up to it.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class LinearizableReads final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "linearizable reads"; }
  void OnBegan(const ClientOperation& operation) override {
    if (operation.kind == OperationKind::kRead) {
      floors_[operation.id] = seen_[operation.partition];
    }
  }
  void OnEnded(const ClientOperation& operation) override {
    const bool success = operation.end == OperationEnd::kAnswered && !operation.error;
    LogIndex& seen = seen_[operation.partition];
    const bool is_effect = operation.kind == OperationKind::kWrite ||
                           operation.kind == OperationKind::kSessionWrite ||
                           (operation.kind == OperationKind::kDecide && operation.commits);
    if (is_effect && success) {
      seen = std::max(seen, operation.index);
    }
    if (operation.kind != OperationKind::kRead) return;
    const auto found = floors_.find(operation.id);
    const LogIndex floor = found == floors_.end() ? LogIndex() : found->second;
    if (found != floors_.end()) floors_.erase(found);
    if (!success) return;
    if (operation.index < floor) {
      Violate(Place(operation.node, operation.partition) + " confirms a read at " +
              Text(operation.index) + ", but " + Text(floor) +
              " was acknowledged or read before it began");
    }
    const PartitionStatus* status = facts().Status(operation.node, operation.partition);
    if (status != nullptr && status->applied < operation.index) {
      Violate(Place(operation.node, operation.partition) + " confirms a read at " +
              Text(operation.index) + " and has applied up to " + Text(status->applied));
    }
    seen = std::max(seen, operation.index);
  }

 private:
  std::map<PartitionId, LogIndex> seen_;  // acknowledged, or read
  std::map<std::uint64_t, LogIndex> floors_;
};

}  // namespace kommander::sim
