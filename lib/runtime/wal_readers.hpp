// The readers of a store, for all file sets together: reads of its partitions in turn, and blocking
// work on other files than the log's, which never takes the last thread from reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include <kommander/detail/mutex.hpp>
#include <kommander/errors.hpp>
#include <kommander/io_scheduler.hpp>
#include <kommander/wal.hpp>

#include "runtime/io_phase.hpp"
#include "runtime/io_scheduler_options.hpp"
#include "runtime/read_lanes.hpp"
#include "runtime/sleepers.hpp"

namespace kommander::runtime {

// Thread-safe; Run is the body of each reader's thread.
class WalReaders {
 public:
  using FileTask = std::function<void(bool cancelled)>;

  // They outlive the readers.
  explicit WalReaders(const IoSchedulerOptions& options);

  // Once: accepts work from now on. The store stays there until every Run has returned.
  void Begin(Wal& wal);
  void Drain() noexcept;
  void Abort() noexcept;
  // Until drained or aborted.
  void Run() noexcept;
  // After every Run has returned: what was never done is dropped unanswered.
  void DropQueued() noexcept;

  error_code SubmitRead(const ReadRequest& request, std::shared_ptr<IoSink>&& sink);
  error_code SubmitFileTask(FileTask&& task);
  // Adds what the readers counted.
  void AddTo(IoStatistics& statistics) const;

 private:
  [[nodiscard]] bool HasFileTask() const noexcept KOMMANDER_REQUIRES(mutex_);
  // These give the lock up for what blocks, and come back with it.
  void RunRead() KOMMANDER_REQUIRES(mutex_);
  void RunFileTask() KOMMANDER_REQUIRES(mutex_);
  void Enter(IoPhase phase) noexcept;

  const IoSchedulerOptions& options_;
  mutable detail::Mutex mutex_;
  Sleepers sleepers_;
  IoPhase phase_ KOMMANDER_GUARDED_BY(mutex_) = IoPhase::kNew;
  Wal* wal_ = nullptr;  // set before anything is accepted
  ReadLanes lanes_ KOMMANDER_GUARDED_BY(mutex_);
  std::deque<FileTask> file_tasks_ KOMMANDER_GUARDED_BY(mutex_);
  std::size_t running_file_tasks_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  std::uint64_t reads_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  std::uint64_t refused_ KOMMANDER_GUARDED_BY(mutex_) = 0;
};

}  // namespace kommander::runtime
