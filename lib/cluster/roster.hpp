// The cluster's roster: which nodes belong to it, and under which incarnation each is known. Part
// of the system partition's state; every node derives the same one from the same log.
#pragma once

#include <cstddef>
#include <vector>

#include <kommander/ids.hpp>
#include <kommander/membership.hpp>

namespace kommander::cluster {

using RosterMember = ClusterMember;

// Empty until the system partition's first leader has committed it. A pin is filled once and never
// changes, so a wiped disk cannot come back under its old id.
class Roster {
 public:
  // As many as a node can hold pins of. Who was a member once stays in the roster: its id is spent.
  static constexpr std::size_t kMembersMax = 256;

  Roster() = default;
  // Sorted by node; of members named twice the first counts.
  explicit Roster(std::vector<RosterMember> members);

  [[nodiscard]] bool IsKnown() const noexcept { return !members_.empty(); }
  [[nodiscard]] bool IsMember(NodeId node) const noexcept { return Find(node) != nullptr; }
  // The incarnation that counts as this node; 0: no member, or not seen yet.
  [[nodiscard]] Incarnation PinOf(NodeId node) const noexcept;
  // Ascending by node.
  [[nodiscard]] const std::vector<RosterMember>& members() const noexcept { return members_; }

  // A new member with an empty pin. False, and no change, for one that is known, for node 0, before
  // the roster is known and when it is full.
  bool Add(NodeId node);
  // Fills the empty pin of a member. False, and no change, for anything else.
  bool Pin(NodeId node, Incarnation incarnation) noexcept;

  friend bool operator==(const Roster&, const Roster&) = default;

 private:
  [[nodiscard]] const RosterMember* Find(NodeId node) const noexcept;
  std::vector<RosterMember> members_;
};

}  // namespace kommander::cluster
