// Read index (thesis 6.4): a read waits for the commit index of a leader that proved, by a
// heartbeat round begun after the read, that it still leads. Reads share rounds.
#include <algorithm>
#include <utility>

#include "raft/core_impl.hpp"

namespace kommander::raft {

void Core::Impl::On(Read& input) {
  if (stopped_) return Complete(input.request, RaftErrc::NodeStopped);
  if (failed_) return Complete(input.request, failure_);
  if (input.deadline <= now_) return Complete(input.request, RaftErrc::ReadTimeout);
  if (RequestCount() >= options_.requests_max) {
    return Complete(input.request, RaftErrc::ProposalQueueFull);
  }
  if (!std::exchange(read_batch_open_, true)) ++read_number_;
  reads_.push_back({input.request, read_number_, input.deadline});
  earliest_read_deadline_ = std::min(earliest_read_deadline_, input.deadline);
}

// The reads of one step are one question.
void Core::Impl::CloseReadBatch() {
  if (!std::exchange(read_batch_open_, false) || reads_.empty()) return;
  if (Leader* leader = AsLeader()) {
    leader->reads.push_back({options_.self, read_number_, 0, LogIndex()});
  } else {
    read_batches_.push_back({read_number_, Instant::min()});
  }
}

void Core::Impl::OnReadIndexRequest(const Message& message, const ReadIndexRequest& request) {
  Leader* leader = AsLeader();
  if (leader == nullptr || leader->reads.size() >= options_.requests_max) {
    return Send(message.from, ReadIndexReply{request.request, false, LogIndex()});
  }
  leader->reads.push_back({message.from, request.request, 0, LogIndex()});
}

// Answers what is proved; begins one round for all that came since the last one began.
void Core::Impl::SettleReads(Leader& leader) {
  if (leader.reads.empty() || (!KOMMANDER_MUTANT(read_before_own_term) && !IsReady())) return;
  const auto confirmed_round = [&] {
    return QuorumValue(members_.active(), [&](NodeId id) {
      if (id == options_.self) return round_;
      const Peer* peer = leader.Find(id);
      return peer != nullptr ? peer->answered : 0;
    });
  };
  std::uint64_t confirmed = confirmed_round();
  if (leader.reads.back().round == 0 && leader.read_round <= confirmed) {
    if (SendHeartbeats(leader)) AssignReads(leader);
    confirmed = confirmed_round();
  }
  std::size_t done = 0;
  for (; done < leader.reads.size(); ++done) {
    const LeaderRead& read = leader.reads[done];
    const bool proved = read.round <= confirmed + (KOMMANDER_MUTANT(read_by_older_round) ? 1 : 0);
    if (!KOMMANDER_MUTANT(read_by_belief) && (read.round == 0 || !proved)) break;
    if (read.asker == options_.self) {
      CompleteReads(read.number, read.index);
      continue;
    }
    // The asker must learn of the commit, or it would wait for the next heartbeat.
    Peer* peer = leader.Find(read.asker);
    if (peer != nullptr && peer->told_commit < read.index) SendHeartbeat(*peer);
    Send(read.asker, ReadIndexReply{read.number, true, read.index});
  }
  leader.reads.erase(leader.reads.begin(),
                     leader.reads.begin() + static_cast<std::ptrdiff_t>(done));
}

// A heartbeat round has just begun: every read that came before it may rest on it.
void Core::Impl::AssignReads(Leader& leader) {
  if (!KOMMANDER_MUTANT(read_before_own_term) && !IsReady()) return;
  for (auto read = leader.reads.rbegin(); read != leader.reads.rend() && read->round == 0; ++read) {
    read->round = round_;
    read->index = committed_;
    leader.read_round = round_;
  }
}

// A node that does not lead asks the leader, again and again until it answers.
void Core::Impl::AskForReads() {
  const auto* follower = std::get_if<Follower>(&role_);
  if (read_batches_.empty() || follower == nullptr || !follower->leader) return;
  for (ReadBatch& batch : read_batches_) {
    if (batch.resend_at > now_) continue;
    batch.resend_at = now_ + 2 * options_.heartbeat_interval;
    Send(follower->leader, ReadIndexRequest{batch.number});
  }
}

void Core::Impl::OnReadIndexReply(const ReadIndexReply& reply) {
  const auto batch =
      std::find_if(read_batches_.begin(), read_batches_.end(),
                   [&](const ReadBatch& waiting) { return waiting.number == reply.request; });
  if (batch == read_batches_.end()) return;
  if (!reply.confirmed) {
    batch->resend_at = now_ + options_.heartbeat_interval;
    return;
  }
  read_batches_.erase(batch);
  CompleteReads(reply.request, reply.index);
}

void Core::Impl::CompleteReads(std::uint64_t number, LogIndex index) {
  std::erase_if(reads_, [&](const LocalRead& read) {
    if (read.number != number) return false;
    Complete(read.request, std::nullopt);
    effects_->completions.back().index = index;
    return true;
  });
  if (reads_.empty()) earliest_read_deadline_ = kNever;
}

bool Core::Impl::IsRead(std::uint64_t number) const noexcept {
  const auto at = std::lower_bound(
      reads_.begin(), reads_.end(), number,
      [](const LocalRead& read, std::uint64_t wanted) { return read.number < wanted; });
  return at != reads_.end() && at->number == number;
}

// Reads ended by themselves; what nobody waits for any more is not asked again.
void Core::Impl::DropUnreadBatches() {
  std::erase_if(read_batches_, [&](const ReadBatch& batch) { return !IsRead(batch.number); });
  if (Leader* leader = AsLeader()) {
    std::erase_if(leader->reads, [&](const LeaderRead& read) {
      return read.asker == options_.self && !IsRead(read.number);
    });
  }
}

void Core::Impl::FailLocalReads(RaftErrc error) {
  for (const LocalRead& read : reads_) Complete(read.request, error);
  reads_.clear();
  read_batches_.clear();
  earliest_read_deadline_ = kNever;
}

}  // namespace kommander::raft
