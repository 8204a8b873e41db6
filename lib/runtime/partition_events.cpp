// What a partition makes of the events in its mailbox: inputs of the core, and the bookkeeping of
// who waits for what.
#include <utility>

#include <boost/asio/error.hpp>

#include <kommander/assert.hpp>

#include "mutants/mutants.hpp"
#include "runtime/completions.hpp"
#include "runtime/forwarding.hpp"
#include "runtime/partition_actor.hpp"

namespace kommander::runtime {
namespace asio = boost::asio;
namespace {

std::uint64_t ClockAheadMaxMs(const NodeServices& services) noexcept {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                        services.configuration.clock_ahead_max())
                                        .count());
}

// Callers that wait for one partition, wherever they stand.
constexpr std::size_t kWaitersMax = 65536;

// Reads that fail in a row before the partition is given up.
constexpr int kReadsFailedMax = 8;

// Newer terms of peers that are taken over while the disk is behind.
constexpr int kTermsWithoutRoomMax = 16;

// A pre-vote speaks of a term that nobody enters.
bool IsHypothetical(const Message& message) noexcept {
  const auto* request = std::get_if<VoteRequest>(&message.body);
  const auto* reply = std::get_if<VoteReply>(&message.body);
  return (request != nullptr && request->pre_vote) || (reply != nullptr && reply->pre_vote);
}

}  // namespace

bool PartitionActor::Accept(Waiter waiter, raft::RequestId& request) {
  const bool is_cancelled = waiter.operation->cancel_requested() != asio::cancellation_type::none;
  request = waiters_.Add(std::move(waiter));
  if (is_cancelled) {
    waiters_.Fail(request, asio::error::operation_aborted, NodeId());
    return KOMMANDER_MUTANT(cancelled_call_executed);
  }
  if (stopping_) {
    waiters_.Fail(request, RaftErrc::NodeStopped, NodeId());
    return false;
  }
  // The core bounds what waits in it; behind a slow handler, or without a leader, more may wait.
  if (waiters_.size() > kWaitersMax) {
    observer_.OnPushedBack("callers");
    waiters_.Fail(request, RaftErrc::ProposalQueueFull, announced_leader_);
    return false;
  }
  return true;
}

// For calls that are answered at once: a cancelled one has no effect, nor has one after a stop.
bool PartitionActor::IsRefused(const std::shared_ptr<detail::Operation>& operation) {
  error_code error;
  if (stopping_) error = RaftErrc::NodeStopped;
  if (operation->cancel_requested() != asio::cancellation_type::none) {
    error = asio::error::operation_aborted;
  }
  if (error) PostCompletion(operation, error);
  return static_cast<bool>(error);
}

// Why a proposal would be refused before the core sees it.
error_code PartitionActor::Admission(const ProposeEvent& event) noexcept {
  if (event.expected_generation) {
    const auto node = services_->node.lock();
    const bool is_current = node && node->GenerationOf(partition_) == event.expected_generation;
    if (!is_current) return RaftErrc::PartitionMoved;
  }
  if (services_->io->IsSaturated(partition_)) {
    observer_.OnPushedBack("queued_writes");
    return RaftErrc::ProposalQueueFull;
  }
  // Without them nothing could be removed from a full disk, or be caught up with.
  if (event.kind == EntryKind::kCheckpoint || event.kind == EntryKind::kDecision) return {};
  const bool is_full = services_->io->IsDiskFull();
  NoteDisk(*services_, is_full);
  if (is_full) return RaftErrc::DiskFull;
  // What is committed faster than handlers take it would have to be read back, ever further.
  const std::uint64_t lag_max = services_->configuration.apply_lag_max();
  const LogIndex committed = core_.Status().committed;
  const std::uint64_t lag = committed > applied_ ? LogIndex::Distance(applied_, committed) : 0;
  if (lag_max != 0 && lag > lag_max) {
    observer_.OnPushedBack("apply_lag");
    return RaftErrc::ProposalQueueFull;
  }
  return {};
}

