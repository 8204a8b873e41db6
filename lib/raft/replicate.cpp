// The leader's side of replication: appends ahead of answers, heartbeats on a common grid, and the
// one rule of commit (thesis 3.5, 3.6, 10.2.1).
#include <algorithm>
#include <utility>

#include <kommander/assert.hpp>

#include "raft/core_impl.hpp"

namespace kommander::raft {

void Core::Impl::AppendEntry(EntryKind kind, Ticket ticket, Payload body) {
  constexpr std::size_t kMarkBytes = 64u << 10;
  Entry entry(term_, log_.last().Next(), kind, ticket, std::move(body));
  const std::size_t bytes = entry.SizeBytes();
  quota_bytes_ += bytes;
  if (!quota_.empty() && quota_.back().bytes + bytes <= kMarkBytes) {
    quota_.back().last = entry.index;
    quota_.back().bytes += bytes;
  } else {
    quota_.push_back({entry.index, bytes});
  }
  stamp_ = std::max(stamp_, entry.ticket);
  if (IsPrepared(kind)) {
    Leader& leader = *AsLeader();
    ++leader.prepared_count;
    leader.prepared_bytes += bytes;
  }
  log_.Append(std::move(entry));
}

// Everything that only a leader waits for.
void Core::Impl::OnLeaderReply(const Message& message) {
  Leader* leader = AsLeader();
  Peer* peer = leader != nullptr ? leader->Find(message.from) : nullptr;
  if (peer == nullptr) return;
  peer->heard = now_;
  if (const auto* append = std::get_if<AppendReply>(&message.body)) {
    OnAppendReply(*peer, *append);
  } else if (const auto* heartbeat = std::get_if<HeartbeatReply>(&message.body)) {
    OnHeartbeatReply(*peer, *heartbeat);
  }
}

void Core::Impl::OnAppendReply(Peer& peer, const AppendReply& reply) {
  Progress& progress = peer.progress;
  if (reply.accepted) {
    if (reply.matched > log_.last()) return;  // no log of this term holds that
    progress.Accepted(reply.matched, Moment());
    const bool reachable = progress.match() >= log_.boundary().index;
    if (progress.state() == Progress::State::kSnapshot && reachable) {
      progress.SnapshotArrived(progress.match(), Moment());
    }
    return;
  }
  // Below the boundary nothing is known of terms: the guess alone shows that a snapshot is needed.
  const LogIndex guess = reply.hint_index < log_.boundary().index
                             ? reply.hint_index
                             : log_.AgreementLimit({reply.hint_index, reply.hint_term}).index;
  progress.Rejected(reply.rejected, guess, Moment());
}

void Core::Impl::OnHeartbeatReply(Peer& peer, const HeartbeatReply& reply) {
  if (reply.round > round_) return;
  peer.answered = std::max(peer.answered, reply.round);
  peer.progress.HeartbeatAnswered(reply.round, options_.heartbeat_interval, Moment());
}

bool Core::Impl::IsReady() const noexcept {
  const Leader* leader = AsLeader();
  return leader != nullptr && committed_ >= leader->term_start;
}

// Only entries of the leader's own term are committed by counting; older ones come along (thesis
// 3.6.2). Its own disk counts like any other.
void Core::Impl::AdvanceCommit() {
  const Leader& leader = *AsLeader();
  const Configuration& counted = KOMMANDER_MUTANT(configuration_in_force_at_commit)
                                     ? members_.At(committed_)
                                     : members_.active();
  const LogIndex index(QuorumValue(counted, [&](NodeId id) {
    const bool own = id == options_.self || (KOMMANDER_MUTANT(removed_leader_counts_itself) &&
                                             !IsActiveVoter() && id == counted.voters.front());
    if (KOMMANDER_MUTANT(own_disk_counts_unsynced) && own) return log_.last().value();
    if (own) return units_.durable().value();
    const Peer* peer = leader.Find(id);
    return peer != nullptr ? peer->progress.match().value() : 0;
  }));
  const bool own_term = KOMMANDER_MUTANT(older_term_counted) || log_.TermAt(index) == term_;
  if (index > committed_ && own_term) committed_ = index;
}

void Core::Impl::SendAppends(Leader& leader) {
  for (Peer& peer : leader.peers) {
    while (SendOneAppend(peer)) {
    }
  }
}

// True: there may be more to send.
bool Core::Impl::SendOneAppend(Peer& peer) {
  Progress& progress = peer.progress;
  if (!progress.MaySend({options_.inflight_bytes_max, options_.inflight_messages_max})) {
    return false;
  }
  const LogIndex next = progress.next();
  const LogIndex previous = next.Previous();
  if (previous < log_.boundary().index) {
    progress.NeedsSnapshot(Moment());
    effects_->snapshots.push_back({peer.id});
    return false;
  }
  const bool replicating = progress.state() == Progress::State::kReplicate;
  if (next > log_.last() && replicating) return false;
  AppendRequest request{previous, log_.TermAt(previous), committed_, {}};
  const std::size_t bytes = CollectForPeer(peer, request.entries);
  if (request.entries.empty() && replicating) {
    WantFetch(next, log_.last(), options_.append_bytes_max, options_.fetches_max);
    return false;
  }
  const LogIndex last = previous + request.entries.size();
  peer.told_commit = std::max(peer.told_commit, std::min(committed_, last));
  progress.Sent(last, bytes, Moment());
  Send(peer.id, std::move(request));
  return replicating;
}

// What is in memory from the peer's next entry on, within one message and the window.
std::size_t Core::Impl::CollectForPeer(const Peer& peer, std::vector<Entry>& entries) const {
  const LogIndex next = peer.progress.next();
  const std::uint64_t available = LogIndex::Distance(next, log_.last().Next());
  const std::size_t count_max = std::min<std::size_t>(available, options_.append_entries_max);
  const std::size_t room = options_.inflight_bytes_max -
                           std::min(options_.inflight_bytes_max, peer.progress.inflight_bytes());
  const std::size_t bytes_max = std::min(options_.append_bytes_max, room);
  std::size_t bytes = 0;
  std::size_t count = 0;
  for (; count < count_max; ++count) {
    const Entry* entry = FindEntry(next + count);
    if (entry == nullptr) break;
    if (count > 0 && bytes + entry->SizeBytes() > bytes_max) break;
    bytes += entry->SizeBytes();
  }
  entries.reserve(count);
  for (std::size_t i = 0; i < count; ++i) entries.push_back(*FindEntry(next + i));
  return bytes;
}

// The grid is the same for every partition of a node, so their heartbeats leave together.
Instant Core::Impl::NextHeartbeat() const noexcept {
  const Duration interval = options_.heartbeat_interval;
  const Duration since = now_.time_since_epoch() % interval;
  return now_ - since + interval;
}

bool Core::Impl::SendHeartbeats(Leader& leader) {
  if (heartbeats_suspended_) return false;
  ++round_;
  for (Peer& peer : leader.peers) SendHeartbeat(peer);
  return true;
}

void Core::Impl::SendHeartbeat(Peer& peer) {
  LogIndex commit = std::min(committed_, peer.progress.match());
  if (KOMMANDER_MUTANT(heartbeat_commit_beyond_match)) commit = committed_;
  if (KOMMANDER_MUTANT(heartbeat_without_commit)) commit = LogIndex();
  peer.told_commit = std::max(peer.told_commit, commit);
  Send(peer.id, Heartbeat{commit, round_});
}

void Core::Impl::OnHeartbeatDue(Leader& leader) {
  leader.heartbeat_due = NextHeartbeat();
  const bool has_quorum = KOMMANDER_MUTANT(check_quorum_off) || HasQuorumContact(leader);
  if (!has_quorum || OthersOutrunDisk(leader)) return BecomeFollower(NodeId());
  if (leader.transfer) leader.transfer->asked = false;
  for (Peer& peer : leader.peers) {
    if (now_ - peer.heard >= options_.election_timeout) peer.progress.Silent(Moment());
  }
  if (SendHeartbeats(leader)) AssignReads(leader);
}

// Check-quorum (thesis 6.2): a leader that a quorum has not answered for T is no use to clients.
bool Core::Impl::HasQuorumContact(const Leader& leader) const {
  return QuorumValue(members_.active(), [&](NodeId id) -> std::uint64_t {
           if (id == options_.self) return 1;
           const Peer* peer = leader.Find(id);
           return peer != nullptr && now_ - peer->heard < options_.election_timeout ? 1 : 0;
         }) == 1;
}

// A leader whose disk hangs while the others' go on should let one of them lead.
bool Core::Impl::OthersOutrunDisk(const Leader& leader) const {
  if (KOMMANDER_MUTANT(stalled_leader_stays) || !IsStalled()) return false;
  const LogIndex others(QuorumValue(members_.active(), [&](NodeId id) {
    const Peer* peer = leader.Find(id);
    return peer != nullptr ? peer->progress.match().value() : 0;
  }));
  return others > units_.durable();
}

}  // namespace kommander::raft
