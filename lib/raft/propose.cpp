// Requests of this node's callers and the one answer that each gets: proposals, withdrawals,
// transfers, step-down.
#include <algorithm>
#include <utility>

#include <kommander/assert.hpp>

#include "raft/core_impl.hpp"

namespace kommander::raft {

void Core::Impl::Complete(RequestId request, std::optional<RaftErrc> error) {
  Completion completion;
  completion.request = request;
  completion.error = error;
  completion.leader = LeaderHint();
  effects_->completions.push_back(completion);
  if (KOMMANDER_MUTANT(answered_twice)) effects_->completions.push_back(completion);
}

void Core::Impl::CompleteWrite(const Waiter& waiter, std::optional<RaftErrc> error) {
  Complete(waiter.request, error);
  effects_->completions.back().index = waiter.index;
  effects_->completions.back().term = waiter.term;
}

std::size_t Core::Impl::RequestCount() const noexcept {
  return waiters_.size() + judged_.size() + reads_.size() + changes_.size();
}

std::optional<RaftErrc> Core::Impl::RefuseProposal(const Propose& input) const {
  if (stopped_) return RaftErrc::NodeStopped;
  if (failed_) return failure_;
  const Leader* leader = AsLeader();
  if (leader == nullptr || leader->transfer) return RaftErrc::NodeIsNotLeader;
  if (input.deadline <= now_) return RaftErrc::DeadlineExceeded;
  const bool is_ours = input.kind == EntryKind::kNoop || input.kind == EntryKind::kConfiguration;
  if (is_ours) return RaftErrc::InvalidArgument;
  const std::size_t own_bytes = kEntryOverheadBytes + input.body.size();
  const std::size_t first_bytes = input.first ? kEntryOverheadBytes + input.first->size() : 0;
  if (std::max(own_bytes, first_bytes) > options_.entry_bytes_max) {
    return RaftErrc::ProposalTooLarge;
  }
  // Those on their way to the ledger count; what it refuses in spite of that is told then.
  if (IsPrepared(input.kind) && !KOMMANDER_MUTANT(open_tickets_unbounded) &&
      !ledger_.HasRoomFor(own_bytes, leader->prepared_count, leader->prepared_bytes)) {
    return RaftErrc::TooManyOpenTickets;
  }
  const std::size_t bytes = own_bytes + first_bytes;
  const bool over_quota = !KOMMANDER_MUTANT(quota_ignored) && quota_bytes_ != 0 &&
                          quota_bytes_ + bytes > options_.uncommitted_bytes_max;
  if (over_quota || RequestCount() >= options_.requests_max) return RaftErrc::ProposalQueueFull;
  return std::nullopt;
}

void Core::Impl::On(Propose& input) {
  if (const auto refusal = RefuseProposal(input)) return Complete(input.request, refusal);
  const bool has_first = input.first.has_value();
  if (has_first) {
    AppendEntry(EntryKind::kApplication, input.first_ticket, *std::move(input.first));
  }
  AppendEntry(input.kind, input.ticket, std::move(input.body));
  Waiters& waiters = IsJudged(input.kind) ? judged_ : waiters_;
  waiters.Add({input.request, log_.last(), term_, input.deadline, has_first});
}

void Core::Impl::On(Withdraw& input) {
  if (!stopped_) withdrawn_.push_back(input.request);
}

// Ends the waits of this step's withdrawals, all in one pass.
void Core::Impl::WithdrawRequests() {
  if (withdrawn_.empty()) return;
  std::sort(withdrawn_.begin(), withdrawn_.end());
  const auto is_withdrawn = [&](RequestId request) {
    return std::binary_search(withdrawn_.begin(), withdrawn_.end(), request);
  };
  taken_.clear();
  waiters_.TakeRequests(withdrawn_, taken_);
  judged_.TakeRequests(withdrawn_, taken_);
  for (const Waiter& waiter : taken_) CompleteWrite(waiter, RaftErrc::OutcomeUnknown);
  std::erase_if(changes_, [&](const PendingChange& change) {
    if (!is_withdrawn(change.request)) return false;
    Complete(change.request, RaftErrc::OutcomeUnknown);
    return true;
  });
  std::erase_if(reads_, [&](const LocalRead& read) {
    if (!is_withdrawn(read.request)) return false;
    Complete(read.request, std::nullopt);
    effects_->completions.back().withdrawn = true;
    return true;
  });
  DropUnreadBatches();
  if (transfer_ && is_withdrawn(transfer_->request)) {
    // The transfer itself goes on; only nobody waits for it.
    Complete(transfer_->request, RaftErrc::OutcomeUnknown);
    transfer_.reset();
  }
  withdrawn_.clear();
}

void Core::Impl::FreeQuota() {
  const LogIndex safe = SafeIndex();
  while (!quota_.empty() && quota_.front().last <= safe) {
    if (!KOMMANDER_MUTANT(quota_never_freed)) quota_bytes_ -= quota_.front().bytes;
    quota_.pop_front();
  }
}

// A write's success: its own entry is committed, and synced on this disk. What is committed at its
// index is known for sure here, whoever leads now.
void Core::Impl::CompleteWrites() {
  if (waiters_.size() == 0) return;
  taken_.clear();
  waiters_.TakeUpTo(KOMMANDER_MUTANT(acknowledge_on_append) ? log_.last() : SafeIndex(), taken_);
  for (const Waiter& waiter : taken_) {
    const bool kept =
        KOMMANDER_MUTANT(replaced_write_succeeds) || log_.TermAt(waiter.index) == waiter.term;
    if (KOMMANDER_MUTANT(replaced_write_in_silence) && !kept) continue;
    CompleteWrite(waiter, kept ? std::nullopt : std::optional(RaftErrc::ProposalDropped));
  }
}

// What the ledger has come to in this step. A wait for an entry that was replaced ends like any
// other: what is in its place is committed.
void Core::Impl::CompleteJudged() {
  if (judged_.size() != 0) {
    taken_.clear();
    judged_.TakeUpTo(handed_off_, taken_);
    for (const Waiter& waiter : taken_) {
      if (log_.TermAt(waiter.index) != waiter.term) {
        const bool is_half =
            waiter.has_first && log_.TermAt(waiter.index.Previous()) == waiter.term;
        CompleteWrite(waiter, is_half ? RaftErrc::PartlyCommitted : RaftErrc::ProposalDropped);
        continue;
      }
      const auto found =
          std::lower_bound(judgements_.begin(), judgements_.end(), waiter.index,
                           [](const auto& judged, LogIndex index) { return judged.first < index; });
      KOMMANDER_ASSERT(found != judgements_.end() && found->first == waiter.index,
                       "what is handed off was judged in the same step");
      const Judgement& judgement = found->second;
      std::optional<RaftErrc> error = judgement.error;
      if (error && waiter.has_first) error = RaftErrc::PartlyCommitted;
      CompleteWrite(waiter, error);
      Completion& completion = effects_->completions.back();
      completion.index = judgement.index;
      completion.term = judgement.term;
      completion.ticket = judgement.ticket;
      completion.count = judgement.count;
    }
  }
  judgements_.clear();
}

void Core::Impl::ExpireRequests() {
  if (now_ >= std::min(waiters_.EarliestDeadline(), judged_.EarliestDeadline())) {
    taken_.clear();
    waiters_.TakeExpired(now_, taken_);
    judged_.TakeExpired(now_, taken_);
    if (KOMMANDER_MUTANT(timeout_in_silence)) taken_.clear();
    for (const Waiter& waiter : taken_) CompleteWrite(waiter, RaftErrc::ProposalTimeout);
  }
  std::erase_if(changes_, [&](const PendingChange& change) {
    if (change.deadline > now_) return false;
    Complete(change.request, RaftErrc::ProposalTimeout);
    return true;
  });
  if (now_ >= earliest_read_deadline_) {
    earliest_read_deadline_ = kNever;
    std::erase_if(reads_, [&](const LocalRead& read) {
      if (read.deadline <= now_ && !KOMMANDER_MUTANT(read_waits_for_ever)) {
        Complete(read.request, RaftErrc::ReadTimeout);
        return true;
      }
      earliest_read_deadline_ = std::min(earliest_read_deadline_, read.deadline);
      return false;
    });
    DropUnreadBatches();
  }
  if (transfer_ && AsLeader() == nullptr && now_ >= transfer_->deadline) {
    EndTransfer(RaftErrc::TransferTimeout);
  }
}

// Stop or failed storage: nobody waits any longer.
void Core::Impl::EndAll(RaftErrc not_appended) {
  taken_.clear();
  waiters_.TakeAll(taken_);
  judged_.TakeAll(taken_);
  for (const Waiter& waiter : taken_) CompleteWrite(waiter, RaftErrc::OutcomeUnknown);
  for (const PendingChange& change : changes_) {
    Complete(change.request, RaftErrc::OutcomeUnknown);
  }
  changes_.clear();
  FailLocalReads(not_appended);
  if (transfer_) EndTransfer(not_appended);
}

void Core::Impl::EndTransfer(std::optional<RaftErrc> error) {
  const RequestId request = transfer_->request;
  transfer_.reset();
  Complete(request, error);
}

void Core::Impl::On(Transfer& input) {
  if (stopped_) return Complete(input.request, RaftErrc::NodeStopped);
  if (failed_) return Complete(input.request, failure_);
  if (AsLeader() == nullptr) return Complete(input.request, RaftErrc::NodeIsNotLeader);
  StartTransfer(input);
}

void Core::Impl::StartTransfer(const Transfer& input) {
  Leader& leader = *AsLeader();
  if (leader.transfer || transfer_) return Complete(input.request, RaftErrc::ChangeInProgress);
  if (input.target == options_.self) return Complete(input.request, std::nullopt);
  const NodeId target = input.target ? input.target : MostAdvancedVoter(leader);
  if (!target || !members_.active().IsVoter(target)) {
    return Complete(input.request, RaftErrc::UnknownNode);
  }
  Instant deadline = now_ + options_.election_timeout;
  if (KOMMANDER_MUTANT(transfer_never_ends)) deadline = kNever;
  leader.transfer = LeaderTransfer{target, deadline, false};
  transfer_ = PendingTransfer{input.request, target, deadline};
}

// Tells the target as soon as its log is complete; gives up after T.
void Core::Impl::PursueTransfer(Leader& leader) {
  if (!leader.transfer) return;
  LeaderTransfer& transfer = *leader.transfer;
  const Peer* peer = leader.Find(transfer.target);
  const bool votes = peer != nullptr && members_.active().IsVoter(transfer.target);
  if (!votes || now_ >= transfer.deadline) {
    leader.transfer.reset();
    if (transfer_) EndTransfer(votes ? RaftErrc::TransferTimeout : RaftErrc::UnknownNode);
    return;
  }
  if (transfer.asked || peer->progress.match() != log_.last()) return;
  transfer.asked = true;
  Send(transfer.target, TransferRequest{});
}

// The voter that has most and lives; none when there is no other.
NodeId Core::Impl::MostAdvancedVoter(const Leader& leader) const {
  const Peer* best = nullptr;
  for (const Peer& peer : leader.peers) {
    if (!members_.active().IsVoter(peer.id)) continue;
    if (now_ - peer.heard >= options_.election_timeout) continue;
    if (best == nullptr || peer.progress.match() > best->progress.match()) best = &peer;
  }
  return best != nullptr ? best->id : NodeId();
}

void Core::Impl::On(StepDown& input) {
  if (stopped_) return Complete(input.request, RaftErrc::NodeStopped);
  if (AsLeader() == nullptr) {
    return Complete(input.request, failed_ ? failure_ : RaftErrc::NodeIsNotLeader);
  }
  BecomeFollower(NodeId());
  // The others get a full round before this node tries again.
  DrawElectionDeadline(options_.election_timeout);
  Complete(input.request, std::nullopt);
}

}  // namespace kommander::raft