void PartitionActor::Take(ProposeEvent& event) {
  if (event.forward && Forward(event)) return;
  Waiter waiter;
  waiter.kind = event.waits_as;
  waiter.await_apply = event.await_apply || event.is_judged;
  waiter.is_judged = event.is_judged;
  waiter.count = event.count;
  waiter.first_count = event.first_count;
  waiter.is_prepared = raft::IsPrepared(event.kind);
  waiter.deadline = event.deadline;
  // One more, of which the answer is to come: its own.
  waiter.sendings = event.sendings == 0 ? 0 : event.sendings + 1;
  waiter.operation = std::move(event.operation);
  const std::uint64_t wall_ms = services_->clock->WallMilliseconds();
  if (event.first) waiter.first_ticket = services_->hybrid_clock.Draw(wall_ms);
  waiter.ticket = services_->hybrid_clock.Draw(wall_ms);
  raft::Propose propose;
  propose.kind = event.kind;
  propose.ticket = waiter.ticket;
  propose.first_ticket = waiter.first_ticket;
  if (!Accept(std::move(waiter), propose.request)) return;
  if (const error_code refusal = Admission(event)) {
    waiters_.Fail(propose.request, refusal, announced_leader_);
    return;
  }
  propose.body = std::move(event.body);
  propose.first = std::move(event.first);
  propose.deadline = event.deadline;
  inputs_.emplace_back(std::move(propose));
}

void PartitionActor::Take(CheckpointEvent& event) {
  ProposeEvent propose;
  propose.kind = EntryKind::kCheckpoint;
  const LogIndex covered = event.covered.value_or(applied_);
  const raft::CoreStatus& status = core_.Status();
  // A leader that has just been elected does not know yet how far its log is committed.
  const bool is_early = status.role == raft::RoleKind::kLeader &&
                        covered > (status.ready ? status.committed : status.last);
  if (is_early && !stopping_) {
    return PostCompletion(std::move(event.operation), RaftErrc::InvalidArgument);
  }
  propose.body = raft::Encode(raft::CheckpointBody{covered});
  propose.operation = std::move(event.operation);
  propose.deadline = event.deadline;
  propose.expected_generation = event.expected_generation;
  propose.await_apply = event.await_apply;
  Take(propose);
}

void PartitionActor::Take(ListTicketsEvent& event) {
  if (IsRefused(event.operation)) return;
  std::vector<OpenTicket>& tickets = event.operation->result;
  for (const raft::Ledger::OpenTicket& open : core_.ledger().open_tickets()) {
    const Entry& entry = *open.entry;
    tickets.emplace_back(open.ticket, entry.index, raft::PayloadCountOf(entry), entry.SizeBytes());
  }
  PostCompletion(std::move(event.operation), {});
}

void PartitionActor::Take(ReadEvent& event) {
  Waiter waiter;
  waiter.kind = event.waits_as;
  waiter.deadline = event.deadline;
  waiter.operation = std::move(event.operation);
  raft::RequestId request;
  if (!Accept(std::move(waiter), request)) return;
  const bool leads = core_.Status().role == raft::RoleKind::kLeader;
  if (event.waits_as == Waiter::Kind::kConfirm && !leads) {
    return waiters_.FinishConfirm(request, {}, false);
  }
  inputs_.emplace_back(raft::Read{request, event.deadline});
}

void PartitionActor::Take(LeaderEvent& event) {
  Waiter waiter;
  waiter.kind = event.am_i ? Waiter::Kind::kAmILeader : Waiter::Kind::kLeader;
  waiter.deadline = event.deadline;
  waiter.stable_for = event.stable_for;
  if (event.am_i) {
    waiter.operation = std::move(event.am_i);
  } else {
    waiter.operation = std::move(event.who);
  }
  raft::RequestId request;
  if (!Accept(std::move(waiter), request)) return;
  const NodeId leader = ServingLeader();
  if (leader && event.stable_for == Duration::zero()) {
    waiters_.FinishLeader(request, {}, leader, services_->configuration.id());
  } else {
    waiters_.AwaitLeader(request);
  }
}

