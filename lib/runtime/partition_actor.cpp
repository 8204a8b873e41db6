#include "runtime/partition_actor.hpp"

#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <kommander/assert.hpp>

#include "mutants/mutants.hpp"

namespace kommander::runtime {
namespace asio = boost::asio;
namespace {

raft::CoreOptions OptionsOf(const NodeServices& services, PartitionId partition) {
  const RaftConfiguration& configuration = services.configuration;
  raft::CoreOptions options;
  options.partition = partition;
  options.self = configuration.id();
  options.incarnation = services.incarnation;
  options.seed = services.seed;  // the core tells partitions apart
  options.election_timeout = configuration.election_timeout();
  options.heartbeat_interval = configuration.heartbeat_interval();
  options.stall_max = configuration.stall_max();
  // Who counts for whom is told by what is committed there, and an election after a restart needs
  // it: a node must not have to hear a leader before it may elect one.
  options.writes_commits = partition == kSystemPartition;
  options.entry_bytes_max = configuration.entry_bytes_max();
  options.inflight_bytes_max = configuration.inflight_bytes_max();
  options.uncommitted_bytes_max = configuration.uncommitted_bytes_max();
  options.apply_bytes_max = configuration.apply_bytes_max();
  options.cache_bytes_max = configuration.cache_bytes_max();
  return options;
}

MailboxLimits LimitsOf(const RaftConfiguration& configuration) {
  return {configuration.queued_proposals_max(), configuration.queued_proposal_bytes_max(),
          configuration.queued_messages_max(), configuration.queued_message_bytes_max()};
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

// Vectors that a rare large burst has grown are let go, so that idle partitions stay small.
template <class T>
void ClearAndShrink(std::vector<T>& items) {
  constexpr std::size_t kKeptMax = 64;
  const bool is_large = items.size() < kKeptMax && items.capacity() > 16 * kKeptMax;
  items.clear();
  if (is_large) items.shrink_to_fit();
}

LogIndex RestoreUntil(const RecoveredPartition& recovered) {
  const LogIndex hint = std::min(recovered.commit_hint, recovered.last_index);
  return std::max(hint, recovered.boundary.index);
}

}  // namespace

PartitionActor::PartitionActor(std::shared_ptr<NodeServices> services, PartitionId partition,
                               RecoveredPartition recovered, bool may_vote)
    : services_(std::move(services)),
      partition_(partition),
      strand_(asio::make_strand(services_->executor)),
      mailbox_(strand_, LimitsOf(services_->configuration)),
      view_(std::make_shared<PartitionView>()),
      applier_(std::make_shared<Applier>(services_, partition, recovered.boundary.index,
                                         recovered.boundary.digest, RestoreUntil(recovered),
                                         view_)),
      core_(OptionsOf(*services_, partition), recovered, recovered.boundary.index,
            services_->clock->Now()),
      applied_(recovered.boundary.index) {
  inputs_.emplace_back(raft::Enable{may_vote});
  PublishState();
}

PartitionActor::~PartitionActor() = default;

void PartitionActor::Start() {
  applier_->SetSink(weak_from_this());
  timer_ = services_->clock->CreateTimer(strand_, weak_from_this());
  applier_->Start();
  (void)mailbox_.PushControl(TimerEvent{});  // the first burst arms the timer
  asio::co_spawn(strand_, Run(shared_from_this()), asio::detached);
}

void PartitionActor::Stop(std::function<void()> done) {
  Event event(StopEvent{std::move(done)});
  if (mailbox_.PushControl(std::move(event)) == Pushed::kAccepted) return;
  // Refused: it has stopped already, and the event is still ours.
  if (auto& refused = std::get<StopEvent>(event); refused.done) refused.done();
}

void PartitionActor::NotifyNodeError(error_code error, std::string text) {
  applier_->NotifyNodeError(error, std::move(text));
}

void PartitionActor::Enable() { (void)mailbox_.PushControl(EnableEvent{true}); }
void PartitionActor::FailStore() { (void)mailbox_.PushControl(StoreFailedEvent{}); }

namespace {

// Requests weigh what they carry; those without a body weigh nothing.
std::size_t WeightOf(const ProposeEvent& event) noexcept { return event.body.size(); }
template <class Event>
std::size_t WeightOf(const Event&) noexcept {
  return 0;
}
template <class Operation>
void Refuse(const Operation& operation, Pushed pushed) {
  if (!operation || KOMMANDER_MUTANT(refusal_in_silence)) return;
  PostCompletion(operation,
                 pushed == Pushed::kFull ? RaftErrc::ProposalQueueFull : RaftErrc::NodeStopped);
}
template <class Kind>
void SubmitTo(Mailbox<Event>& mailbox, Kind event) {
  const std::size_t weight = WeightOf(event);
  Event wrapped(std::move(event));
  const Pushed pushed = mailbox.PushRequest(wrapped, weight);
  if (pushed == Pushed::kAccepted) return;
  const Kind& refused = std::get<Kind>(wrapped);
  if constexpr (std::is_same_v<Kind, LeaderEvent>) {
    Refuse(refused.who, pushed);
    Refuse(refused.am_i, pushed);
  } else {
    Refuse(refused.operation, pushed);
  }
}

}  // namespace

void PartitionActor::Submit(ProposeEvent event) { SubmitTo(mailbox_, std::move(event)); }
void PartitionActor::Submit(ReadEvent event) { SubmitTo(mailbox_, std::move(event)); }
void PartitionActor::Submit(LeaderEvent event) { SubmitTo(mailbox_, std::move(event)); }
void PartitionActor::Submit(TransferEvent event) { SubmitTo(mailbox_, std::move(event)); }
void PartitionActor::Submit(StepDownEvent event) { SubmitTo(mailbox_, std::move(event)); }
void PartitionActor::Submit(ReconfigureEvent event) { SubmitTo(mailbox_, std::move(event)); }

void PartitionActor::OnWritten(PartitionId, UnitId unit, error_code error) noexcept {
  (void)mailbox_.PushControl(WrittenEvent{unit, error});
}
void PartitionActor::OnRead(ReadResult result) noexcept {
  (void)mailbox_.PushControl(std::move(result));
}
void PartitionActor::OnTimer() noexcept { (void)mailbox_.PushControl(TimerEvent{}); }
void PartitionActor::OnCancel(std::shared_ptr<detail::Operation> operation) noexcept {
  (void)mailbox_.PushControl(CancelEvent{std::move(operation)});
}
void PartitionActor::OnApplied(LogIndex index) noexcept {
  (void)mailbox_.PushControl(AppliedEvent{index});
}

asio::awaitable<void> PartitionActor::Run(std::shared_ptr<PartitionActor> self) {
  const Farewell farewell{*self};
  while (!self->stopping_) {
    co_await self->mailbox_.Wait(asio::use_awaitable);
    self->RunBurst();
  }
  self->Finish();
}

void PartitionActor::RunBurst() {
  KOMMANDER_ASSERT(RunningOnStrand(), "the core is stepped on its strand only");
  mailbox_.Take(control_, data_);
  // Control comes first, a cancel excepted: it names an operation that may still lie in the data
  // lane.
  const auto take = [this](auto& event) { Take(event); };
  for (Event& event : control_) {
    if (!std::holds_alternative<CancelEvent>(event)) std::visit(take, event);
  }
  for (Event& event : data_) std::visit(take, event);
  for (Event& event : control_) {
    if (auto* cancel = std::get_if<CancelEvent>(&event)) Take(*cancel);
  }
  if (stopping_) inputs_.emplace_back(raft::Stop{});
  core_.Step(inputs_, services_->clock->Now(), effects_);
  ExecuteEffects();
  ClearAndShrink(inputs_);
  ClearAndShrink(control_);
  ClearAndShrink(data_);
}

// The last burst has answered what the core knew of; this answers the rest and closes the door.
void PartitionActor::Finish() {
  mailbox_.Close();
  mailbox_.Take(control_, data_);
  for (std::vector<Event>* lane : {&control_, &data_}) {
    for (Event& event : *lane) {
      if (auto* stop = std::get_if<StopEvent>(&event)) {
        Take(*stop);
      } else if (!std::holds_alternative<CancelEvent>(event)) {
        std::visit(
            [this](auto& request) {
              if constexpr (requires { request.operation; } ||
                            std::is_same_v<std::decay_t<decltype(request)>, LeaderEvent>) {
                Take(request);
              }
            },
            event);
      }
    }
  }
  control_.clear();
  data_.clear();
  inputs_.clear();
  waiters_.FailAll(RaftErrc::NodeStopped);
  waiters_.Flush();
  timer_.reset();
  applier_->Stop([stopped = std::move(stopped_)] {
    for (const auto& done : stopped) {
      if (done) done();
    }
  });
}

void PartitionActor::Forget() noexcept {
  mailbox_.Close();
  mailbox_.Take(control_, data_);
  control_.clear();
  data_.clear();
  stopped_.clear();
}

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
    waiters_.Fail(request, RaftErrc::ProposalQueueFull, announced_leader_);
    return false;
  }
  return true;
}

