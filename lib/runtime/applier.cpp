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

Applier::Applier(std::shared_ptr<NodeServices> services, PartitionId partition, LogIndex applied,
                 std::uint64_t digest, LogIndex restore_until, std::shared_ptr<PartitionView> view)
    : services_(std::move(services)),
      partition_(partition),
      view_(std::move(view)),
      restore_until_(restore_until),
      strand_(asio::make_strand(services_->executor)),
      applied_(applied),
      reported_(applied),
      digest_(digest) {
  view_->PublishApplied(applied_, digest_);
}

void Applier::Start() {
  asio::post(strand_, [self = shared_from_this()] {
    self->queue_.emplace_back(RestoreStart{});
    if (self->applied_ >= self->restore_until_) self->Accept({});
    self->Pump();
  });
}

void Applier::Submit(std::vector<raft::ApplyItem> items) {
  asio::post(strand_, [self = shared_from_this(), items = std::move(items)]() mutable {
    if (KOMMANDER_MUTANT(batch_applied_twice)) self->Accept(items);
    self->Accept(std::move(items));
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

void Applier::Stop(std::function<void()> done) {
  asio::post(strand_, [self = shared_from_this(), done = std::move(done)]() mutable {
    self->stopped_ = true;
    if (self->busy_) {
      self->stop_done_ = std::move(done);
      self->signal_.emit(asio::cancellation_type::terminal);
    } else {
      self->queue_.clear();
      done();
    }
  });
}

// Queues a batch; the end of the restore is queued at its exact place, between two entries.
void Applier::Accept(Batch batch) {
  const bool ends_restore = !restore_end_queued_ &&
                            (batch.empty() ? applied_ : batch.back().entry.index) >= restore_until_;
  if (!ends_restore) {
    queue_.emplace_back(std::move(batch));
    return;
  }
  restore_end_queued_ = true;
  const auto split = std::find_if(batch.begin(), batch.end(), [this](const raft::ApplyItem& item) {
    return item.entry.index > restore_until_;
  });
  Batch rest(std::make_move_iterator(split), std::make_move_iterator(batch.end()));
  batch.erase(split, batch.end());
  if (!batch.empty()) queue_.emplace_back(std::move(batch));
  queue_.emplace_back(RestoreEnd{});
  queue_.emplace_back(Restored{});
  if (!rest.empty()) queue_.emplace_back(std::move(rest));
}

void Applier::Pump() {
  while (!busy_ && !stopped_ && !queue_.empty()) {
    if (const auto* batch = std::get_if<Batch>(&queue_.front())) {
      if (!PumpBatch(*batch)) break;
      entry_position_ = 0;
      queue_.pop_front();
    } else {
      // One call; a suspended one has nothing more to do when it comes back.
      const Work work = std::move(queue_.front());
      queue_.pop_front();
      (void)CallOnce(work);
    }
  }
  ReportApplied();
}

Applier::Called Applier::CallOnce(const Work& work) {
  const Handlers& handlers = services_->handlers;
  if (const auto* change = std::get_if<LeaderChange>(&work)) {
    return Call(handlers.leader_changed, partition_, change->leader);
  }
  if (const auto* problem = std::get_if<NodeProblem>(&work)) {
    return Call(handlers.node_error, problem->error, problem->text);
  }
  if (std::holds_alternative<RestoreStart>(work)) {
    return Call(handlers.restore_started, partition_);
  }
  if (std::holds_alternative<RestoreEnd>(work)) {
    return Call(handlers.restore_finished, partition_);
  }
  if (auto node = services_->node.lock()) node->OnPartitionRestored(partition_);
  return Called::kTrue;
}

bool Applier::PumpBatch(const Batch& batch) {
  for (; entry_position_ < batch.size(); ++entry_position_) {
    const raft::ApplyItem& item = batch[entry_position_];
    KOMMANDER_CRASH_POINT("apply.before_entry");
    if (item.verdict == raft::Verdict::kDeliver && !DeliverEntry(item.entry)) return false;
    KOMMANDER_CRASH_POINT("apply.delivered");
    FinishEntry(item.entry);
  }
  return true;
}

bool Applier::DeliverEntry(const Entry& entry) {
  if (!entry_decoded_) {
    // A body that does not decode was not encoded by this library; every node sees the same bytes
    // and delivers nothing of it.
    logs_.clear();
    (void)codec::DecodeEntryBody(entry.body, logs_);
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
    const RaftLog log(partition_, entry.index, static_cast<std::uint32_t>(log_position_),
                      entry.term, entry.ticket, item.type, item.data);
    if (!DeliverLog(log)) return false;
  }
  entry_decoded_ = false;
  return true;
}

bool Applier::DeliverLog(const RaftLog& log) {
  const Handlers& handlers = services_->handlers;
  if (!log_failed_) {
    const bool restored = log.index() <= restore_until_;
    switch (Call(restored ? handlers.log_restored : handlers.replication_received, log)) {
      case Called::kTrue: return true;
      case Called::kFalse: break;
      case Called::kSuspended: log_suspended_ = true; return false;
      case Called::kClosed: return false;
    }
  }
  log_failed_ = false;
  // Whatever this one answers, the order goes on after it.
  const Called called = Call(handlers.replication_error, log);
  if (called == Called::kSuspended) ++log_position_;
  return called == Called::kTrue || called == Called::kFalse;
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
  if (auto sink = sink_.lock()) sink->OnApplied(applied_);
}

// A coroutine handler has ended, on the delivery strand.
void Applier::Resumed(bool succeeded) {
  busy_ = false;
  if (std::exchange(log_suspended_, false)) {
    if (succeeded) {
      ++log_position_;
    } else {
      log_failed_ = true;
    }
  }
  if (stop_done_) {
    queue_.clear();
    std::exchange(stop_done_, nullptr)();
    return;
  }
  Pump();
}

// A coroutine handler starts only while the gate is open, however late its first step comes.
asio::awaitable<bool> Applier::Guarded(std::shared_ptr<Applier> self,
                                       asio::awaitable<bool> handler) {
  if (!HandlerGate::Pass(self->services_->gate)) co_return false;
  co_return co_await std::move(handler);
}

// Freed with its context instead of called: whoever waits for the stop holds this applier in turn,
// so it is let go.
class Applier::Resumption {
 public:
  explicit Resumption(std::shared_ptr<Applier> applier) noexcept : applier_(std::move(applier)) {}
  Resumption(Resumption&&) noexcept = default;
  ~Resumption() {
    if (applier_) applier_->stop_done_ = nullptr;
  }
  void operator()(const std::exception_ptr& error, bool succeeded) {
    const auto applier = std::exchange(applier_, nullptr);
    applier->Resumed(!error && succeeded);
  }

 private:
  std::shared_ptr<Applier> applier_;
};

template <class HandlerType, class... Arguments>
Applier::Called Applier::Call(const HandlerType& handler, const Arguments&... arguments) {
  if (!handler) return Called::kTrue;
  const HandlerGate::Pass pass(services_->gate);
  if (!pass) {
    stopped_ = true;
    return Called::kClosed;
  }
  if (!handler.IsCoroutine()) {
    try {
      return handler.Call(arguments...) ? Called::kTrue : Called::kFalse;
    } catch (...) {  // the contract: a handler that throws is one that returned false
      return Called::kFalse;
    }
  }
  asio::awaitable<bool> spawned;
  try {
    // May throw as well: a function that returns a coroutine need not be one itself.
    spawned = handler.Spawn(arguments...);
  } catch (...) {
    return Called::kFalse;
  }
  busy_ = true;
  // co_spawn posts its first step, so Resumed never runs inside this call.
  asio::co_spawn(strand_, Guarded(shared_from_this(), std::move(spawned)),
                 asio::bind_cancellation_slot(signal_.slot(), Resumption(shared_from_this())));
  return Called::kSuspended;
}

}  // namespace kommander::runtime
