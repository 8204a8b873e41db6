// What a writer's thread does in turn: tasks, and batches of what is queued.
#include "runtime/wal_writer.hpp"

#include <utility>

#include <kommander/detail/crash_point.hpp>

#include "mutants/mutants.hpp"

namespace kommander::runtime {

using Lock = detail::MutexLock;

WalWriter::WalWriter(const IoSchedulerOptions& options, DiskWatch& disk)
    : options_(options), disk_(disk), lanes_(options), batch_(options.batch_partitions_max) {}

void WalWriter::Begin(Wal& wal) {
  const Lock lock(mutex_);
  wal_ = &wal;
  phase_ = IoPhase::kRunning;
}

void WalWriter::Enter(IoPhase phase) noexcept {
  {
    const Lock lock(mutex_);
    if (phase_ >= phase) return;
    phase_ = phase;
  }
  sleepers_.WakeAll();
  lingering_.notify_all();
}

void WalWriter::Drain() noexcept { Enter(IoPhase::kDraining); }
void WalWriter::Abort() noexcept { Enter(IoPhase::kAborting); }

void WalWriter::DropQueued() noexcept {
  Lock lock(mutex_);
  const OwningQueue<WriteNode> writes = lanes_.DropAll();
  PublishQueued();
  const std::deque<Task> tasks = std::move(tasks_);
  tasks_.clear();
  lock.Unlock();  // before what they own is destroyed
}

error_code WalWriter::SubmitWrite(WriteUnit&& unit, std::shared_ptr<IoSink>&& sink) {
  Lock lock(mutex_);
  if (const error_code closed = ClosedBy(phase_)) return closed;
  if (failed_) return RaftErrc::StorageFailed;
  lanes_.Push(std::move(unit), std::move(sink));
  PublishQueued();
  const bool end_linger = is_lingering_ && lanes_.IsBatchFull();
  const bool wake = sleepers_.Call();
  lock.Unlock();
  if (wake) sleepers_.Wake();
  if (end_linger) lingering_.notify_one();
  while (KOMMANDER_MUTANT(actor_waits_for_the_disk) && queued_units_ != 0) {
  }
  return {};
}

error_code WalWriter::SubmitTask(Task&& task) {
  Lock lock(mutex_);
  if (const error_code closed = ClosedBy(phase_)) return closed;
  if (tasks_.size() >= options_.tasks_max) {
    ++refused_;
    return RaftErrc::ProposalQueueFull;
  }
  tasks_.push_back(std::move(task));
  const bool end_linger = is_lingering_;
  const bool wake = sleepers_.Call();
  lock.Unlock();
  if (wake) sleepers_.Wake();
  if (end_linger) lingering_.notify_one();
  return {};
}

void WalWriter::WantLook() {
  Lock lock(mutex_);
  if (phase_ != IoPhase::kRunning) return;
  look_wanted_ = true;
  const bool wake = sleepers_.Call();
  lock.Unlock();
  if (wake) sleepers_.Wake();
}

bool WalWriter::IsSaturated(PartitionId partition) const {
  if (queued_units() < options_.lane_units_max && queued_bytes() < options_.lane_bytes_max) {
    return false;
  }
  const Lock lock(mutex_);
  return lanes_.IsSaturated(partition);
}

void WalWriter::AddTo(IoStatistics& statistics) const {
  const Lock lock(mutex_);
  statistics.write_batches += write_batches_;
  statistics.write_units += write_units_;
  statistics.refused += refused_;
  statistics.queued_write_bytes += lanes_.bytes();
}

bool WalWriter::HasWork() const noexcept {
  return lanes_.HasReady() || !tasks_.empty() || look_wanted_ || phase_ >= IoPhase::kDraining;
}

void WalWriter::Run() noexcept {
  Lock lock(mutex_);
  while (true) {
    while (!HasWork()) sleepers_.Wait(lock);
    if (phase_ == IoPhase::kAborting) break;
    if (look_wanted_) LookAtDisk();
    if (!tasks_.empty() && phase_ != IoPhase::kAborting) RunTask();
    if (lanes_.HasReady() && phase_ != IoPhase::kAborting) {
      if (options_.linger > Duration::zero()) Linger(lock);
      if (phase_ != IoPhase::kAborting) RunBatch();
    }
    if (phase_ == IoPhase::kDraining && !lanes_.HasReady() && tasks_.empty()) break;
  }
}

void WalWriter::RunTask() {
  Task task = std::move(tasks_.front());
  tasks_.pop_front();
  const bool cancelled = phase_ != IoPhase::kRunning;
  mutex_.Unlock();
  task(*wal_, cancelled);
  task = nullptr;
  disk_.Look(*wal_, 0);
  mutex_.Lock();
}

void WalWriter::Linger(Lock& lock) {
  is_lingering_ = true;
  lingering_.wait_for(lock.native(), options_.linger, [this]() KOMMANDER_REQUIRES(mutex_) {
    return lanes_.IsBatchFull() || !tasks_.empty() || phase_ != IoPhase::kRunning;
  });
  is_lingering_ = false;
}

void WalWriter::RunBatch() {
  lanes_.Recycle(batch_);
  lanes_.Collect(batch_);
  write_batches_ += 1;
  write_units_ += batch_.unit_count();
  const std::uint64_t bytes = batch_.bytes();
  mutex_.Unlock();

  batch_.Merge();
  KOMMANDER_CRASH_POINT("io.before_write");
  error_code error = wal_->Write(batch_.units());
  if (KOMMANDER_MUTANT(failed_sync_retried) && error) error = wal_->Write(batch_.units());
  KOMMANDER_CRASH_POINT("io.after_write");

  // The caps are free before anybody is told, so that an answered unit never stands in the way.
  mutex_.Lock();
  if (error) {
    failed_ = true;
    lanes_.FailAll(batch_);
  } else {
    lanes_.Complete(batch_);
  }
  PublishQueued();
  mutex_.Unlock();
  KOMMANDER_CRASH_POINT("io.before_answer");
  batch_.Answer(error);
  KOMMANDER_CRASH_POINT("io.after_answer");
  disk_.Look(*wal_, bytes);
  mutex_.Lock();
}

void WalWriter::LookAtDisk() {
  look_wanted_ = false;
  mutex_.Unlock();
  disk_.Look(*wal_, 0);
  mutex_.Lock();
}

}  // namespace kommander::runtime
