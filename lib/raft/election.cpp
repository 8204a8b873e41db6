// Terms, votes and roles: pre-vote (thesis 9.6), elections (3.4), stickiness (4.2.3), transfer
// targets (3.10).
#include <algorithm>
#include <optional>
#include <utility>

#include <kommander/assert.hpp>

#include "raft/core_impl.hpp"

namespace kommander::raft {
namespace {

// Requests deserve an answer even when they come from an older term: it carries the newer one.
std::optional<MessageBody> AnswerToOldTerm(const MessageBody& body, LogIndex durable) {
  if (const auto* vote = std::get_if<VoteRequest>(&body)) return VoteReply{vote->pre_vote, false};
  if (const auto* append = std::get_if<AppendRequest>(&body)) {
    AppendReply reply;
    reply.rejected = append->previous_index;
    return reply;
  }
  if ([[maybe_unused]] const auto* heartbeat = std::get_if<Heartbeat>(&body)) {
    // The sender may lead again by now, in a later life that counts its rounds anew: an answer to
    // what it sent before must not confirm one of them.
    return HeartbeatReply{KOMMANDER_MUTANT(old_round_answered) ? heartbeat->round : 0, durable};
  }
  if (const auto* read = std::get_if<ReadIndexRequest>(&body)) {
    return ReadIndexReply{read->request, false, LogIndex()};
  }
  if (const auto* offer = std::get_if<SnapshotOffer>(&body)) {
    return SnapshotReply{offer->info.index, 0, SnapshotReply::State::kRefused};
  }
  return std::nullopt;
}

}  // namespace

void Core::Impl::Dispatch(Message& message) {
  // In term 0 there is nothing to say but that a pre-vote is refused.
  const bool no_term = !message.term && !std::holds_alternative<VoteReply>(message.body);
  if (no_term || message.term > kTermMax) return;
  const bool heard_leader = HearsLeader();
  const auto* request = std::get_if<VoteRequest>(&message.body);
  const auto* vote = std::get_if<VoteReply>(&message.body);
  // A pre-vote speaks about a term that nobody is in yet.
  const bool hypothetical = (request != nullptr && request->pre_vote) ||
                            (vote != nullptr && vote->pre_vote && vote->granted);
  if (request != nullptr) HearAdmission(message, *request, heard_leader);
  if (!hypothetical) {
    if (message.term > term_) AdoptTerm(message.term);
    const bool heeded =
        (KOMMANDER_MUTANT(old_vote_counted) && vote != nullptr) ||
        (KOMMANDER_MUTANT(old_append_taken) && std::holds_alternative<AppendRequest>(message.body));
    if (message.term < term_ && !heeded) {
      if (auto answer = AnswerToOldTerm(message.body, units_.durable())) {
        Send(message.from, *std::move(answer));
      }
      return;
    }
  }
  if (request != nullptr) return OnVoteRequest(message, *request, heard_leader);
  if (vote != nullptr) return OnVoteReply(message, *vote);
  if (auto* append = std::get_if<AppendRequest>(&message.body)) {
    return OnAppendRequest(message, *append);
  }
  if (const auto* heartbeat = std::get_if<Heartbeat>(&message.body)) {
    return OnHeartbeat(message, *heartbeat);
  }
  if (const auto* read = std::get_if<ReadIndexRequest>(&message.body)) {
    return OnReadIndexRequest(message, *read);
  }
  if (const auto* read = std::get_if<ReadIndexReply>(&message.body)) return OnReadIndexReply(*read);
  if (std::holds_alternative<TransferRequest>(message.body)) return OnTransferRequest(message);
  const bool is_of_snapshot = std::holds_alternative<SnapshotOffer>(message.body) ||
                              std::holds_alternative<SnapshotChunk>(message.body);
  if (is_of_snapshot) {
    // The bytes are the runtime's; here it only counts who leads.
    if (AsLeader() == nullptr) FollowLeader(message.from);
    return;
  }
  OnLeaderReply(message);
}

// Whether the candidate's roster has this very disk.
bool Core::Impl::Admits(const VoteRequest& request) const noexcept {
  if (KOMMANDER_MUTANT(admitted_under_any_disk)) return static_cast<bool>(request.admits);
  return request.admits && request.admits == options_.incarnation;
}

// Who is admitted may campaign, from the candidate's term on. An earlier disk of this node may have
// voted in later terms too: for candidates without the entry that took this one up, who cannot win
// any more, as a majority that never counted this node has that entry. Not while a leader is heard,
// who will tell.
void Core::Impl::HearAdmission(const Message& message, const VoteRequest& request,
                               bool heard_leader) {
  if (enabled_ || admitted_ || !Admits(request)) return;
  if (heard_leader && !request.transfer) return;
  const Term candidates(message.term.value() - (request.pre_vote ? 1 : 0));
  if (candidates > term_) AdoptTerm(candidates);
  admitted_ = true;
}

// Remembered on disk with this step's unit, before anything of the term is promised. What was
// promised in an earlier one and waits for the disk is worth nothing any more.
void Core::Impl::EnterTerm(Term term, NodeId vote) {
  term_ = term;
  vote_ = vote;
  hard_state_dirty_ = true;
  step_deferred_.clear();
  deferred_.clear();
  matched_ = acked_ = LogIndex();
  ack_owed_ = false;
}

// Somebody is in a newer term.
void Core::Impl::AdoptTerm(Term term) {
  const bool was_follower = std::holds_alternative<Follower>(role_);
  const Instant deadline = election_deadline_;
  EnterTerm(term, NodeId());
  BecomeFollower(NodeId());
  // A candidate that cannot win must not keep others from trying.
  if (was_follower) election_deadline_ = deadline;
}

void Core::Impl::BecomeFollower(NodeId leader) {
  Role before = std::exchange(role_, Follower{leader, now_});
  DrawElectionDeadline();
  if (KOMMANDER_MUTANT(step_down_clears_vote)) vote_ = NodeId();
  if (const auto* led = std::get_if<Leader>(&before)) LeaveLeadership(*led);
}

// `leader` was heard in this term.
void Core::Impl::FollowLeader(NodeId leader) {
  auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr) {
    BecomeFollower(NodeId());
    follower = std::get_if<Follower>(&role_);
  }
  if (follower->leader != leader) {
    follower->leader = leader;
    for (ReadBatch& batch : read_batches_) batch.resend_at = Instant::min();
    if (transfer_) {
      const bool reached = transfer_->target == leader;
      EndTransfer(reached ? std::nullopt : std::optional(RaftErrc::NodeIsNotLeader));
    }
  }
  follower->contact = now_;
  DrawElectionDeadline();
}

