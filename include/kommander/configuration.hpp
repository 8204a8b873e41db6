// Who votes and who only listens in one partition (thesis chapter 4, joint consensus of 4.3).
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include <kommander/ids.hpp>

namespace kommander {

// The members of a partition. Every list is sorted and free of duplicates. With `outgoing_voters`
// not empty the configuration is joint: elections, commits, check-quorum and read index need a
// majority of both voter lists.
struct Configuration {
  Configuration() = default;
  explicit Configuration(std::vector<NodeId> voter_ids, std::vector<NodeId> learner_ids = {},
                         std::vector<NodeId> outgoing_voter_ids = {})
      : voters(Sorted(std::move(voter_ids))),
        outgoing_voters(Sorted(std::move(outgoing_voter_ids))),
        learners(Sorted(std::move(learner_ids))) {}

  [[nodiscard]] bool IsJoint() const noexcept { return !outgoing_voters.empty(); }
  [[nodiscard]] bool IsVoter(NodeId node) const noexcept {
    return Has(voters, node) || Has(outgoing_voters, node);
  }
  [[nodiscard]] bool IsLearner(NodeId node) const noexcept { return Has(learners, node); }
  [[nodiscard]] bool Contains(NodeId node) const noexcept {
    return IsVoter(node) || IsLearner(node);
  }
  // Everyone, sorted, once.
  [[nodiscard]] std::vector<NodeId> Members() const {
    std::vector<NodeId> all = voters;
    all.insert(all.end(), outgoing_voters.begin(), outgoing_voters.end());
    all.insert(all.end(), learners.begin(), learners.end());
    return Sorted(std::move(all));
  }
  friend bool operator==(const Configuration&, const Configuration&) = default;

  std::vector<NodeId> voters;           // the incoming ones, while joint
  std::vector<NodeId> outgoing_voters;  // empty unless joint
  std::vector<NodeId> learners;

 private:
  static bool Has(const std::vector<NodeId>& list, NodeId node) noexcept {
    return std::binary_search(list.begin(), list.end(), node);
  }
  static std::vector<NodeId> Sorted(std::vector<NodeId> list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return list;
  }
};

}  // namespace kommander
