// Who belongs to the cluster, as the system partition says: a value, the same on every node once it
// has applied the same commands.
#pragma once

#include <utility>
#include <vector>

#include <kommander/ids.hpp>

namespace kommander {

// One node of the cluster.
struct ClusterMember {
  ClusterMember() = default;
  ClusterMember(NodeId member, Incarnation seen) : node(member), incarnation(seen) {}
  friend bool operator==(const ClusterMember&, const ClusterMember&) = default;
  NodeId node;
  Incarnation incarnation;  // of its disk, for ever; 0: not seen yet
};

// Ascending by node. Empty: not known yet.
class Membership {
 public:
  Membership() = default;
  explicit Membership(std::vector<ClusterMember> members) : members_(std::move(members)) {}
  [[nodiscard]] const std::vector<ClusterMember>& members() const noexcept { return members_; }
  friend bool operator==(const Membership&, const Membership&) = default;

 private:
  std::vector<ClusterMember> members_;
};

}  // namespace kommander
