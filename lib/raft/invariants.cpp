// What may be seen of a core from outside, and the consistency rules that hold between steps.
#include <algorithm>
#include <string>

#include <kommander/assert.hpp>

#include "raft/core_impl.hpp"

namespace kommander::raft {

Instant Core::Impl::NextDeadline() const noexcept {
  if (stopped_) return kNever;
  Instant next = kNever;
  const auto at = [&next](Instant when) { next = std::min(next, when); };
  if (const Leader* leader = AsLeader()) {
    at(leader->heartbeat_due);
    if (leader->transfer) at(leader->transfer->deadline);
    at(NextExpiry(*leader));
  } else {
    at(election_deadline_);
    if (const auto* follower = std::get_if<Follower>(&role_); follower && follower->leader) {
      for (const ReadBatch& batch : read_batches_) at(batch.resend_at);
    }
  }
  if (transfer_) at(transfer_->deadline);
  at(waiters_.EarliestDeadline());
  at(judged_.EarliestDeadline());
  at(earliest_read_deadline_);
  for (const PendingChange& change : changes_) at(change.deadline);
  if (fetch_wanted_) at(fetch_retry_at_);
  return next;
}

CoreStatus Core::Impl::Status() const noexcept {
  CoreStatus status;
  const auto* candidate = std::get_if<Candidate>(&role_);
  if (AsLeader() != nullptr) {
    status.role = RoleKind::kLeader;
    status.leader = options_.self;
  } else if (candidate != nullptr) {
    status.role = candidate->pre_vote ? RoleKind::kPreCandidate : RoleKind::kCandidate;
  } else {
    const bool votes = members_.active().IsVoter(options_.self);
    status.role = votes ? RoleKind::kFollower : RoleKind::kLearner;
    status.leader = std::get<Follower>(role_).leader;
  }
  status.term = term_;
  status.vote = vote_;
  status.first = log_.first();
  status.last = log_.last();
  status.durable = units_.durable();
  status.committed = committed_;
  status.handed_off = handed_off_;
  status.applied = applied_;
  status.ready = IsReady();
  status.failed = failed_;
  status.uncommitted_bytes = quota_bytes_;
  status.stamp = stamp_;
  return status;
}

std::vector<std::string> Core::Impl::DescribePeers() const {
  std::vector<std::string> lines;
  const Leader* leader = AsLeader();
  if (leader == nullptr) return lines;
  for (const Peer& peer : leader->peers) {
    const Progress& progress = peer.progress;
    std::string line = std::to_string(peer.id.value());
    switch (progress.state()) {
      case Progress::State::kProbe: line += " probe"; break;
      case Progress::State::kReplicate: line += " replicate"; break;
      case Progress::State::kSnapshot: line += " snapshot"; break;
    }
    line += " match=" + std::to_string(progress.match().value());
    line += " next=" + std::to_string(progress.next().value());
    if (progress.inflight_messages() != 0) {
      line += " inflight=" + std::to_string(progress.inflight_messages());
    }
    if (progress.state() == Progress::State::kProbe && progress.IsProbing()) line += " waiting";
    if (members_.active().IsLearner(peer.id)) line += " learner";
    lines.push_back(std::move(line));
  }
  return lines;
}

void Core::Impl::CheckInvariants() const {
  const LogIndex durable = units_.durable();
  KOMMANDER_ASSERT(log_.boundary().index <= committed_, "the boundary is committed");
  KOMMANDER_ASSERT(committed_ <= log_.last(), "what is committed is in the log");
  KOMMANDER_ASSERT(durable <= written_to_ && written_to_ <= log_.last(),
                   "what is synced was written, what was written is in the log");
  KOMMANDER_ASSERT(failed_ || written_to_ == log_.last(), "a step leaves nothing unwritten");
  KOMMANDER_ASSERT(handed_off_ <= std::max({std::min(committed_, durable), start_floor_}),
                   "only what is committed and synced is handed off");
  KOMMANDER_ASSERT(applied_ <= handed_off_, "only what was handed off is applied");
  KOMMANDER_ASSERT(log_.last_term() <= term_, "no entry is from the future");
  KOMMANDER_ASSERT(members_.active_index() <= log_.last(), "configurations are in the log");
  KOMMANDER_ASSERT(log_.cache_first() <= std::max(durable, log_.boundary().index).Next(),
                   "what is not synced is in memory");
  KOMMANDER_ASSERT(!hard_state_dirty_ || failed_, "a step leaves no hard state unwritten");
  KOMMANDER_ASSERT(step_deferred_.empty(), "what is deferred waits for a unit");
  KOMMANDER_ASSERT(deferred_.empty() || !units_.IsIdle(), "nothing waits for an idle disk");
  if (const Leader* leader = AsLeader()) {
    KOMMANDER_ASSERT(!failed_ && !stopped_, "failed storage does not lead");
    KOMMANDER_ASSERT(vote_ == options_.self, "a leader voted for itself");
    for (const Peer& peer : leader->peers) {
      KOMMANDER_ASSERT(peer.progress.match() < peer.progress.next(), "match stays below next");
      KOMMANDER_ASSERT(peer.progress.match() <= log_.last(), "nobody has more than the leader");
      KOMMANDER_ASSERT(peer.progress.next() <= log_.last().Next(), "next is at most one past");
    }
  } else {
    KOMMANDER_ASSERT(quota_.empty() && quota_bytes_ == 0, "only a leader counts a quota");
    KOMMANDER_ASSERT(matched_ <= log_.last(), "what matches is in the log");
  }
}

}  // namespace kommander::raft
