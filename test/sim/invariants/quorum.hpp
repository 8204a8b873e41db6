// The invariants' own notion of a majority, independent of the library's.
#pragma once

#include <algorithm>
#include <vector>

#include <kommander/configuration.hpp>

namespace kommander::sim {

// Whether the nodes that `has` accepts are a quorum: a majority of the voters and, while joint, of
// the outgoing ones too (thesis 4.3).
template <class Predicate>
[[nodiscard]] bool IsQuorum(const Configuration& configuration, Predicate has) {
  const auto majority = [&](const std::vector<NodeId>& voters) {
    const auto count = std::count_if(voters.begin(), voters.end(), has);
    return 2 * static_cast<std::size_t>(count) > voters.size();
  };
  return majority(configuration.voters) &&
         (!configuration.IsJoint() || majority(configuration.outgoing_voters));
}

}  // namespace kommander::sim
