#include "runtime/applier.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <kommander/detail/crash_point.hpp>

#include "mutants/mutants.hpp"
#include "runtime/digest.hpp"

namespace kommander::runtime {
namespace asio = boost::asio;
namespace {

// A long batch tells the core how far it has come every so many entries.
constexpr std::uint64_t kReportEveryEntries = 1024;

}  // namespace

// Freed with its context instead of taken: whoever waits for the stop holds this applier in turn,
// so it is let go.
class Applier::Ending {
 public:
  explicit Ending(std::shared_ptr<Applier> applier) noexcept : applier_(std::move(applier)) {}
  Ending(Ending&&) noexcept = default;
  ~Ending() {
    if (applier_) applier_->stop_done_ = nullptr;
  }
  [[nodiscard]] std::shared_ptr<Applier> Take() noexcept {
    return std::exchange(applier_, nullptr);
  }

 private:
  std::shared_ptr<Applier> applier_;
};

Applier::Applier(std::shared_ptr<NodeServices> services, PartitionId partition, LogIndex applied,
                 std::uint64_t digest, LogIndex restore_until,
                 std::optional<SnapshotToImport> import, std::shared_ptr<PartitionView> view)
    : services_(std::move(services)),
      partition_(partition),
      view_(std::move(view)),
      restore_until_(restore_until),
      strand_(asio::make_strand(services_->executor)),
      accepted_(applied),
      applied_(applied),
      reported_(applied),
      digest_(digest),
      import_(import) {
  view_->PublishApplied(applied_, digest_);
}

void Applier::Start() {
  asio::post(strand_, [self = shared_from_this()] {
    self->queue_.emplace_back(RestoreStart{});
    self->Accept({});
    self->Pump();
  });
}

void Applier::Submit(std::vector<raft::ApplyItem> items, std::vector<raft::LedgerMark> marks) {
  Batch batch{std::move(items), std::move(marks)};
  asio::post(strand_, [self = shared_from_this(), batch = std::move(batch)]() mutable {
    if (KOMMANDER_MUTANT(batch_applied_twice)) self->Accept(batch);
    self->Accept(std::move(batch));
    self->Pump();
  });
}

void Applier::NotifyLeader(NodeId leader) {
  asio::post(strand_, [self = shared_from_this(), leader] {
    // Behind a slow handler only the newest counts.
    if (!self->queue_.empty() && std::holds_alternative<LeaderChange>(self->queue_.back())) {
      self->queue_.pop_back();
    }
    self->queue_.emplace_back(LeaderChange{leader});
    self->Pump();
  });
}

void Applier::NotifyNodeError(error_code error, std::string text) {
  asio::post(strand_, [self = shared_from_this(), error, text = std::move(text)]() mutable {
    self->queue_.emplace_back(NodeProblem{error, std::move(text)});
    self->Pump();
  });
}

void Applier::NotifyMap(PartitionMap map) {
  asio::post(strand_, [self = shared_from_this(), map = std::move(map)]() mutable {
    self->queue_.emplace_back(std::move(map));
    self->Pump();
  });
}

void Applier::NotifyMembership(Membership membership) {
  asio::post(strand_, [self = shared_from_this(), membership = std::move(membership)]() mutable {
    self->queue_.emplace_back(std::move(membership));
    self->Pump();
  });
}

// Each holds all settings: behind a slow handler only the newest counts.
void Applier::NotifySettings(SharedSettings settings) {
  asio::post(strand_, [self = shared_from_this(), settings = std::move(settings)]() mutable {
    if (!self->queue_.empty() && std::holds_alternative<SharedSettings>(self->queue_.back())) {
      self->queue_.pop_back();
    }
    self->queue_.emplace_back(std::move(settings));
    self->Pump();
  });
}

void Applier::Stop(std::function<void()> done) {
  asio::post(strand_, [self = shared_from_this(), done = std::move(done)]() mutable {
    self->stopped_ = true;
    self->stop_done_ = std::move(done);
    if (self->busy_) self->signal_.emit(asio::cancellation_type::terminal);
    if (self->writing_) self->write_signal_.emit(asio::cancellation_type::terminal);
    self->ConsiderStopped();
  });
}

namespace {

// Moves what comes after `index` out of `all`, which ascends.
template <class T, class IndexOf>
std::vector<T> SplitAfter(std::vector<T>& all, LogIndex index, IndexOf index_of) {
  const auto split =
      std::find_if(all.begin(), all.end(), [&](const T& item) { return index_of(item) > index; });
  std::vector<T> rest(std::make_move_iterator(split), std::make_move_iterator(all.end()));
  all.erase(split, all.end());
  return rest;
}

}  // namespace

// Queues what lies up to `index`; the rest stays in `batch`.
void Applier::SplitOff(Batch& batch, LogIndex index) {
  Batch rest;
  rest.items =
      SplitAfter(batch.items, index, [](const raft::ApplyItem& item) { return item.entry.index; });
  rest.marks =
      SplitAfter(batch.marks, index, [](const raft::LedgerMark& mark) { return mark.index; });
  if (!batch.items.empty() || !batch.marks.empty()) queue_.emplace_back(std::move(batch));
  batch = std::move(rest);
}

// Queues a batch; an import and the end of the restore are queued at their exact places, between
// two entries.
void Applier::Accept(Batch batch) {
  if (!batch.items.empty()) accepted_ = batch.items.back().entry.index;
  if (import_ && accepted_ >= import_->index) {
    SplitOff(batch, import_->index);
    queue_.emplace_back(*std::exchange(import_, std::nullopt));
  }
  if (!restore_end_queued_ && accepted_ >= restore_until_) {
    restore_end_queued_ = true;
    SplitOff(batch, restore_until_);
    queue_.emplace_back(RestoreEnd{});
    queue_.emplace_back(Restored{});
  }
  if (!batch.items.empty() || !batch.marks.empty()) queue_.emplace_back(std::move(batch));
}

void Applier::Install(SnapshotToImport snapshot) {
  asio::post(strand_, [self = shared_from_this(), snapshot] {
    // What it replaces need not be delivered any more, nor the rest of a batch that has begun: a
    // state machine is called within one turn, so none of it runs now.
    std::erase_if(self->queue_, [&](const Work& work) {
      const auto* batch = std::get_if<Batch>(&work);
      if (batch != nullptr) self->DropMarks(*batch);
      return batch != nullptr || std::holds_alternative<SnapshotToImport>(work);
    });
    self->TellFailed();
    self->accepted_ = snapshot.index;
    self->import_.reset();
    self->queue_.emplace_back(snapshot);
    self->Accept({});
    self->Pump();
  });
}

void Applier::WriteSnapshot(std::shared_ptr<SnapshotImage> image, BoundaryRecord boundary) {
  takes_turns_ = true;  // from now on, though much may be in line before this
  asio::post(strand_, [self = shared_from_this(), image = std::move(image),
                       boundary = std::move(boundary)]() mutable {
    if (self->stopped_) return;
    self->writing_ = true;
    asio::co_spawn(
        self->strand_, WriteOut(self, std::move(image), std::move(boundary)),
        asio::bind_cancellation_slot(
            self->write_signal_.slot(), [ending = Ending(self)](const std::exception_ptr& failure,
                                                                const SnapshotInfo& info) mutable {
              ending.Take()->FinishSnapshot(
                  failure ? error_code(RaftErrc::SnapshotFailed) : error_code(), info);
            }));
  });
}

// While a snapshot is written out, a step of that and a step of this take turns: however much waits
// to be applied, the snapshot gets on.
void Applier::Pump() {
  if (!takes_turns_) return PumpOn();
  if (std::exchange(turn_posted_, true)) return;
  asio::post(strand_, [self = shared_from_this()] {
    self->turn_posted_ = false;
    self->PumpOn();
  });
}

void Applier::PumpOn() {
  while (!busy_ && !stopped_ && !queue_.empty()) {
    if (auto* batch = std::get_if<Batch>(&queue_.front())) {
      if (!PumpBatch(*batch)) break;
      DropMarks(*batch);
      queue_.pop_front();
      TellFailed();
    } else {
      // One call; a suspended one has nothing more to do when it comes back.
      const Work work = std::move(queue_.front());
      queue_.pop_front();
      if (CallOnce(work) == Called::kFalse) NoteFailure(applied_);
    }
    if (takes_turns_) break;
  }
  ReportApplied();
  if (!busy_ && !stopped_ && !queue_.empty()) Pump();
}

Applier::Called Applier::CallOnce(const Work& work) {
  const Handlers& handlers = services_->handlers;
  if (const auto* snapshot = std::get_if<SnapshotToImport>(&work)) return StartImport(*snapshot);
  if (const auto* failed = std::get_if<Failed>(&work)) {
    return Call("OnReplicationError", handlers.replication_error, failed->log);
  }
  if (const auto* change = std::get_if<LeaderChange>(&work)) {
    return Call("OnLeaderChanged", handlers.leader_changed, partition_, change->leader);
  }
  if (const auto* problem = std::get_if<NodeProblem>(&work)) {
    return Call("OnNodeError", handlers.node_error, problem->error, problem->text);
  }
  if (const auto* map = std::get_if<PartitionMap>(&work)) {
    return Call("OnPartitionMapChanged", handlers.partition_map_changed, *map);
  }
  if (const auto* membership = std::get_if<Membership>(&work)) {
    return Call("OnMembershipChanged", handlers.membership_changed, *membership);
  }
  if (const auto* settings = std::get_if<SharedSettings>(&work)) {
    return Call("OnClusterSettingsChanged", handlers.settings_changed, **settings);
  }
  if (std::holds_alternative<RestoreStart>(work)) {
    return Call("OnRestoreStarted", handlers.restore_started, partition_);
  }
  if (std::holds_alternative<RestoreEnd>(work)) {
    return Call("OnRestoreFinished", handlers.restore_finished, partition_);
  }
  if (auto node = services_->node.lock()) node->OnPartitionRestored(partition_);
  return Called::kTrue;
}

bool Applier::PumpBatch(Batch& batch) {
  PassMarks(batch);
  if (services_->state_machine != nullptr) {
    while (batch.next_item < batch.items.size()) {
      if (!PumpSpan(batch)) return false;
      if (takes_turns_) return batch.next_item == batch.items.size();
    }
    return true;
  }
  for (; batch.next_item < batch.items.size(); ++batch.next_item) {
    const raft::ApplyItem& item = batch.items[batch.next_item];
    KOMMANDER_CRASH_POINT("apply.before_entry");
    if (item.verdict != raft::Verdict::kSilent && !DeliverEntry(item)) return false;
    KOMMANDER_CRASH_POINT("apply.delivered");
    if (item.entry.kind == EntryKind::kCheckpoint) MeetCheckpoint(item.entry);
    FinishEntry(item.entry);
    PassMarks(batch);
  }
  return true;
}

// Next, in their order.
void Applier::TellFailed() {
  for (; !failed_.empty(); failed_.pop_back()) {
    queue_.emplace_front(Failed{std::move(failed_.back())});
  }
}

void Applier::DropMarks(const Batch& batch) {
  for (std::size_t i = batch.next_mark; i < batch.marks.size(); ++i) {
    if (!batch.marks[i].is_asked) continue;
    CutPoint nowhere;
    nowhere.is_asked = true;
    SendCutPoint(std::move(nowhere));
  }
}

void Applier::SendCutPoint(CutPoint point) {
  if (partition_ == kSystemPartition) {
    if (auto node = services_->node.lock()) node->OnSystemMark(std::move(point));
  } else if (auto sink = sink_.lock()) {
    sink->OnCutPoint(std::move(point));
  }
}

// The marks of what is finished now.
void Applier::PassMarks(Batch& batch) {
  for (; batch.next_mark < batch.marks.size(); ++batch.next_mark) {
    const raft::LedgerMark& mark = batch.marks[batch.next_mark];
    if (mark.index > applied_) return;
    CutPoint point;
    point.index = mark.index;
    point.term = mark.term;
    point.digest = digest_;
    point.ledger = mark.ledger;
    point.is_asked = mark.is_asked;
    if (mark.is_asked) point.image = CaptureImage();
    SendCutPoint(std::move(point));
  }
}

// How far the application keeps its state by itself: as its provider says; a state machine as far
// as its newest snapshot goes; handlers as far as they have returned, which then promise that.
// Nobody keeps what the checkpoint does not cover.
void Applier::MeetCheckpoint(const Entry& entry) {
  const auto checkpoint = raft::DecodeCheckpoint(entry.body.bytes());
  if (!checkpoint || checkpoint->covered >= entry.index) return;
  std::optional<LogIndex> kept = applied_;
  if (services_->handlers.durable_index) {
    kept = AskDurableIndex(*services_, partition_);
  } else if (services_->state_machine != nullptr) {
    kept = LogIndex(snapshot_index_.load(std::memory_order_acquire));
  }
  const LogIndex covered = KOMMANDER_MUTANT(covered_ignored) ? applied_ : checkpoint->covered;
  const LogIndex floor = std::min(covered, kept.value_or(LogIndex()));
  if (auto sink = sink_.lock()) sink->OnCheckpoint(entry.index, floor);
}

// A committed proposal is delivered in the place of its commit.
bool Applier::DeliverEntry(const raft::ApplyItem& applied) {
  const Entry& entry = applied.entry;
  const Entry& source = applied.prepared ? *applied.prepared : entry;
  if (!entry_decoded_) {
    // A body that does not decode was not encoded by this library; every node sees the same bytes
    // and delivers nothing of it.
    logs_.clear();
    (void)codec::DecodeEntryBody(raft::PayloadsOf(source), logs_);
    if (KOMMANDER_MUTANT(batch_applied_backwards)) std::reverse(logs_.begin(), logs_.end());
    log_position_ = 0;
    entry_decoded_ = true;
  }
  for (; log_position_ < logs_.size(); ++log_position_) {
    const codec::DecodedBodyItem& item = logs_[log_position_];
    if (partition_ == kSystemPartition && item.type == services_->system_type) {
      if (auto node = services_->node.lock()) node->OnSystemCommand(entry.index, item.data);
      continue;
    }
    if (applied.verdict == raft::Verdict::kHeld) continue;
    const RaftLog log(partition_, entry.index, static_cast<std::uint32_t>(log_position_),
                      entry.term, source.ticket, item.type, item.data, source.index);
    if (!DeliverLog(log)) return false;
  }
  entry_decoded_ = false;
  return true;
}

bool Applier::DeliverLog(const RaftLog& log) {
  const Handlers& handlers = services_->handlers;
  if (!log_failed_) {
    const bool restored = log.index() <= restore_until_;
    switch (restored ? Call("OnLogRestored", handlers.log_restored, log)
                     : Call("OnReplicationReceived", handlers.replication_received, log)) {
      case Called::kTrue: return true;
      case Called::kFalse: break;
      case Called::kSuspended: log_suspended_ = true; return false;
      case Called::kClosed: return false;
    }
  }
  log_failed_ = false;
  NoteFailure(log.index());
  // Whatever this one answers, the order goes on after it.
  const Called called = Call("OnReplicationError", handlers.replication_error, log);
  if (called == Called::kSuspended) ++log_position_;
  if (called == Called::kFalse) NoteFailure(log.index());
  return called == Called::kTrue || called == Called::kFalse;
}

void Applier::NoteFailure(LogIndex index) {
  view_->meters.handlers_failed.Add();
  services_->logger.Log(LogLevel::kWarning, "handler_failed", partition_,
                        {{"index", index.value()}, {"handler", called_}});
}

void Applier::NoteHandlerTime() {
  const Duration took = services_->clock->Now() - called_at_;
  view_->meters.apply_latency.Add(took);
  const Duration slow = services_->configuration.slow_handler();
  if (slow == Duration::zero() || took < slow) return;
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  services_->logger.Log(
      LogLevel::kWarning, "slow_handler", partition_,
      {{"after", applied_.value()}, {"ms", static_cast<std::uint64_t>(milliseconds)}});
}

void Applier::FinishEntry(const Entry& entry) {
  const bool skipped = KOMMANDER_MUTANT(digest_skips_noops) && entry.kind == EntryKind::kNoop;
  if (!skipped) digest_ = ChainDigest(digest_, entry);
  applied_ = entry.index;
  view_->PublishApplied(applied_, digest_);
  if (LogIndex::Distance(reported_, applied_) >= kReportEveryEntries) ReportApplied();
}

void Applier::ReportApplied() {
  if (reported_ == applied_) return;
  reported_ = applied_;
  KOMMANDER_CRASH_POINT("apply.before_report");
  const auto node = partition_ == kSystemPartition ? services_->node.lock() : nullptr;
  if (node) return node->OnSystemApplied(applied_);
  if (auto sink = sink_.lock()) sink->OnApplied(applied_);
}

// A coroutine handler has ended, on the delivery strand.
void Applier::Resumed(bool succeeded) {
  busy_ = false;
  if (!importing_) NoteHandlerTime();
  if (std::exchange(log_suspended_, false)) {
    if (succeeded) {
      ++log_position_;
    } else {
      log_failed_ = true;
    }
  } else if (!succeeded && !importing_ && !stop_done_) {
    // One that was never let in has not failed.
    if (const HandlerGate::Pass pass(services_->gate); pass) NoteFailure(applied_);
  }
  if (importing_) FinishImport(succeeded);
  if (stop_done_) return ConsiderStopped();
  Pump();
}

void Applier::ConsiderStopped() {
  if (!stop_done_ || busy_ || writing_) return;
  queue_.clear();
  std::exchange(stop_done_, nullptr)();
}

// A coroutine handler starts only while the gate is open, however late its first step comes.
asio::awaitable<bool> Applier::Guarded(std::shared_ptr<Applier> self,
                                       asio::awaitable<bool> handler) {
  if (!HandlerGate::Pass(self->services_->gate)) co_return false;
  co_return co_await std::move(handler);
}

// co_spawn posts its first step, so Resumed never runs inside this call.
void Applier::Spawn(asio::awaitable<bool> handler) {
  busy_ = true;
  asio::co_spawn(strand_, Guarded(shared_from_this(), std::move(handler)),
                 asio::bind_cancellation_slot(
                     signal_.slot(), [ending = Ending(shared_from_this())](
                                         const std::exception_ptr& error, bool succeeded) mutable {
                       ending.Take()->Resumed(!error && succeeded);
                     }));
}

template <class HandlerType, class... Arguments>
Applier::Called Applier::Call(std::string_view name, const HandlerType& handler,
                              const Arguments&... arguments) {
  if (!handler) return Called::kTrue;
  const HandlerGate::Pass pass(services_->gate);
  if (!pass) {
    stopped_ = true;
    return Called::kClosed;
  }
  called_ = name;
  called_at_ = services_->clock->Now();
  if (!handler.IsCoroutine()) {
    Called called = Called::kFalse;
    try {
      if (handler.Call(arguments...)) called = Called::kTrue;
    } catch (...) {  // NOLINT: the contract: a handler that throws is one that returned false
    }
    NoteHandlerTime();
    return called;
  }
  asio::awaitable<bool> spawned;
  try {
    // May throw as well: a function that returns a coroutine need not be one itself.
    spawned = handler.Spawn(arguments...);
  } catch (...) {
    return Called::kFalse;
  }
  Spawn(std::move(spawned));
  return Called::kSuspended;
}

}  // namespace kommander::runtime
