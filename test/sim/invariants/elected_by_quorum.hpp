// Who leads a term has the synced votes of a quorum of the configuration that was in force when it
// was elected (thesis 3.4, 4.3): no vote is counted that was not given, a joint configuration needs
// both of its majorities. And it is a voter: no learner leads. A node that its newest configuration
// leaves out may lead for as long as it does not know that one to be committed (thesis 4.2.2).
#pragma once

#include <map>
#include <tuple>

#include "invariants/invariant.hpp"
#include "invariants/quorum.hpp"

namespace kommander::sim {

class ElectedByQuorum final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "elected by a quorum"; }
  void OnSynced(NodeId node, const WriteUnit& unit) override {
    if (!unit.hard_state || !unit.hard_state->vote) return;
    votes_[{node, unit.partition, unit.hard_state->term}] = unit.hard_state->vote;
  }
  void OnStatus(NodeId node, const PartitionStatus& before, const PartitionStatus& now) override {
    if (now.role != Role::kLeader) return;
    if (before.role == Role::kLeader && before.term == now.term) return;
    const LogView* view = facts().View(node, now.partition);
    if (view == nullptr) return;
    // Entries of its own term came after its election.
    const auto& versions = view->configurations();
    auto elected = versions.rbegin();
    while (elected + 1 != versions.rend() && view->TermAt(elected->index) == now.term) ++elected;
    auto mine = versions.rbegin();
    while (!mine->configuration.IsVoter(node) && mine->index > before.committed &&
           mine + 1 != versions.rend()) {
      ++mine;
    }
    if (!mine->configuration.IsVoter(node)) {
      Violate(Place(node, now.partition) + " leads term " + Text(now.term) + " and is no voter");
    } else if (!IsQuorum(elected->configuration, [&](NodeId voter) {
                 const auto vote = votes_.find({voter, now.partition, now.term});
                 return vote != votes_.end() && vote->second == node;
               })) {
      Violate(Place(node, now.partition) + " leads term " + Text(now.term) +
              " without the synced votes of a quorum");
    }
  }

 private:
  std::map<std::tuple<NodeId, PartitionId, Term>, NodeId> votes_;
};

}  // namespace kommander::sim