void Core::Impl::LeaveLeadership(const Leader& leader) {
  waiters_.Orphan();
  judged_.Orphan();
  quota_.clear();
  quota_.Shrink(0);
  quota_bytes_ = 0;
  for (const LeaderRead& read : leader.reads) {
    if (read.asker == options_.self) continue;
    Send(read.asker, ReadIndexReply{read.number, false, LogIndex()});
  }
  FailLocalReads(RaftErrc::NodeIsNotLeader);
}

void Core::Impl::DrawElectionDeadline(Duration extra) {
  const auto timeout = static_cast<std::uint64_t>(options_.election_timeout.count());
  const auto drawn = static_cast<Duration::rep>(timeout + random_.Below(timeout));
  election_deadline_ = now_ + Duration(drawn) + extra;
}

// Without a word of its own a node votes for who admits it and nobody else: others may not know of
// the cluster that it belongs to.
bool Core::Impl::MayVote(const VoteRequest& request) const noexcept {
  return (enabled_ || Admits(request)) && !failed_;
}

// A node that its newest configuration leaves out is still needed until that one is committed: it
// may be the only one with a log that the others' votes go to (thesis 4.2.2).
bool Core::Impl::MayCampaign() const noexcept {
  return (enabled_ || admitted_) && !failed_ && !IsStalled() && term_ < kTermMax &&
         (KOMMANDER_MUTANT(learner_campaigns) || members_.MayLead(options_.self, committed_));
}

// Whether this node has reason to believe that a leader lives.
bool Core::Impl::HearsLeader() const noexcept {
  if (AsLeader() != nullptr) return true;
  const auto* follower = std::get_if<Follower>(&role_);
  return follower != nullptr && follower->leader &&
         now_ - follower->contact < options_.election_timeout;
}

NodeId Core::Impl::LeaderHint() const noexcept {
  if (const Leader* leader = AsLeader()) {
    return leader->transfer ? leader->transfer->target : options_.self;
  }
  const auto* follower = std::get_if<Follower>(&role_);
  return follower != nullptr ? follower->leader : NodeId();
}

void Core::Impl::OnElectionDeadline() {
  if (MayCampaign()) return StartPreVote();
  BecomeFollower(NodeId());
}

void Core::Impl::StartPreVote() {
  role_ = Candidate{};
  DrawElectionDeadline();
  AskForVotes(true, false);
  CountVote(options_.self, true);
}

void Core::Impl::StartCampaign(bool transfer) {
  EnterTerm(term_.Next(), options_.self);
  Candidate candidate;
  candidate.pre_vote = false;
  candidate.transfer = transfer;
  role_ = std::move(candidate);
  DrawElectionDeadline();
  AskForVotes(false, transfer);
  if (KOMMANDER_MUTANT(own_vote_before_sync)) return CountVote(options_.self, true);
  // Its own vote counts once it is synced, like everybody's.
  Defer(options_.self, VoteReply{false, true});
}

void Core::Impl::AskForVotes(bool pre_vote, bool transfer) {
  const VoteRequest request{log_.last(), log_.last_term(), pre_vote, transfer};
  const Configuration& active = members_.active();
  const auto ask = [&](NodeId voter) {
    if (voter == options_.self) return;
    if (pre_vote) return SendAs(term_.Next(), voter, request);
    if (KOMMANDER_MUTANT(vote_request_before_sync)) return Send(voter, request);
    Defer(voter, request);
  };
  for (const NodeId voter : active.voters) ask(voter);
  for (const NodeId voter : active.outgoing_voters) {
    if (!std::binary_search(active.voters.begin(), active.voters.end(), voter)) ask(voter);
  }
}

