// The follower's side of replication: the consistency check, hints that skip whole terms, and
// acknowledgements that wait for the disk (thesis 3.5).
#include <algorithm>
#include <utility>

#include <kommander/assert.hpp>

#include "raft/core_impl.hpp"

namespace kommander::raft {

void Core::Impl::OnAppendRequest(const Message& message, AppendRequest& request) {
  if (AsLeader() != nullptr || !IsWellFormed(message, request) || Contradicts(request)) return;
  FollowLeader(message.from);
  if (failed_) return;
  const LogIndex previous = request.previous_index;
  // What is committed equals every later leader's log; only beyond it can they differ.
  const bool matches = KOMMANDER_MUTANT(previous_unchecked)
                           ? previous <= log_.last()
                           : log_.Matches({previous, request.previous_term});
  if (previous > committed_ && !matches) {
    return RejectAppend(message.from, previous, request.previous_term);
  }
  const LogIndex last_sent = previous + request.entries.size();
  AcceptEntries(request);
  if (KOMMANDER_MUTANT(append_cuts_the_rest)) TruncateLog(last_sent.Next());
  matched_ = std::max({matched_, last_sent, committed_});
  const LogIndex known = KOMMANDER_MUTANT(commit_beyond_message) ? log_.last() : last_sent;
  committed_ = std::max(committed_, std::min(request.commit, known));
  ack_owed_ = true;
}

// Bytes from elsewhere: what no leader sends is ignored, not trusted.
bool Core::Impl::IsWellFormed(const Message& message, const AppendRequest& request) const {
  LogIndex index = request.previous_index;
  Term term = request.previous_term;
  for (const Entry& entry : request.entries) {
    index = index.Next();
    if (entry.index != index || !entry.term || entry.term < term) return false;
    term = entry.term;
    if (entry.kind != EntryKind::kConfiguration) continue;
    const auto configuration = DecodeConfiguration(entry.body.bytes());
    if (!configuration || configuration->voters.empty()) return false;
  }
  return term <= message.term;
}

// Whether the request denies what this node knows of every later leader's log, committed entries,
// or of this term's, entries that it was given in this term. No leader does.
bool Core::Impl::Contradicts(const AppendRequest& request) const {
  if (KOMMANDER_MUTANT(committed_entry_rolled_back)) return false;
  const LogIndex known = std::max(committed_, matched_);
  const auto denies = [&](LogIndex index, Term term) {
    return index <= known && index >= log_.boundary().index && log_.TermAt(index) != term;
  };
  if (denies(request.previous_index, request.previous_term)) return true;
  for (const Entry& entry : request.entries) {
    if (entry.index > known) break;
    if (denies(entry.index, entry.term)) return true;
  }
  return false;
}

void Core::Impl::RejectAppend(NodeId to, LogIndex previous, Term previous_term) {
  const Log::Position limit = log_.AgreementLimit({previous, previous_term});
  AppendReply reply;
  reply.rejected = previous;
  reply.hint_index = limit.index;
  reply.hint_term = limit.term;
  Send(to, reply);
}

// Takes what is new; what is here already, perhaps from an earlier copy of the message, stays as it
// is and is not written again.
void Core::Impl::AcceptEntries(AppendRequest& request) {
  for (Entry& entry : request.entries) {
    if (!KOMMANDER_MUTANT(committed_entry_rolled_back) && entry.index <= committed_) continue;
    if (entry.index <= log_.last()) {
      const bool same = log_.TermAt(entry.index) == entry.term;
      if (same && !KOMMANDER_MUTANT(matching_entry_truncated)) continue;
      TruncateLog(entry.index);
    }
    if (entry.kind == EntryKind::kConfiguration) {
      members_.Append(entry.index, *DecodeConfiguration(entry.body.bytes()));
    }
    stamp_ = std::max(stamp_, entry.ticket);
    log_.Append(std::move(entry));
  }
}

void Core::Impl::TruncateLog(LogIndex from) {
  KOMMANDER_ASSERT(from > committed_, "committed entries stay");
  KOMMANDER_ASSERT(from > matched_, "what the leader's log holds stays");
  if (from <= written_to_) {
    truncate_from_ = from;  // below any earlier one of this step, since the log ended there
    written_to_ = from.Previous();
  }
  units_.Truncate(from);
  log_.TruncateFrom(from);
  members_.TruncateFrom(from);
}

void Core::Impl::OnHeartbeat(const Message& message, const Heartbeat& heartbeat) {
  if (AsLeader() != nullptr) return;
  FollowLeader(message.from);
  if (failed_) return;
  // The leader speaks only of what this node has acknowledged to it.
  committed_ = std::max(committed_, std::min(heartbeat.commit, log_.last()));
  Send(message.from, HeartbeatReply{heartbeat.round, units_.durable()});
}

// An acknowledgement promises that the entries and the term they were accepted in survive a crash.
// One is sent when all that was accepted is synced; while more is on its way, whenever a part is.
void Core::Impl::SendAck() {
  const auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || !follower->leader || failed_) return;
  if (!KOMMANDER_MUTANT(ack_before_term_synced) && units_.answered() < hard_state_unit_) return;
  const LogIndex durable = KOMMANDER_MUTANT(ack_before_sync) ? matched_ : units_.durable();
  const LogIndex synced = std::min(matched_, durable);
  const bool complete = ack_owed_ && synced == matched_;
  if (!complete && synced <= acked_) return;
  if (complete) ack_owed_ = false;
  acked_ = std::max(acked_, synced);
  AppendReply reply;
  reply.accepted = true;
  reply.matched = synced;
  Send(follower->leader, reply);
}

}  // namespace kommander::raft