NodeId PartitionActor::ServingLeader() const noexcept {
  const bool serves = announced_leader_ != services_->configuration.id() || announced_ready_;
  return serves ? announced_leader_ : NodeId();
}

void PartitionActor::Take(HeartbeatsEvent& event) {
  if (IsRefused(event.operation)) return;
  inputs_.emplace_back(raft::SuspendHeartbeats{event.suspended});
  PostCompletion(std::move(event.operation), {});
}

void PartitionActor::Take(TransferEvent& event) {
  Waiter waiter;
  waiter.operation = std::move(event.operation);
  raft::RequestId request;
  if (Accept(std::move(waiter), request)) {
    inputs_.emplace_back(raft::Transfer{request, event.target});
  }
}

void PartitionActor::Take(StepDownEvent& event) {
  Waiter waiter;
  waiter.operation = std::move(event.operation);
  raft::RequestId request;
  if (Accept(std::move(waiter), request)) inputs_.emplace_back(raft::StepDown{request});
}

void PartitionActor::Take(ReconfigureEvent& event) {
  Waiter waiter;
  waiter.operation = std::move(event.operation);
  waiter.deadline = event.deadline;
  raft::RequestId request;
  if (Accept(std::move(waiter), request)) {
    inputs_.emplace_back(raft::Reconfigure{request, std::move(event.target), event.deadline});
  }
}

// Accepted by now, or answered. `total` comes too late for it; see raft_manager.hpp.
void PartitionActor::Take(CancelEvent& event) {
  const raft::RequestId request(event.operation->request);
  const Waiter* waiter = request ? waiters_.Find(request) : nullptr;
  if (waiter == nullptr || waiter->operation != event.operation) return;
  const auto type = event.operation->cancel_requested();
  if (waiter->stage == Waiter::Stage::kLeader) {
    waiters_.Fail(request, asio::error::operation_aborted, NodeId());
    return;
  }
  if ((type & (asio::cancellation_type::partial | asio::cancellation_type::terminal)) ==
      asio::cancellation_type::none) {
    return;
  }
  if (waiter->stage == Waiter::Stage::kCore) {
    inputs_.emplace_back(raft::Withdraw{request});
  } else {
    EndWait(request);
  }
}

// Its caller has cancelled, and the core has done with it.
void PartitionActor::EndWait(raft::RequestId request) {
  const bool is_write = waiters_.Find(request)->IsWrite();
  waiters_.Fail(request,
                is_write ? error_code(RaftErrc::OutcomeUnknown) : asio::error::operation_aborted,
                NodeId());
}

void PartitionActor::Take(WrittenEvent& event) {
  if (KOMMANDER_MUTANT(failed_sync_taken_for_success) || !event.error) {
    inputs_.emplace_back(raft::Persisted{event.unit});
    written_ = event.unit;
    observer_.OnUnitsWritten(written_, services_->clock->Now());
    if (install_ && written_ >= install_unit_) {
      applier_->Install(*std::exchange(install_, std::nullopt));
    }
  } else if (FailStorage()) {
    observer_.OnStorageFailed(event.error);
    if (auto node = services_->node.lock()) node->OnStoreFailed(partition_, event.error);
  }
}

void PartitionActor::Take(StoreFailedEvent&) { FailStorage(); }

void PartitionActor::Take(ReadResult& event) {
  // A full queue is no failed read, and a disk may answer the next one; damage does not mend.
  const bool is_failed = event.error && event.error != RaftErrc::ProposalQueueFull;
  reads_failed_ = is_failed ? reads_failed_ + 1 : 0;
  const bool is_lost = event.error == RaftErrc::WalCorrupted || reads_failed_ >= kReadsFailedMax;
  if (is_lost && FailStorage()) {
    if (auto node = services_->node.lock()) node->OnPartitionDamaged(partition_, event.error);
  }
  inputs_.emplace_back(raft::Fetched{event.request, event.first, std::move(event.entries)});
}

