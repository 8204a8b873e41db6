// Executes what one step of the core asks for, in the one documented order. Nothing here waits:
// what depends on a sync was held back by the core until the sync was answered.
#include <algorithm>
#include <utility>

#include <boost/asio/error.hpp>

#include <kommander/assert.hpp>
#include <kommander/detail/crash_point.hpp>

#include "mutants/mutants.hpp"
#include "runtime/partition_actor.hpp"

namespace kommander::runtime {
namespace asio = boost::asio;

void PartitionActor::ExecuteEffects() {
  observer_.OnExpired(effects_.tickets_expired, effects_.sessions_expired);
  // 1. At once: answers, and messages, a leader's appends among them: its disk works beside theirs.
  for (const raft::Completion& completion : effects_.completions) Complete(completion);
  if (storage_failed_) {
    const raft::CoreStatus core = core_.Status();
    waiters_.FailReadsBeyond(std::min(core.committed, core.durable), RaftErrc::StorageFailed);
  }
  for (Message& message : effects_.messages) Send(std::move(message));
  // 2. Hard state and entries leave as one unit.
  KOMMANDER_CRASH_POINT("effects.before_unit");
  if (effects_.write) SubmitUnit(*std::move(effects_.write));
  KOMMANDER_CRASH_POINT("effects.after_unit");
  // 3. What left memory is read back.
  SubmitFetches();
  // 4. The application gets what is committed and synced here.
  if (!effects_.apply.empty() || !effects_.marks.empty()) {
    applier_->Submit(std::exchange(effects_.apply, {}), std::exchange(effects_.marks, {}));
  }
  // 5. The world may look.
  PublishState();
  const Instant now = services_->clock->Now();
  waiters_.SettleStable(now, ServingLeader(), services_->configuration.id(), leader_since_);
  waiters_.Expire(now);
  KOMMANDER_CRASH_POINT("effects.before_replies");
  waiters_.Flush();
  KOMMANDER_CRASH_POINT("effects.after_replies");
  if (!stopping_) ArmTimer();
}

// What a node cannot take back has a crash point on either side.
void PartitionActor::Send(Message message) {
  const auto* reply = std::get_if<AppendReply>(&message.body);
  const bool is_acknowledgement = reply != nullptr && reply->accepted;
  const auto* vote = std::get_if<VoteReply>(&message.body);
  const bool is_vote = vote != nullptr && vote->granted && !vote->pre_vote;
  auto* request = std::get_if<VoteRequest>(&message.body);
  const bool is_candidacy = request != nullptr && !request->pre_vote;
  if (request != nullptr) {
    if (const auto node = services_->node.lock()) request->admits = node->RosterPinOf(message.to);
  }
  if (!KOMMANDER_MUTANT(message_without_stamp)) {
    message.stamp = services_->hybrid_clock.Now(services_->clock->WallMilliseconds());
  }
  const bool is_append = std::holds_alternative<AppendRequest>(message.body);
  if (is_acknowledgement) KOMMANDER_CRASH_POINT("send.before_acknowledgement");
  if (is_vote) KOMMANDER_CRASH_POINT("send.before_vote");
  if (is_candidacy) KOMMANDER_CRASH_POINT("send.before_vote_request");
  if (is_append) KOMMANDER_CRASH_POINT("send.before_append");
  services_->transport->Send(std::move(message));
  if (is_acknowledgement) KOMMANDER_CRASH_POINT("send.after_acknowledgement");
  if (is_vote) KOMMANDER_CRASH_POINT("send.after_vote");
  if (is_candidacy) KOMMANDER_CRASH_POINT("send.after_vote_request");
  if (is_append) KOMMANDER_CRASH_POINT("send.after_append");
}

void PartitionActor::Complete(const raft::Completion& completion) {
  Waiter* waiter = waiters_.Find(completion.request);
  KOMMANDER_ASSERT(waiter != nullptr, "the core answers only requests that wait");
  if (completion.withdrawn) {
    waiters_.Fail(completion.request, asio::error::operation_aborted, completion.leader);
    return;
  }
  const bool is_half = completion.error == RaftErrc::PartlyCommitted;
  if (!completion.error || is_half) waiter->index = completion.index;
  waiter->term = completion.term;
  if (completion.error) {
    observer_.OnRefused(completion, waiter->IsWrite());
    waiters_.Fail(completion.request, *completion.error, completion.leader);
    return;
  }
  if (completion.ticket) waiter->ticket = completion.ticket;
  if (completion.count != 0) waiter->count = completion.count;
  const bool is_write = waiter->IsWrite();
  const bool awaits_apply =
      waiter->kind == Waiter::Kind::kRead || (is_write && waiter->await_apply);
  if (!KOMMANDER_MUTANT(answered_before_applied) && awaits_apply && completion.index > applied_) {
    // A cancel that came in the same burst found the request at the core, which has just let go.
    const auto ends_waits = asio::cancellation_type::partial | asio::cancellation_type::terminal;
    if ((waiter->operation->cancel_requested() & ends_waits) != asio::cancellation_type::none) {
      return EndWait(completion.request);
    }
    waiters_.AwaitApply(completion.request, completion.index, completion.leader);
  } else if (is_write) {
    // Applied before it is answered, what is judged has missed its judgement.
    const error_code error = waiter->is_judged ? RaftErrc::OutcomeUnknown : error_code();
    waiters_.FinishWrite(completion.request, error, completion.leader);
  } else if (waiter->kind == Waiter::Kind::kConfirm) {
    waiters_.FinishConfirm(completion.request, {}, core_.Status().role == raft::RoleKind::kLeader);
  } else if (waiter->kind == Waiter::Kind::kRead) {
    waiters_.FinishRead(completion.request, {}, completion.leader);
  } else {
    waiters_.FinishPlain(completion.request, {});
  }
}

// Admission was judged before the core accepted anything; a unit that exists has to be stored.
void PartitionActor::SubmitUnit(WriteUnit unit) {
  observer_.OnUnitSubmitted(unit.unit, services_->clock->Now());
  if (unit.boundary) {
    cut_unit_ = unit.unit;
    if (!unit.drop_log) observer_.OnLogCut(unit.boundary->index);
  }
  if (unit.drop_log) {
    // The import waits until the log is this snapshot's, for good.
    const BoundaryRecord& boundary = *unit.boundary;
    install_ = SnapshotToImport{boundary.index, boundary.digest, desk_.installed_offset(),
                                boundary.system, false};
    install_unit_ = unit.unit;
    observer_.OnSnapshotReceived(core_.Status().leader, boundary.index);
    retention_.Reset(boundary.index);
  }
  if (const error_code error = services_->io->SubmitWrite(std::move(unit), shared_from_this())) {
    if (KOMMANDER_MUTANT(failed_submit_in_silence)) return;
    (void)mailbox_.PushControl(WrittenEvent{UnitId(), error});
  }
}

void PartitionActor::SubmitFetches() {
  for (const raft::Fetch& fetch : effects_.fetches) {
    ReadRequest request;
    request.partition = partition_;
    request.request = fetch.fetch;
    request.first = fetch.first;
    request.last = fetch.last;
    request.bytes_max = fetch.bytes_max;
    if (const error_code error = services_->io->SubmitRead(request, shared_from_this())) {
      ReadResult result;
      result.partition = partition_;
      result.request = fetch.fetch;
      result.first = fetch.first;
      result.error = error;
      (void)mailbox_.PushControl(std::move(result));
    }
  }
  for (const raft::SnapshotNeeded& needed : effects_.snapshots) {
    desk_.OnNeeded(needed.peer, services_->clock->Now());
  }
}

void PartitionActor::PublishState() {
  const raft::CoreStatus core = core_.Status();
  PartitionStatus status;
  switch (core.role) {
    case raft::RoleKind::kFollower: status.role = Role::kFollower; break;
    case raft::RoleKind::kPreCandidate:
    case raft::RoleKind::kCandidate: status.role = Role::kCandidate; break;
    case raft::RoleKind::kLeader: status.role = Role::kLeader; break;
    case raft::RoleKind::kLearner: status.role = Role::kLearner; break;
  }
  status.ready = core.ready;
  status.failed = core.failed || storage_failed_;
  status.leader = core.leader;
  status.term = core.term;
  status.last = core.last;
  status.durable = core.durable;
  status.committed = core.committed;
  status.first = core.first;
  status.checkpoint = checkpoint_;
  status.floor = retention_.floor();
  view_->PublishRaft(status);
  view_->meters.callers_waiting.Set(waiters_.size());
  services_->budget.Change(std::exchange(uncommitted_held_, core.uncommitted_bytes),
                           core.uncommitted_bytes);
  observer_.OnStep(core, core_.ledger());
  core_.ReadPeers(peers_);
  for (PeerStatus& peer : peers_) desk_.Describe(peer);
  peers_view_.Publish(peers_);
  // Whoever leads next draws tickets above all of its log's.
  services_->hybrid_clock.Merge(core.stamp);

  if (core.leader == announced_leader_ && core.ready == announced_ready_) return;
  const bool leader_changed = core.leader != announced_leader_;
  announced_leader_ = core.leader;
  announced_ready_ = core.ready;
  leader_since_ = services_->clock->Now();
  const NodeId self = services_->configuration.id();
  if (leader_changed) applier_->NotifyLeader(announced_leader_);
  if (leader_changed || announced_ready_) resend_due_ = true;
  if (const NodeId leader = ServingLeader()) waiters_.AnnounceLeader(leader, self);
  if (auto node = services_->node.lock()) {
    node->OnPartitionLeader(partition_, announced_leader_, announced_ready_);
  }
}

// Re-armed only when something is due earlier: a timer that fires too early steps the core for
// nothing, which is cheaper than re-arming with every message.
void PartitionActor::ArmTimer() {
  const Instant due =
      std::min({core_.NextDeadline(), waiters_.NextDeadline(), desk_.Due(), resend_at_});
  if (due >= armed_) return;
  armed_ = due;
  timer_->Arm(due);
}

bool PartitionActor::FailStorage() {
  if (std::exchange(storage_failed_, true)) return false;
  inputs_.emplace_back(raft::StorageFailure{});
  return true;
}

}  // namespace kommander::runtime
