// The applier's part for applications with a state machine: entries in spans, images of the state
// at marks, snapshots written out beside the entries, and imports.
#include <exception>
#include <utility>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <kommander/detail/crash_point.hpp>

#include "runtime/applier.hpp"
#include "runtime/snapshot_streams.hpp"

namespace kommander::runtime {
namespace asio = boost::asio;
namespace {

// Payloads of one span; one more entry may come to it.
constexpr std::size_t kSpanLogsMax = 1024;

}  // namespace

// Up to what needs a look by itself, or to the end of the batch. False: closed.
bool Applier::PumpSpan(Batch& batch) {
  const std::size_t end = CollectSpan(batch);
  KOMMANDER_CRASH_POINT("apply.before_entry");
  if (!span_.empty() && !ApplySpan()) return false;
  KOMMANDER_CRASH_POINT("apply.delivered");
  for (; batch.next_item < end; ++batch.next_item) {
    const Entry& entry = batch.items[batch.next_item].entry;
    if (entry.kind == EntryKind::kCheckpoint) MeetCheckpoint(entry);
    FinishEntry(entry);
  }
  PassMarks(batch);
  return true;
}

// Answers where the span ends: after a checkpoint, at a mark, or when it is long enough.
std::size_t Applier::CollectSpan(const Batch& batch) {
  span_.clear();
  std::size_t end = batch.next_item;
  const bool has_mark = batch.next_mark < batch.marks.size();
  const LogIndex mark = has_mark ? batch.marks[batch.next_mark].index : LogIndex();
  while (end < batch.items.size() && span_.size() < kSpanLogsMax) {
    const raft::ApplyItem& item = batch.items[end];
    ++end;
    if (item.verdict != raft::Verdict::kSilent) CollectLogs(item);
    if (item.entry.kind == EntryKind::kCheckpoint || item.entry.index == mark) break;
  }
  return end;
}

void Applier::CollectLogs(const raft::ApplyItem& item) {
  const Entry& source = item.prepared ? *item.prepared : item.entry;
  logs_.clear();
  (void)codec::DecodeEntryBody(raft::PayloadsOf(source), logs_);
  for (std::size_t ordinal = 0; ordinal < logs_.size(); ++ordinal) {
    const codec::DecodedBodyItem& log = logs_[ordinal];
    if (partition_ == kSystemPartition && log.type == services_->system_type) {
      if (auto node = services_->node.lock()) node->OnSystemCommand(item.entry.index, log.data);
    } else if (item.verdict == raft::Verdict::kDeliver) {
      span_.emplace_back(partition_, item.entry.index, static_cast<std::uint32_t>(ordinal),
                         item.entry.term, source.ticket, log.type, log.data, source.index);
    }
  }
}

bool Applier::ApplySpan() {
  const HandlerGate::Pass pass(services_->gate);
  if (!pass) {
    stopped_ = true;
    return false;
  }
  bool succeeded = false;
  called_ = "StateMachine::Apply";
  called_at_ = services_->clock->Now();
  try {
    succeeded = services_->state_machine->Apply(span_);
  } catch (...) {  // NOLINT: the contract: an exception is a failure
  }
  NoteHandlerTime();
  if (succeeded) return true;
  for (RaftLog& log : span_) {
    NoteFailure(log.index());
    failed_.push_back(std::move(log));
  }
  return true;
}

std::shared_ptr<SnapshotImage> Applier::CaptureImage() noexcept {
  const HandlerGate::Pass pass(services_->gate);
  if (!pass || services_->state_machine == nullptr) return nullptr;
  try {
    return services_->state_machine->Capture(partition_);
  } catch (...) {
    return nullptr;
  }
}

// --- Import ---

asio::awaitable<bool> Applier::Import(std::shared_ptr<Applier> self, SnapshotToImport snapshot) {
  const PartitionId partition = self->partition_;
  if (snapshot.is_old) {
    std::function<error_code()> verify = [store = self->services_->snapshots, partition,
                                          index = snapshot.index] {
      return store->Verify(partition, index);
    };
    if (co_await RunFileTask(self->services_, std::move(verify))) co_return false;
  }
  StoredSource source(self->services_, partition, snapshot.index, snapshot.offset);
  if (!HandlerGate::Pass(self->services_->gate)) co_return false;  // closed since it began
  co_return co_await self->services_->state_machine->Import(partition, source);
}

Applier::Called Applier::StartImport(const SnapshotToImport& snapshot) {
  importing_ = snapshot;
  Spawn(Import(shared_from_this(), snapshot));
  return Called::kSuspended;
}

void Applier::FinishImport(bool succeeded) {
  const SnapshotToImport snapshot = *std::exchange(importing_, std::nullopt);
  if (stop_done_) return;
  if (!succeeded) {
    stopped_ = true;
    const HandlerGate::Pass pass(services_->gate);
    const auto sink = sink_.lock();
    if (pass && sink) sink->OnImportFailed();  // one that was never let in has not failed
    return;
  }
  applied_ = snapshot.index;
  digest_ = snapshot.digest;
  view_->PublishApplied(applied_, digest_);
  if (partition_ == kSystemPartition) {
    if (auto node = services_->node.lock()) node->OnSystemInstalled(snapshot.system);
  }
  if (auto sink = sink_.lock()) sink->OnImported(applied_);
  ReportApplied();
}

// --- Writing out ---

// What fails, or is cancelled by a stop, leaves no draft: it may be as large as the state.
asio::awaitable<SnapshotInfo> Applier::WriteOut(std::shared_ptr<Applier> self,
                                                std::shared_ptr<SnapshotImage> image,
                                                BoundaryRecord boundary) {
  std::exception_ptr failure;
  try {
    co_return co_await WriteDraft(self, std::move(image), std::move(boundary));
  } catch (...) {
    failure = std::current_exception();  // nothing is awaited in a handler
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  std::function<error_code()> discard = [store = self->services_->snapshots,
                                         partition = self->partition_] {
    store->Discard(partition, SnapshotStore::Draft::kTaken);
    return error_code();
  };
  (void)co_await RunFileTask(self->services_, std::move(discard));
  std::rethrow_exception(failure);
}

asio::awaitable<SnapshotInfo> Applier::WriteDraft(std::shared_ptr<Applier> self,
                                                  std::shared_ptr<SnapshotImage> image,
                                                  BoundaryRecord boundary) {
  constexpr auto kDraft = SnapshotStore::Draft::kTaken;
  const std::shared_ptr<SnapshotStore> store = self->services_->snapshots;
  const PartitionId partition = self->partition_;
  const auto check = [](error_code error) {
    if (error) throw boost::system::system_error(error);
  };
  std::function<error_code()> begin = [store, partition] {
    return store->Begin(partition, kDraft);
  };
  check(co_await RunFileTask(self->services_, std::move(begin)));
  DraftSink sink(self->services_, partition);
  Payload head(EncodeSnapshotHead(partition, boundary));
  co_await sink.Write(std::move(head));
  if (!HandlerGate::Pass(self->services_->gate)) check(RaftErrc::NodeStopped);
  co_await image->Write(sink);
  co_await sink.Flush();
  const auto info = std::make_shared<SnapshotInfo>();
  info->index = boundary.index;
  info->term = boundary.term;
  std::function<error_code()> publish = [store, partition, info] {
    return store->Publish(partition, kDraft, *info, std::nullopt);
  };
  check(co_await RunFileTask(self->services_, std::move(publish)));
  co_return *info;
}

void Applier::FinishSnapshot(error_code error, const SnapshotInfo& info) {
  writing_ = takes_turns_ = false;
  if (auto sink = sink_.lock()) sink->OnSnapshotTaken(error, info);
  ConsiderStopped();
}

}  // namespace kommander::runtime