// Why a proposal would be refused before the core sees it.
error_code PartitionActor::Admission() const noexcept {
  if (services_->io->IsDiskFull()) return RaftErrc::DiskFull;
  if (services_->io->IsSaturated(partition_)) return RaftErrc::ProposalQueueFull;
  return {};
}

void PartitionActor::Take(ProposeEvent& event) {
  Waiter waiter;
  waiter.kind = Waiter::Kind::kWrite;
  waiter.await_apply = event.await_apply;
  waiter.count = event.count;
  waiter.deadline = event.deadline;
  waiter.operation = std::move(event.operation);
  waiter.ticket = services_->hybrid_clock.Draw(services_->clock->WallMilliseconds());
  const Ticket ticket = waiter.ticket;
  raft::RequestId request;
  if (!Accept(std::move(waiter), request)) return;
  if (const error_code refusal = Admission()) {
    waiters_.Fail(request, refusal, announced_leader_);
    return;
  }
  raft::Propose propose;
  propose.request = request;
  propose.ticket = ticket;
  propose.body = std::move(event.body);
  propose.deadline = event.deadline;
  inputs_.emplace_back(std::move(propose));
}

void PartitionActor::Take(ReadEvent& event) {
  Waiter waiter;
  waiter.kind = Waiter::Kind::kRead;
  waiter.deadline = event.deadline;
  waiter.operation = std::move(event.operation);
  raft::RequestId request;
  if (Accept(std::move(waiter), request)) {
    inputs_.emplace_back(raft::Read{request, event.deadline});
  }
}