// Members of this node's configuration or not, voters or learners: a candidate's configuration may
// be newer than this node's, so who may vote is the candidate's to know.
void Core::Impl::OnVoteRequest(const Message& message, const VoteRequest& request,
                               bool heard_leader) {
  const bool covered = KOMMANDER_MUTANT(vote_without_log_check) ||
                       log_.IsCoveredBy({request.last_index, request.last_term});
  const bool sticky = !KOMMANDER_MUTANT(stickiness_off) && heard_leader && !request.transfer;
  if (request.pre_vote) {
    const bool shorter = KOMMANDER_MUTANT(pre_vote_by_length) && request.last_index < log_.last();
    const bool granted =
        MayVote(request) && !IsStalled() && !sticky && covered && !shorter && message.term > term_;
    const Term own = KOMMANDER_MUTANT(pre_vote_refused_without_term) ? Term() : term_;
    return SendAs(granted ? message.term : own, message.from, VoteReply{true, granted});
  }
  const auto* follower = std::get_if<Follower>(&role_);
  const bool undecided =
      (KOMMANDER_MUTANT(vote_twice) || !vote_) && follower != nullptr && !follower->leader;
  const bool granted =
      MayVote(request) && covered && !sticky && (undecided || vote_ == message.from);
  const bool votes = !KOMMANDER_MUTANT(learner_refuses_to_vote) || IsActiveVoter();
  if (!granted || !votes) return Send(message.from, VoteReply{false, false});
  if (vote_ != message.from) {
    vote_ = message.from;
    hard_state_dirty_ = true;
  }
  DrawElectionDeadline();
  if (KOMMANDER_MUTANT(vote_before_sync)) return Send(message.from, VoteReply{false, true});
  Defer(message.from, VoteReply{false, true});
}

void Core::Impl::OnVoteReply(const Message& message, const VoteReply& reply) {
  const auto* candidate = std::get_if<Candidate>(&role_);
  if (candidate == nullptr || candidate->pre_vote != reply.pre_vote) return;
  if (reply.pre_vote && reply.granted && message.term != term_.Next()) return;
  CountVote(message.from, reply.granted);
}

void Core::Impl::CountVote(NodeId voter, bool granted) {
  auto& candidate = std::get<Candidate>(role_);
  const auto has = [voter](const std::vector<NodeId>& list) {
    return std::find(list.begin(), list.end(), voter) != list.end();
  };
  if (has(candidate.granted) || has(candidate.refused)) return;
  (granted ? candidate.granted : candidate.refused).push_back(voter);
  const VoteResult result = QuorumVote(members_.active(), [&](NodeId id) {
    const auto is = [id](NodeId other) { return other == id; };
    if (std::any_of(candidate.granted.begin(), candidate.granted.end(), is)) return Vote::kGranted;
    if (std::any_of(candidate.refused.begin(), candidate.refused.end(), is)) return Vote::kRefused;
    return Vote::kNone;
  });
  if (result == VoteResult::kPending) return;
  if (result == VoteResult::kLost) {
    role_ = Follower{NodeId(), now_};
    if (KOMMANDER_MUTANT(lost_election_clears_vote)) vote_ = NodeId();
  } else if (candidate.pre_vote) {
    if (MayCampaign()) StartCampaign(false);
  } else {
    BecomeLeader();
  }
}

void Core::Impl::OnTransferRequest(const Message& message) {
  const auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || follower->leader != message.from || !MayCampaign()) return;
  StartCampaign(true);
}

void Core::Impl::BecomeLeader() {
  KOMMANDER_ASSERT(vote_ == options_.self, "a leader voted for itself");
  role_ = Leader();
  Leader& leader = *AsLeader();
  leader.heartbeat_due = NextHeartbeat();
  ConfigurationChanged();
  LogIndex unsafe = std::max(SafeIndex(), log_.cache_first().Previous());
  ByteMark inherited{log_.last(), 0};
  while (unsafe < log_.last()) {
    unsafe = unsafe.Next();
    if (const Entry* entry = log_.Find(unsafe)) inherited.bytes += entry->SizeBytes();
  }
  if (KOMMANDER_MUTANT(leader_reuses_indexes)) TruncateLog(committed_.Next());
  quota_bytes_ = inherited.bytes;
  quota_.push_back(inherited);
  AppendEntry(EntryKind::kNoop, Ticket(), Payload());
  leader.term_start = log_.last();
  BeginWatches(leader);
  for (const ReadBatch& batch : read_batches_) {
    leader.reads.push_back({options_.self, batch.number, 0, LogIndex()});
  }
  read_batches_.clear();
  if (transfer_) EndTransfer(RaftErrc::TransferTimeout);
}

}  // namespace kommander::raft
