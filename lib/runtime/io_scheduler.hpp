// The I/O scheduler of production: one writer thread per file set of the store and a few readers
// for all of them, fair between partitions.
//
// Writes. Each partition has a FIFO lane at the writer of its file set. A writer takes the next
// units of every lane that has any, in turn and up to the bounds of a batch, into one Wal::Write,
// which is one sync; what queues meanwhile is the next batch. A lane that has more stands at the
// end of the line again, so a partition with ten thousand units delays one with a single unit by
// one batch. Consecutive units of a lane that only append are merged into one (see WriteBatch).
// Reads. The same with one read at a time per lane, on other threads.
// Tasks. One by one on the thread of their file set's writer, taking turns with batches. Those on
// other files than the log's run on the readers' threads, taking turns with reads.
// Failure. After a failed Wal::Write every accepted unit of that file set is answered with an
// error, later ones are refused with StorageFailed, and Wal::Write is not called for it again.
// Other file sets, reads and tasks go on.
// Caps. Those of the node count the units of all file sets; those of a lane are its own.
#pragma once

#include <functional>
#include <memory>

#include <kommander/clock.hpp>
#include <kommander/io_scheduler.hpp>

#include "runtime/io_scheduler_options.hpp"

namespace kommander::runtime {

class FairIoScheduler final : public IoScheduler {
 public:
  FairIoScheduler(const IoSchedulerOptions& options, std::shared_ptr<const Clock> clock);
  // Abort.
  ~FairIoScheduler() override;
  FairIoScheduler(const FairIoScheduler&) = delete;
  FairIoScheduler& operator=(const FairIoScheduler&) = delete;

  // InvalidArgument the second time, NodeStopped after a stop, the system's error when it gives no
  // thread; the store stays the caller's then. Does not open the store: that is a task.
  error_code Start(std::shared_ptr<Wal> wal) override;
  // Before the start: NodeIsNotReady.
  error_code SubmitWrite(WriteUnit unit, std::shared_ptr<IoSink> sink) override;
  error_code SubmitRead(ReadRequest request, std::shared_ptr<IoSink> sink) override;
  error_code UseFileSets() override;
  error_code SubmitTask(PartitionId partition,
                        std::function<void(Wal& wal, bool cancelled)> task) override;
  error_code SubmitFileTask(std::function<void(bool cancelled)> task) override;
  [[nodiscard]] bool IsSaturated(PartitionId partition) const noexcept override;
  [[nodiscard]] bool IsDiskFull() const noexcept override;
  [[nodiscard]] IoStatistics Statistics() const noexcept override;
  void Stop(std::function<void()> done) override;
  // The answer of the running write or read is still given. On a thread of the scheduler itself, as
  // when `done` drops the last reference, it waits for the other threads only.
  void Abort() noexcept override;

 private:
  class Impl;  // shared with the threads
  const std::shared_ptr<Impl> impl_;
};

}  // namespace kommander::runtime
