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

// A time of 0 in the configuration stands for no limit.
Duration LimitOf(Duration configured) noexcept {
  return configured == Duration::zero() ? raft::kUnlimited : configured;
}

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
  options.ticket_timeout = LimitOf(configuration.ticket_timeout());
  options.session_timeout = LimitOf(configuration.session_timeout());
  options.entry_bytes_max = configuration.entry_bytes_max();
  options.inflight_bytes_max = configuration.inflight_bytes_max();
  options.uncommitted_bytes_max = configuration.uncommitted_bytes_max();
  options.apply_bytes_max = configuration.apply_bytes_max();
  options.cache_bytes_max = configuration.cache_bytes_max();
  options.mark_entries = configuration.compaction_step();
  return options;
}

MailboxLimits LimitsOf(const RaftConfiguration& configuration) {
  return {configuration.queued_proposals_max(), configuration.queued_proposal_bytes_max(),
          configuration.queued_messages_max(), configuration.queued_message_bytes_max()};
}

// Vectors that a rare large burst has grown are let go, so that idle partitions stay small.
template <class T>
void ClearAndShrink(std::vector<T>& items) {
  constexpr std::size_t kKeptMax = 64;
  const bool is_large = items.size() < kKeptMax && items.capacity() > 16 * kKeptMax;
  items.clear();
  if (is_large) items.shrink_to_fit();
}

Term TermAt(const RecoveredPartition& recovered, LogIndex index) noexcept {
  if (index == recovered.boundary.index) return recovered.boundary.term;
  Term term;
  for (const TermRun& run : recovered.terms) {
    if (run.first <= index && index <= recovered.last_index) term = run.term;
  }
  return term;
}

// The newest one that the log has, or goes on from. One that was received and never came into the
// log is of no use.
const StoredSnapshot* FindInForce(const RecoveredPartition& recovered,
                                  const std::vector<StoredSnapshot>& snapshots) noexcept {
  const StoredSnapshot* found = nullptr;
  for (const StoredSnapshot& stored : snapshots) {
    if (TermAt(recovered, stored.info.index) == stored.info.term) found = &stored;
  }
  return found;
}

// What the application's state begins with: the snapshot whose import a crash interrupted, or the
// one in force, unless the application has its state by itself.
std::optional<SnapshotToImport> ImportAtStart(const NodeServices& services,
                                              std::optional<LogIndex> own,
                                              const RecoveredPartition& recovered,
                                              const StoredSnapshot* snapshot) {
  if (snapshot == nullptr || services.state_machine == nullptr) return std::nullopt;
  const LogIndex index = snapshot->info.index;
  const LogIndex pending = recovered.application.import_pending;
  const bool is_interrupted = pending && index >= pending;
  if (!is_interrupted && own && *own >= recovered.boundary.index) return std::nullopt;
  return SnapshotToImport{index, snapshot->boundary.digest, snapshot->offset,
                          snapshot->boundary.system, true};
}

// What the application has by itself, as it says now, where it can be asked.
std::optional<LogIndex> AskOwn(NodeServices& services, PartitionId partition) noexcept {
  if (services.handlers.durable_index) return AskDurableIndex(services, partition);
  if (services.state_machine != nullptr) return AskAppliedIndex(services, partition);
  return std::nullopt;
}

// None: nothing is there, or, of handlers that are not asked, what they promised at their last
// checkpoint here.
LogIndex KeptByApplication(const NodeServices& services, std::optional<LogIndex> own,
                           const RecoveredPartition& recovered) {
  const bool is_asked = services.handlers.durable_index || services.state_machine != nullptr;
  return is_asked ? own.value_or(LogIndex()) : recovered.application.floor;
}

// Delivery begins after it.
LogIndex DeliveredUntil(LogIndex kept, const RecoveredPartition& recovered,
                        const std::optional<SnapshotToImport>& import) {
  const LogIndex begin = recovered.boundary.index;
  return std::clamp(import ? import->index : kept, begin, std::max(recovered.last_index, begin));
}

LogIndex RestoreUntil(const RecoveredPartition& recovered, LogIndex delivered_until) {
  const LogIndex hint = std::min(recovered.commit_hint, recovered.last_index);
  return std::max({hint, recovered.boundary.index, delivered_until});
}

}  // namespace

