// Before a node promises anything to another, what it promises is on its own disk (thesis 3.8): a
// granted vote, a candidacy, leadership of a term, an acknowledged entry.
#pragma once

#include <algorithm>
#include <map>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class PromisesAreSynced final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "promises are synced"; }
  void OnSynced(NodeId node, const WriteUnit& unit) override {
    if (unit.hard_state) {
      votes_[{node, unit.partition, unit.hard_state->term}] = unit.hard_state->vote;
    }
  }
  void OnSent(NodeId node, const Message& message) override {
    if (const auto* reply = std::get_if<VoteReply>(&message.body)) {
      if (reply->granted && !reply->pre_vote) RequireVote(node, message, message.to, "grants");
    } else if (const auto* request = std::get_if<VoteRequest>(&message.body)) {
      if (!request->pre_vote) RequireVote(node, message, node, "campaigns in");
    } else if (std::holds_alternative<AppendRequest>(message.body) ||
               std::holds_alternative<Heartbeat>(message.body)) {
      RequireVote(node, message, node, "leads");
    } else if (const auto* append = std::get_if<AppendReply>(&message.body)) {
      if (append->accepted) RequireEntry(node, message, append->matched);
    } else if (const auto* heartbeat = std::get_if<HeartbeatReply>(&message.body)) {
      RequireLast(node, message, heartbeat->durable);
    }
  }

 private:
  void RequireVote(NodeId node, const Message& message, NodeId vote, const char* what) const {
    const auto found = votes_.find({node, message.partition, message.term});
    if (found != votes_.end() && found->second == vote) return;
    Violate(Place(node, message.partition) + " " + what + " term " + Text(message.term) +
            " without that vote for node " + Text(vote) + " on its disk");
  }
  void RequireEntry(NodeId node, const Message& message, LogIndex matched) const {
    RequireLast(node, message, matched);
    const DiskPartition* disk = facts().Disk(node, message.partition);
    // Or, after a crash, it could help to elect somebody in a term that this one has passed.
    const Term term =
        disk == nullptr ? Term() : std::max(disk->hard_state.term, disk->TermAt(disk->last()));
    if (term < message.term) {
      Violate(Place(node, message.partition) + " acknowledges in term " + Text(message.term) +
              "; on its disk is term " + Text(term));
    }
    const LogView* view = facts().View(node, message.partition);
    if (disk == nullptr || view == nullptr || matched <= view->base()) return;
    if (disk->TermAt(matched) == view->TermAt(matched)) return;
    Violate(Place(node, message.partition) + " acknowledges entry " + Text(matched) + " of term " +
            Text(view->TermAt(matched)) + "; on its disk is one of term " +
            Text(disk->TermAt(matched)));
  }
  void RequireLast(NodeId node, const Message& message, LogIndex index) const {
    const DiskPartition* disk = facts().Disk(node, message.partition);
    const LogIndex last = disk == nullptr ? LogIndex() : disk->last();
    if (index <= last) return;
    Violate(Place(node, message.partition) + " tells node " + Text(message.to) + " of " +
            Text(index) + " synced entries; its disk ends at " + Text(last));
  }
  std::map<std::tuple<NodeId, PartitionId, Term>, NodeId> votes_;
};

}  // namespace kommander::sim