void PartitionActor::Take(AppliedEvent& event) {
  applied_ = event.index;
  waiters_.AdvanceApplied(applied_, event.refused);
  inputs_.emplace_back(raft::Applied{event.index});
}

void PartitionActor::Take(CutPoint& event) {
  if (event.is_asked) {
    if (event.image == nullptr) observer_.OnSnapshotTaken(RaftErrc::SnapshotMissing, event.index);
    // A snapshot may have been installed over it meanwhile.
    if (event.index.Next() < core_.Status().first) event.image.reset();
    Configuration configuration;
    if (event.image != nullptr) configuration = core_.ConfigurationAt(event.index);
    auto boundary = desk_.OnMark(event, std::move(configuration), services_->clock->Now());
    if (boundary) applier_->WriteSnapshot(std::move(event.image), *std::move(boundary));
    event.image.reset();
  }
  if (event.index) retention_.Add(std::move(event));
}

void PartitionActor::Take(SnapshotEvent& event) {
  const auto* taken = std::get_if<SnapshotTaken>(&event);
  const bool is_new = taken != nullptr && !taken->error;
  const LogIndex index = is_new ? taken->info.index : LogIndex();
  if (taken != nullptr) observer_.OnSnapshotTaken(taken->error, index);
  desk_.OnEvent(std::move(event), services_->clock->Now());
  if (!is_new) return;
  applier_->NoteSnapshot(index);
  ProposeOwnCheckpoint(index);
}

// What this node has in a snapshot need not stay in the log. Nobody waits for it; when it does not
// come about, the next snapshot brings another one.
void PartitionActor::ProposeOwnCheckpoint(LogIndex covered) {
  const raft::CoreStatus status = core_.Status();
  if (status.role != raft::RoleKind::kLeader || !status.ready) return;
  CheckpointEvent event;
  event.operation = detail::MakeOperation<ReplicateResult>(
      [](error_code, const ReplicateResult&) {}, services_->executor, {});
  event.covered = covered;
  event.deadline = services_->clock->Now() + services_->configuration.proposal_timeout();
  Take(event);
}

void PartitionActor::Take(PeerDownEvent& event) { LoseForwards(event.peer); }

void PartitionActor::Take(ImportedEvent& event) {
  waiters_.FailJudged(event.index);
  desk_.OnImported(event.index);
  inputs_.emplace_back(raft::KeepApplication{ApplicationRecord(event.index, LogIndex())});
}

// After the step, which has decided who leads in which term.
void PartitionActor::ProceedSnapshots() {
  const Instant now = services_->clock->Now();
  const raft::CoreStatus status = core_.Status();
  for (const Message& message : snapshot_messages_) desk_.OnMessage(message, status, now);
  snapshot_messages_.clear();
  SnapshotDesk::Orders orders;
  if (desk_.HasPeers()) core_.ReadPeers(peers_);
  desk_.Proceed(status, applied_, peers_, retention_, now, orders);
  for (Message& message : orders.messages) {
    message.partition = partition_;
    message.from = services_->configuration.id();
    message.term = status.term;
    Send(std::move(message));
  }
  for (const SnapshotDesk::Ended& ended : orders.ended) {
    observer_.OnSnapshotSent(ended.to, ended.index, ended.success);
  }
  for (const NodeId peer : orders.impossible) observer_.OnSnapshotImpossible(peer);
  if (orders.put_in_force) applier_->NoteSnapshot(*orders.put_in_force);
  if (orders.refused_here) observer_.OnSnapshotRefused();
  const bool has_inputs = !orders.inputs.empty();
  for (raft::Input& input : orders.inputs) inputs_.push_back(std::move(input));
  // For the next burst, which is due at once.
  if (has_inputs) (void)mailbox_.PushControl(TimerEvent{});
  ArmTimer();
}

