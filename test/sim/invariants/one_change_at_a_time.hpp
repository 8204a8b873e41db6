// A leader has at most one configuration in its log that is not committed (thesis 4.1, 4.3), and
// the one before a joint configuration's successor is that joint configuration.
#pragma once

#include "invariants/invariant.hpp"

namespace kommander::sim {

class OneChangeAtATime final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "one change at a time"; }
  void OnStatus(NodeId node, const PartitionStatus&, const PartitionStatus& now) override {
    if (now.role != Role::kLeader) return;
    const LogView* view = facts().View(node, now.partition);
    if (view == nullptr) return;
    const auto& versions = view->configurations();
    if (versions.back().index <= now.committed) return;
    if (const std::size_t count = view->CountConfigurationsAfter(now.committed); count > 1) {
      Violate(Place(node, now.partition) + " leads with " + std::to_string(count) +
              " configurations that are not committed");
    }
    if (versions.size() < 2) return;
    const Configuration& from = versions[versions.size() - 2].configuration;
    const Configuration& to = versions.back().configuration;
    const bool same_voters = from.voters == to.voters;
    if (!from.IsJoint() && !to.IsJoint() && !same_voters) {
      Violate(Place(node, now.partition) + " changes voters at " + Text(versions.back().index) +
              " without a joint configuration");
    }
    if (from.IsJoint() && (to.IsJoint() || !same_voters)) {
      Violate(Place(node, now.partition) + ": what follows a joint configuration at " +
              Text(versions.back().index) + " is not its second half");
    }
  }
};

}  // namespace kommander::sim
