// Where a write was to be awaited until it is applied, the node that wrote it has applied it by the
// time of the answer: the one that was asked, or, as its ticket tells, the one that this handed it
// to. An answer names whoever leads by then, who may be another one.
#pragma once

#include <map>
#include <unordered_map>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class AwaitedIsApplied final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "awaited is applied"; }
  void OnLifeBegan(NodeId node) override { lives_[node] = ++now_; }
  void OnBegan(const ClientOperation& operation) override { began_[operation.id] = ++now_; }
  void OnEnded(const ClientOperation& operation) override {
    const auto began = began_.find(operation.id);
    if (began == began_.end()) return;
    const std::uint64_t since = began->second;
    began_.erase(began);
    if (operation.end != OperationEnd::kAnswered || operation.error) return;
    // Of a repeated write, and of a decision, the ticket is that of the first.
    const bool is_known = !operation.forwards || operation.kind == OperationKind::kWrite;
    const NodeId node = operation.forwards ? operation.ticket.node() : operation.node;
    if (!operation.awaits_apply || !is_known || lives_[node] >= since) return;
    const PartitionStatus* status = facts().Status(node, operation.partition);
    if (status == nullptr || status->applied >= operation.index) return;
    Violate(Place(node, operation.partition) + " has applied " + Text(status->applied) +
            ", and entry " + Text(operation.index) + " was answered as applied to " +
            std::string(ToString(operation.kind)) + ' ' + std::to_string(operation.id) +
            " of node " + Text(operation.node));
  }

 private:
  std::uint64_t now_ = 0;
  std::map<NodeId, std::uint64_t> lives_;
  std::unordered_map<std::uint64_t, std::uint64_t> began_;
};

}  // namespace kommander::sim
