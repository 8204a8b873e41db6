// The writer of one file set: its lanes, the batch on its way, its tasks, and its failure, which is
// nobody else's. It has a lock of its own, so writers neither wait for each other nor for readers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include <kommander/detail/mutex.hpp>
#include <kommander/errors.hpp>
#include <kommander/io_scheduler.hpp>
#include <kommander/wal.hpp>

#include "runtime/disk_watch.hpp"
#include "runtime/io_phase.hpp"
#include "runtime/io_scheduler_options.hpp"
#include "runtime/sleepers.hpp"
#include "runtime/write_lanes.hpp"

namespace kommander::runtime {

// Thread-safe except for Run, which is the body of one thread.
class WalWriter {
 public:
  using Task = std::function<void(Wal& wal, bool cancelled)>;

  // Both outlive the writer.
  WalWriter(const IoSchedulerOptions& options, DiskWatch& disk);

  // --- Life ---

  // Once: accepts work from now on. The store stays there until Run has returned.
  void Begin(Wal& wal);
  void Drain() noexcept;
  void Abort() noexcept;
  // Until drained or aborted.
  void Run() noexcept;
  // After Run has returned: what was never done is dropped unanswered.
  void DropQueued() noexcept;

  // --- Work; see IoScheduler ---

  error_code SubmitWrite(WriteUnit&& unit, std::shared_ptr<IoSink>&& sink);
  error_code SubmitTask(Task&& task);
  // Lets the thread look at the disk soon, also when there is nothing to write.
  void WantLook();

  // --- Answers ---

  // Accepted and unanswered; without the lock.
  [[nodiscard]] std::size_t queued_units() const noexcept {
    return queued_units_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::size_t queued_bytes() const noexcept {
    return queued_bytes_.load(std::memory_order_relaxed);
  }
  // Of the lane's own caps. Without the lock while all lanes together are below those of one.
  [[nodiscard]] bool IsSaturated(PartitionId partition) const;
  // Adds what this writer counted.
  void AddTo(IoStatistics& statistics) const;

 private:
  [[nodiscard]] bool HasWork() const noexcept KOMMANDER_REQUIRES(mutex_);
  // These give the lock up for what blocks, and come back with it.
  void RunTask() KOMMANDER_REQUIRES(mutex_);
  void Linger(detail::MutexLock& lock) KOMMANDER_REQUIRES(mutex_);
  void RunBatch() KOMMANDER_REQUIRES(mutex_);
  void LookAtDisk() KOMMANDER_REQUIRES(mutex_);
  void PublishQueued() noexcept KOMMANDER_REQUIRES(mutex_) {
    queued_units_.store(lanes_.units(), std::memory_order_relaxed);
    queued_bytes_.store(lanes_.bytes(), std::memory_order_relaxed);
  }
  void Enter(IoPhase phase) noexcept;

  const IoSchedulerOptions& options_;
  DiskWatch& disk_;
  mutable detail::Mutex mutex_;
  Sleepers sleepers_;
  std::condition_variable lingering_;
  IoPhase phase_ KOMMANDER_GUARDED_BY(mutex_) = IoPhase::kNew;
  bool failed_ KOMMANDER_GUARDED_BY(mutex_) = false;
  bool is_lingering_ KOMMANDER_GUARDED_BY(mutex_) = false;
  bool look_wanted_ KOMMANDER_GUARDED_BY(mutex_) = false;
  Wal* wal_ = nullptr;  // set before anything is accepted
  WriteLanes lanes_ KOMMANDER_GUARDED_BY(mutex_);
  std::atomic<std::size_t> queued_units_{0};  // of lanes_, readable without the lock
  std::atomic<std::size_t> queued_bytes_{0};
  std::deque<Task> tasks_ KOMMANDER_GUARDED_BY(mutex_);
  std::uint64_t write_batches_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  std::uint64_t write_units_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  std::uint64_t refused_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  WriteBatch batch_;  // the thread's
};

}  // namespace kommander::runtime
