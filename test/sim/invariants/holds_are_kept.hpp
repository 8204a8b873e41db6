// The entries that somebody holds stay in the log of the node that said so, until they are let go:
// unless the process ends, or a snapshot of another node takes the place of the whole log.
#pragma once

#include <map>
#include <unordered_map>
#include <utility>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class HoldsAreKept final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "holds are kept"; }
  void OnLifeBegan(NodeId node) override {
    lives_[node] = ++now_;
    std::erase_if(held_, [&](const auto& held) { return held.second.node == node; });
  }
  void OnSubmitted(NodeId node, const WriteUnit& unit) override {
    if (!unit.drop_log) return;
    replaced_[{node, unit.partition}] = ++now_;
    std::erase_if(held_, [&](const auto& held) {
      return held.second.node == node && held.second.partition == unit.partition;
    });
  }
  void OnBegan(const ClientOperation& operation) override {
    if (operation.kind == OperationKind::kHold) began_[operation.id] = ++now_;
    if (operation.kind == OperationKind::kLetGo) held_.erase(operation.subject);
  }
  void OnEnded(const ClientOperation& operation) override {
    const auto began = began_.find(operation.id);
    if (operation.kind != OperationKind::kHold || began == began_.end()) return;
    const bool is_same = lives_[operation.node] < began->second &&
                         replaced_[{operation.node, operation.partition}] < began->second;
    began_.erase(began);
    if (operation.end != OperationEnd::kAnswered || operation.error || !is_same) return;
    held_[operation.id] = operation;
    const PartitionStatus* status = facts().Status(operation.node, operation.partition);
    if (status != nullptr) Judge(operation.node, *status);
  }
  void OnStatus(NodeId node, const PartitionStatus& before, const PartitionStatus& now) override {
    if (now.first != before.first) Judge(node, now);
  }

 private:
  void Judge(NodeId node, const PartitionStatus& now) {
    std::erase_if(held_, [&](const auto& held) {
      const ClientOperation& hold = held.second;
      const bool is_here = hold.node == node && hold.partition == now.partition;
      if (!is_here || now.first <= hold.index) return false;
      Violate(Place(node, now.partition) + ": the log begins at " + Text(now.first) +
              ", and entry " + Text(hold.index) + " is held");
      return true;
    });
  }

  std::uint64_t now_ = 0;
  std::map<NodeId, std::uint64_t> lives_;
  std::map<std::pair<NodeId, PartitionId>, std::uint64_t> replaced_;
  std::unordered_map<std::uint64_t, std::uint64_t> began_;
  std::map<std::uint64_t, ClientOperation> held_;
};

}  // namespace kommander::sim
