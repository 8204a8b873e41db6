// The entry of an acknowledged write is the committed one at its index, for ever; and a write is
// delivered at one place only, the one that was acknowledged: also one that a session repeats, each
// time that it is acknowledged, and one that was prepared and then committed.
#pragma once

#include <map>
#include <unordered_map>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class AcknowledgedIsCommitted final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "acknowledged is committed"; }
  void OnEnded(const ClientOperation& operation) override {
    const bool is_again = operation.kind == OperationKind::kSessionWrite;
    if ((operation.kind != OperationKind::kWrite && !is_again) || operation.error) return;
    if (operation.end != OperationEnd::kAnswered) return;
    acked_[operation.partition][operation.index] = operation;
    Compare(operation);
    const auto place = places_.find(is_again ? operation.subject : operation.id);
    if (place != places_.end() && place->second != operation.index)
      Misplaced(operation, place->second);
  }
  void OnStatus(NodeId, const PartitionStatus& before, const PartitionStatus& now) override {
    if (now.committed == before.committed) return;
    const auto found = acked_.find(now.partition);
    if (found == acked_.end()) return;
    auto& acked = found->second;
    for (auto place = acked.begin(); place != acked.end() && place->first <= now.committed;
         place = acked.erase(place)) {
      Compare(place->second);
    }
  }
  void OnDelivered(NodeId, const RaftLog& log, bool) override {
    const auto id = OperationOf(log);
    if (!id) return;
    const auto [place, is_new] = places_.try_emplace(*id, log.index());
    if (!is_new && place->second != log.index()) {
      Violate("write " + std::to_string(*id) + " of partition " +
              std::to_string(log.partition().value()) + " is delivered at " + Text(place->second) +
              " and at " + Text(log.index()));
    }
  }
  // Where a write has taken effect anywhere; 0: nowhere.
  [[nodiscard]] LogIndex PlaceOf(std::uint64_t operation) const {
    const auto found = places_.find(operation);
    return found == places_.end() ? LogIndex() : found->second;
  }

 private:
  void Compare(const ClientOperation& operation) const {
    const auto& committed = facts().Committed(operation.partition);
    if (operation.index.value() > committed.size()) return;
    const CommittedItem& item = committed[operation.index.value() - 1];
    if (item.term == operation.term) return;
    Violate(Place(operation.node, operation.partition) + " acknowledged entry " +
            Text(operation.index) + " of term " + Text(operation.term) +
            ", but committed there is one of term " + Text(item.term));
  }
  void Misplaced(const ClientOperation& operation, LogIndex place) const {
    Violate("write " + std::to_string(operation.id) + " was acknowledged at " +
            Text(operation.index) + " and delivered at " + Text(place));
  }
  std::map<PartitionId, std::map<LogIndex, ClientOperation>> acked_;  // not yet seen committed
  std::unordered_map<std::uint64_t, LogIndex> places_;
};

}  // namespace kommander::sim