void PartitionActor::Take(CheckpointedEvent& event) {
  checkpoint_ = event.index;
  if (event.floor <= retention_.floor()) return;
  retention_.RaiseFloor(event.floor);
  inputs_.emplace_back(raft::KeepApplication{ApplicationRecord(event.floor, LogIndex())});
}

void PartitionActor::Take(HoldEvent& event) {
  if (IsRefused(event.operation)) return;
  error_code error;
  if (event.first < core_.Status().first) {
    error = RaftErrc::LogCompacted;
  } else {
    event.operation->result = RetentionHold(weak_from_this(), retention_.Hold(event.first));
  }
  PostCompletion(std::move(event.operation), error);
}

void PartitionActor::Take(ReleaseEvent& event) { retention_.Release(event.hold); }
void PartitionActor::Take(KeepFromEvent&) {
  has_keep_from_.store(false);  // before it is read: a later one is told again
  retention_.KeepFrom(LogIndex(keep_from_.load()));
}

// One cut at a time; the next one waits until its unit is on disk.
void PartitionActor::ConsiderCut() {
  if (!retention_.MayCut() || cut_unit_ > written_ || storage_failed_) return;
  const RaftConfiguration& configuration = services_->configuration;
  const std::uint64_t retained = configuration.retained_entries();
  LogIndex limit(applied_.value() - std::min(applied_.value(), retained));
  if (const LogIndex open = core_.ledger().OldestOpen()) limit = std::min(limit, open.Previous());
  auto point = retention_.Take(core_.Status().first.Previous(), limit,
                               configuration.compaction_entries_max());
  if (!point) return;
  raft::Compact compact;
  compact.boundary.index = point->index;
  compact.boundary.digest = point->digest;
  compact.boundary.ledger = std::move(point->ledger);
  compact.boundary.system = std::move(point->system);
  inputs_.emplace_back(std::move(compact));
}

void PartitionActor::Take(TimerEvent&) {
  armed_ = kNever;
  inputs_.emplace_back(raft::Tick{});
}

void PartitionActor::Take(EnableEvent& event) { inputs_.emplace_back(raft::Enable{event.enabled}); }

void PartitionActor::Take(StopEvent& event) {
  stopping_ = true;
  stopped_.push_back(std::move(event.done));
}

// Entries that this node's disk has no room for are dropped before the core takes them over: the
// leader sends them again. So are newer terms, each of which is a write, once a few have come while
// there was no room: the members of a cluster do not go through many while one disk is behind, but
// one that lies could make up any number. Everything else, heartbeats above all, goes on.
bool PartitionActor::FindsNoPlace(const Message& message) noexcept {
  if (!services_->io->IsSaturated(partition_)) {
    terms_without_room_ = 0;
    return false;
  }
  const auto* append = std::get_if<AppendRequest>(&message.body);
  if (append != nullptr && !append->entries.empty()) return true;
  if (IsHypothetical(message) || message.term <= core_.Status().term) return false;
  return ++terms_without_room_ > kTermsWithoutRoomMax;
}

void PartitionActor::Take(Message& event) {
  if (FindsNoPlace(event)) {
    services_->appends_dropped.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  // The message counts, whatever its sender's clock says.
  const std::uint64_t wall_ms = services_->clock->WallMilliseconds();
  if (!services_->hybrid_clock.MergeMessage(event.stamp, wall_ms, ClockAheadMaxMs(*services_))) {
    NoteStampAhead(*services_, event, wall_ms);
  }
  if (std::holds_alternative<ForwardRequest>(event.body)) return TakeForwarded(event);
  if (const auto* reply = std::get_if<ForwardReply>(&event.body)) return TakeForwardReply(*reply);
  const bool is_of_snapshot = std::holds_alternative<SnapshotOffer>(event.body) ||
                              std::holds_alternative<SnapshotChunk>(event.body) ||
                              std::holds_alternative<SnapshotReply>(event.body);
  if (is_of_snapshot) snapshot_messages_.push_back(event);
  inputs_.emplace_back(raft::Receive{std::move(event)});
}

}  // namespace kommander::runtime
