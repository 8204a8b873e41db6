// Changes of members (thesis 4.3): a configuration is in force when appended, one change at a time,
// a committed joint configuration is left by whoever leads, a leader that is no voter any more
// goes.
#include <algorithm>
#include <utility>

#include "raft/core_impl.hpp"

namespace kommander::raft {

void Core::Impl::On(Reconfigure& input) {
  if (const auto refusal = RefuseChange(input)) return Complete(input.request, refusal);
  const Configuration& active = members_.active();
  if (input.target == active) {
    Complete(input.request, std::nullopt);
    effects_->completions.back().index = members_.active_index();
    return;
  }
  AppendConfiguration(FirstStep(active, input.target));
  changes_.push_back({input.request, log_.last(), term_, input.deadline});
}

std::optional<RaftErrc> Core::Impl::RefuseChange(const Reconfigure& input) const {
  if (stopped_) return RaftErrc::NodeStopped;
  if (failed_) return failure_;
  const Leader* leader = AsLeader();
  if (leader == nullptr || leader->transfer) return RaftErrc::NodeIsNotLeader;
  if (input.deadline <= now_) return RaftErrc::DeadlineExceeded;
  if (!IsValidTarget(input.target)) return RaftErrc::InvalidArgument;
  // Two leaders could otherwise change the members in two ways that do not overlap.
  if (!KOMMANDER_MUTANT(change_before_own_term) && !IsReady()) return RaftErrc::NodeIsNotReady;
  const bool in_change = members_.active_index() > committed_ || members_.active().IsJoint();
  if (!KOMMANDER_MUTANT(two_changes_at_once) && in_change) {
    return RaftErrc::ChangeInProgress;
  }
  if (RequestCount() >= options_.requests_max) return RaftErrc::ProposalQueueFull;
  return std::nullopt;
}

void Core::Impl::AppendConfiguration(Configuration configuration) {
  AppendEntry(EntryKind::kConfiguration, Ticket(), EncodeConfiguration(configuration));
  members_.Append(log_.last(), std::move(configuration));
  ConfigurationChanged();
}

// The leader's peers are the members in force.
void Core::Impl::ConfigurationChanged() {
  Leader* leader = AsLeader();
  if (leader == nullptr) return;
  std::vector<Peer> peers;
  for (const NodeId id : members_.active().Members()) {
    if (id == options_.self) continue;
    if (Peer* known = leader->Find(id)) {
      peers.push_back(std::move(*known));
    } else {
      peers.push_back({id, Progress(log_.last().Next(), Moment()), now_, 0, LogIndex()});
    }
  }
  leader->peers = std::move(peers);
}

void Core::Impl::OnConfigurationsCommitted() {
  const Leader& leader = *AsLeader();
  const bool early = KOMMANDER_MUTANT(joint_left_before_commit) && members_.active().IsJoint();
  if (!IsReady() || (!early && members_.active_index() > committed_)) return;
  if (members_.active().IsJoint()) {
    if (KOMMANDER_MUTANT(joint_left_by_its_beginner_only) && changes_.empty()) return;
    if (!leader.transfer) AppendConfiguration(LeaveJoint(members_.active()));
    return;
  }
  RetireWhenRemoved();
}

// The change that removes this leader is committed: it tells the others, names the best of them and
// goes.
void Core::Impl::RetireWhenRemoved() {
  if (KOMMANDER_MUTANT(removed_leader_stays) || IsActiveVoter()) return;
  Leader& leader = *AsLeader();
  SendHeartbeats(leader);
  if (const NodeId successor = MostAdvancedVoter(leader)) Send(successor, TransferRequest{});
  BecomeFollower(NodeId());
}

// A change has succeeded when a configuration after its first entry is committed and not joint:
// only its own final one can follow, since nobody begins another change before.
void Core::Impl::SettleChanges() {
  const LogIndex safe = SafeIndex();
  std::erase_if(changes_, [&](PendingChange& change) {
    if (change.index > safe) return false;
    if (!change.found) {
      if (log_.TermAt(change.index) != change.term) {
        Complete(change.request, RaftErrc::ProposalDropped);
        return true;
      }
      change.found = true;
    }
    if (members_.At(safe).IsJoint()) return false;
    Complete(change.request, std::nullopt);
    effects_->completions.back().index = members_.IndexAt(safe);
    effects_->completions.back().term = log_.TermAt(members_.IndexAt(safe));
    return true;
  });
}

}  // namespace kommander::raft
