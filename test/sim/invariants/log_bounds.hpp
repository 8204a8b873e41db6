// A log begins no later than where the application's own state ends (design: floor <= checkpoint <=
// applied <= min(committed, durable)): what was removed is kept by the application for good. When a
// life begins, or a snapshot takes the log's place, that state has yet to be met again.
#pragma once

#include <algorithm>
#include <set>
#include <utility>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class LogBounds final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "log bounds"; }
  void OnLifeBegan(NodeId node) override {
    std::erase_if(has_met_, [&](const auto& key) { return key.first == node; });
  }
  void OnStatus(NodeId node, const PartitionStatus& before, const PartitionStatus& now) override {
    if (now.first.value() == 0) return;
    const LogIndex boundary = now.first.Previous();
    const std::pair key(node, now.partition);
    const bool is_met = now.applied >= std::max({boundary, now.floor, now.checkpoint});
    if (now.applied < boundary) has_met_.erase(key);  // a snapshot is to be imported
    const bool had_met = has_met_.contains(key);
    if (is_met) has_met_.insert(key);
    if (boundary > now.floor || now.checkpoint > now.last || (had_met && !is_met)) {
      Violate(Place(node, now.partition) + ": boundary " + Text(boundary) + ", floor " +
              Text(now.floor) + ", checkpoint " + Text(now.checkpoint) + ", applied " +
              Text(now.applied) + ", last " + Text(now.last));
    }
    // Beside what a life begins with, and snapshots, only a checkpoint raises it, and never beyond
    // itself.
    const bool is_raised = before.first.value() != 0 && now.floor > before.floor;
    if (is_raised && now.floor > std::max(now.checkpoint, boundary)) {
      Violate(Place(node, now.partition) + ": floor " + Text(now.floor) + " above checkpoint " +
              Text(now.checkpoint) + " and boundary " + Text(boundary));
    }
    if (now.first < before.first || now.floor < before.floor) {
      Violate(Place(node, now.partition) + ": the log begins at " + Text(now.first) + " after " +
              Text(before.first) + ", the floor is " + Text(now.floor) + " after " +
              Text(before.floor));
    }
  }

 private:
  std::set<std::pair<NodeId, PartitionId>> has_met_;  // in this life, or since the import
};

}  // namespace kommander::sim