// What a partition begins with, made of what its disk has.
struct PartitionActor::Beginning {
  Beginning(NodeServices& services, PartitionId partition, const RecoveredPartition& recovered,
            const std::vector<StoredSnapshot>& snapshots) {
    const StoredSnapshot* snapshot = FindInForce(recovered, snapshots);
    const std::optional<LogIndex> own = AskOwn(services, partition);
    import = ImportAtStart(services, own, recovered, snapshot);
    const LogIndex kept = KeptByApplication(services, own, recovered);
    delivered_until = DeliveredUntil(kept, recovered, import);
    restore_until = RestoreUntil(recovered, delivered_until);
    if (snapshot != nullptr) stored.in_force = snapshot->info;
    for (const StoredSnapshot& other : snapshots) {
      if (&other != snapshot) stored.others.push_back(other.info.index);
    }
    stored.is_importing = import.has_value();
    stored.delivered_until = delivered_until;
    // The log begins after entries that neither a snapshot nor the application has.
    // Or it has a part of one whose import was interrupted, and which is gone.
    const bool is_torn = recovered.application.import_pending != LogIndex();
    is_state_lost = !import && (kept < recovered.boundary.index || is_torn);
  }
  bool is_state_lost = false;
  std::optional<SnapshotToImport> import;
  LogIndex delivered_until;
  LogIndex restore_until;
  SnapshotDesk::Stored stored;
};

PartitionActor::PartitionActor(std::shared_ptr<NodeServices> services, PartitionId partition,
                               RecoveredPartition recovered, std::vector<StoredSnapshot> snapshots,
                               bool may_vote)
    : PartitionActor(services, partition, recovered, may_vote,
                     Beginning(*services, partition, recovered, snapshots)) {}

PartitionActor::PartitionActor(std::shared_ptr<NodeServices> services, PartitionId partition,
                               const RecoveredPartition& recovered, bool may_vote,
                               const Beginning& beginning)
    : services_(std::move(services)),
      partition_(partition),
      strand_(asio::make_strand(services_->executor)),
      mailbox_(strand_, LimitsOf(services_->configuration)),
      view_(std::make_shared<PartitionView>()),
      applier_(std::make_shared<Applier>(services_, partition, recovered.boundary.index,
                                         recovered.boundary.digest, beginning.restore_until,
                                         beginning.import, view_)),
      core_(OptionsOf(*services_, partition), recovered, beginning.delivered_until,
            services_->clock->Now()),
      waiters_(partition, view_->meters),
      observer_(*services_, partition, view_->meters),
      forward_numbers_(services_->seed ^ partition.value()),
      desk_(services_, partition, beginning.stored),
      is_state_lost_(beginning.is_state_lost),
      applied_(recovered.boundary.index) {
  retention_.Reset(std::max(recovered.boundary.index, recovered.application.floor));
  if (beginning.stored.in_force) applier_->NoteSnapshot(beginning.stored.in_force->index);
  inputs_.emplace_back(raft::Enable{may_vote});
  PublishState();
}

PartitionActor::~PartitionActor() = default;

