#include "cluster/roster.hpp"

#include <algorithm>

namespace kommander::cluster {

Roster::Roster(std::vector<RosterMember> members) : members_(std::move(members)) {
  std::stable_sort(members_.begin(), members_.end(),
                   [](const auto& a, const auto& b) { return a.node < b.node; });
  const auto same_node = [](const auto& a, const auto& b) { return a.node == b.node; };
  members_.erase(std::unique(members_.begin(), members_.end(), same_node), members_.end());
}

const RosterMember* Roster::Find(NodeId node) const noexcept {
  const auto found =
      std::lower_bound(members_.begin(), members_.end(), node,
                       [](const RosterMember& member, NodeId id) { return member.node < id; });
  return found != members_.end() && found->node == node ? &*found : nullptr;
}

Incarnation Roster::PinOf(NodeId node) const noexcept {
  const RosterMember* member = Find(node);
  return member != nullptr ? member->incarnation : Incarnation();
}

bool Roster::Add(NodeId node) {
  if (!node || !IsKnown() || IsMember(node) || members_.size() >= kMembersMax) return false;
  const auto place =
      std::lower_bound(members_.begin(), members_.end(), node,
                       [](const RosterMember& member, NodeId id) { return member.node < id; });
  members_.insert(place, RosterMember(node, Incarnation()));
  return true;
}

bool Roster::Pin(NodeId node, Incarnation incarnation) noexcept {
  const RosterMember* member = Find(node);
  if (member == nullptr || member->incarnation || !incarnation) return false;
  members_[static_cast<std::size_t>(member - members_.data())].incarnation = incarnation;
  return true;
}

}  // namespace kommander::cluster