void PartitionActor::Take(LeaderEvent& event) {
  Waiter waiter;
  waiter.kind = event.am_i ? Waiter::Kind::kAmILeader : Waiter::Kind::kLeader;
  waiter.deadline = event.deadline;
  if (event.am_i) {
    waiter.operation = std::move(event.am_i);
  } else {
    waiter.operation = std::move(event.who);
  }
  raft::RequestId request;
  if (!Accept(std::move(waiter), request)) return;
  const NodeId self = services_->configuration.id();
  if (announced_leader_ && (announced_leader_ != self || announced_ready_)) {
    waiters_.FinishLeader(request, {}, announced_leader_, self);
  } else {
    waiters_.AwaitLeader(request);
  }
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
  const bool is_write = waiters_.Find(request)->kind == Waiter::Kind::kWrite;
  waiters_.Fail(request,
                is_write ? error_code(RaftErrc::OutcomeUnknown) : asio::error::operation_aborted,
                NodeId());
}

void PartitionActor::Take(WrittenEvent& event) {
  if (KOMMANDER_MUTANT(failed_sync_taken_for_success) || !event.error) {
    inputs_.emplace_back(raft::Persisted{event.unit});
  } else if (FailStorage()) {
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
  waiters_.AdvanceApplied(applied_);
  inputs_.emplace_back(raft::Applied{event.index});
}

void PartitionActor::Take(TimerEvent&) {
  armed_ = kNever;
  inputs_.emplace_back(raft::Tick{});
}

void PartitionActor::Take(SnapshotRefusedEvent& event) {
  inputs_.emplace_back(raft::SnapshotSent{event.peer, LogIndex(), false});
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
  inputs_.emplace_back(raft::Receive{std::move(event)});
}

}  // namespace kommander::runtime