void PartitionActor::Start() {
  applier_->SetSink(weak_from_this());
  desk_.Open([weak = weak_from_this()](SnapshotEvent event) {
    if (const auto self = weak.lock()) (void)self->mailbox_.PushControl(std::move(event));
  });
  if (is_state_lost_) LoseState(RaftErrc::SnapshotMissing);
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

void PartitionActor::NotifyMap(PartitionMap map) { applier_->NotifyMap(std::move(map)); }
void PartitionActor::NotifyMembership(Membership membership) {
  applier_->NotifyMembership(std::move(membership));
}
void PartitionActor::NotifySettings(std::shared_ptr<const ClusterSettings> settings) {
  applier_->NotifySettings(std::move(settings));
}

void PartitionActor::Enable() { (void)mailbox_.PushControl(EnableEvent{true}); }
void PartitionActor::NotePeerDown(NodeId peer) {
  if (has_forwarded_.load()) (void)mailbox_.PushControl(PeerDownEvent{peer});
}
void PartitionActor::Release(std::uint64_t hold) noexcept {
  (void)mailbox_.PushControl(ReleaseEvent{hold});
}
void PartitionActor::KeepFrom(LogIndex first) {
  keep_from_.store(first.value());
  if (!has_keep_from_.exchange(true)) (void)mailbox_.PushControl(KeepFromEvent{});
}
void PartitionActor::FailStore() { (void)mailbox_.PushControl(StoreFailedEvent{}); }

namespace {

// Requests weigh what they carry; those without a body weigh nothing.
std::size_t WeightOf(const ProposeEvent& event) noexcept {
  return event.body.size() + (event.first ? event.first->size() : 0);
}
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
void SubmitTo(Mailbox<Event>& mailbox, NodeServices& services, PartitionMeters& meters,
              PartitionObserver& observer, Kind event) {
  const std::size_t weight = WeightOf(event);
  Event wrapped(std::move(event));
  const bool has_room = services.budget.Take(weight, services.configuration.node_bytes_max());
  const Pushed pushed = has_room ? mailbox.PushRequest(wrapped, weight) : Pushed::kFull;
  if (pushed == Pushed::kAccepted) return;
  if (has_room) services.budget.Return(weight);
  const Kind& refused = std::get<Kind>(wrapped);
  constexpr bool kIsWrite =
      std::is_same_v<Kind, ProposeEvent> || std::is_same_v<Kind, CheckpointEvent>;
  if (kIsWrite && pushed == Pushed::kFull) meters.writes_pushed_back.Add();
  if (pushed == Pushed::kFull) observer.OnPushedBack(has_room ? "queued" : "node_bytes");
  if constexpr (std::is_same_v<Kind, LeaderEvent>) {
    Refuse(refused.who, pushed);
    Refuse(refused.am_i, pushed);
  } else {
    Refuse(refused.operation, pushed);
  }
}

}  // namespace

void PartitionActor::Submit(ProposeEvent event) {
  SubmitTo(mailbox_, *services_, view_->meters, observer_, std::move(event));
}
void PartitionActor::Submit(CheckpointEvent event) {
  SubmitTo(mailbox_, *services_, view_->meters, observer_, std::move(event));
}
void PartitionActor::Submit(ListTicketsEvent event) {
  SubmitTo(mailbox_, *services_, view_->meters, observer_, std::move(event));
}
void PartitionActor::Submit(HoldEvent event) {
  SubmitTo(mailbox_, *services_, view_->meters, observer_, std::move(event));
}
void PartitionActor::Submit(ReadEvent event) {
  SubmitTo(mailbox_, *services_, view_->meters, observer_, std::move(event));
}
void PartitionActor::Submit(LeaderEvent event) {
  SubmitTo(mailbox_, *services_, view_->meters, observer_, std::move(event));
}
void PartitionActor::Submit(HeartbeatsEvent event) {
  SubmitTo(mailbox_, *services_, view_->meters, observer_, std::move(event));
}
void PartitionActor::Submit(TransferEvent event) {
  SubmitTo(mailbox_, *services_, view_->meters, observer_, std::move(event));
}
void PartitionActor::Submit(StepDownEvent event) {
  SubmitTo(mailbox_, *services_, view_->meters, observer_, std::move(event));
}
void PartitionActor::Submit(ReconfigureEvent event) {
  SubmitTo(mailbox_, *services_, view_->meters, observer_, std::move(event));
}

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
  (void)mailbox_.PushControl(AppliedEvent{index, {}});
}
void PartitionActor::OnSystemApplied(LogIndex index, std::vector<Refusal> refused) noexcept {
  (void)mailbox_.PushControl(AppliedEvent{index, std::move(refused)});
}
void PartitionActor::OnCutPoint(CutPoint point) noexcept {
  (void)mailbox_.PushControl(std::move(point));
}
void PartitionActor::OnSnapshotTaken(error_code error, SnapshotInfo info) noexcept {
  (void)mailbox_.PushControl(SnapshotEvent(SnapshotTaken{error, info}));
}
void PartitionActor::LoseState(RaftErrc error) {
  FailStore();
  if (auto node = services_->node.lock()) node->OnPartitionDamaged(partition_, error);
}
void PartitionActor::OnImportFailed() noexcept { LoseState(RaftErrc::SnapshotFailed); }
void PartitionActor::OnImported(LogIndex index) noexcept {
  (void)mailbox_.PushControl(ImportedEvent{index});
}
void PartitionActor::OnCheckpoint(LogIndex index, LogIndex floor) noexcept {
  (void)mailbox_.PushControl(CheckpointedEvent{index, floor});
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
  waiters_.BeginBurst(services_->clock->Now());
  const std::size_t taken = mailbox_.Take(control_, data_);
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
  if (stopping_) {
    inputs_.emplace_back(raft::Stop{});
  } else {
    ConsiderCut();
  }
  core_.Step(inputs_, services_->clock->Now(), effects_);
  ExecuteEffects();
  services_->budget.Return(taken);  // what of it is uncommitted counts as that now
  ClearAndShrink(inputs_);
  ClearAndShrink(control_);
  ClearAndShrink(data_);
  if (stopping_) return;
  const bool resends_all = std::exchange(resend_due_, false);
  if (resends_all || services_->clock->Now() >= resend_at_) ResendForwards(resends_all);
  ProceedSnapshots();
}

// The last burst has answered what the core knew of; this answers the rest and closes the door.
void PartitionActor::Finish() {
  mailbox_.Close();
  services_->budget.Return(mailbox_.Take(control_, data_));
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
  services_->budget.Change(std::exchange(uncommitted_held_, 0), 0);
  desk_.EndSending(retention_);
  timer_.reset();
  applier_->Stop([stopped = std::move(stopped_)] {
    for (const auto& done : stopped) {
      if (done) done();
    }
  });
}

void PartitionActor::Forget() noexcept {
  services_->budget.Change(std::exchange(uncommitted_held_, 0), 0);
  mailbox_.Close();
  services_->budget.Return(mailbox_.Take(control_, data_));
  control_.clear();
  data_.clear();
  stopped_.clear();
}

}  // namespace kommander::runtime
