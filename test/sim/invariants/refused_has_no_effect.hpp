// A write that ended with an error that promises no effect has none, ever: it is delivered nowhere.
#pragma once

#include <cstring>
#include <unordered_set>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class RefusedHasNoEffect final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "refused has no effect"; }
  void OnEnded(const ClientOperation& operation) override {
    if (operation.kind != OperationKind::kWrite || !operation.error) return;
    if (operation.end != OperationEnd::kAnswered || IsOutcomeUnknown(operation.error)) return;
    refused_.insert(operation.id);
    if (delivered_.contains(operation.id)) Complain(operation.id, operation.partition);
  }
  void OnDelivered(NodeId, const RaftLog& log, bool) override {
    if (log.type() != kOperationType || log.payload().size() < sizeof(std::uint64_t)) return;
    std::uint64_t id = 0;
    std::memcpy(&id, log.payload().data(), sizeof id);
    delivered_.insert(id);
    if (refused_.contains(id)) Complain(id, log.partition());
  }

 private:
  void Complain(std::uint64_t id, PartitionId partition) const {
    Violate("write " + std::to_string(id) + " of partition " + std::to_string(partition.value()) +
            " was refused without effect and delivered");
  }
  std::unordered_set<std::uint64_t> refused_;
  std::unordered_set<std::uint64_t> delivered_;
};

}  // namespace kommander::sim
