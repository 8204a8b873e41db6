// The one door through which blocking work leaves. Partitions queue write units and reads; the
// scheduler carries them to a Wal, fairly, and answers from wherever it runs: sinks only enqueue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <kommander/detail/export.hpp>
#include <kommander/errors.hpp>
#include <kommander/wal.hpp>
#include <kommander/write_unit.hpp>

namespace kommander {

// Entries of one partition, from the disk.
struct ReadRequest {
  ReadRequest() = default;
  ReadRequest(PartitionId read_partition, std::uint64_t request_number, LogIndex first_index,
              LogIndex last_index, std::size_t bytes_at_most)
      : partition(read_partition),
        request(request_number),
        first(first_index),
        last(last_index),
        bytes_max(bytes_at_most) {}
  PartitionId partition;
  std::uint64_t request = 0;  // the caller's number, given back
  LogIndex first;
  LogIndex last;
  std::size_t bytes_max = 0;
};

// What was read for a request, from the first of its entries on.
struct ReadResult {
  ReadResult() = default;
  PartitionId partition;
  std::uint64_t request = 0;
  LogIndex first;
  error_code error;
  std::vector<Entry> entries;
};

// Answers go here, from any thread, exactly once per accepted submission. Implementations return
// quickly and never call back into the scheduler.
class KOMMANDER_EXPORT IoSink {
 public:
  virtual ~IoSink() = default;
  // Every unit up to `unit` of the partition is synced; or, with an error, that unit and all later
  // ones of the partition's file set are lost to this process. One call may answer several units:
  // on success it names the last one of them, with an error the first.
  virtual void OnWritten(PartitionId partition, UnitId unit, error_code error) noexcept = 0;
  virtual void OnRead(ReadResult result) noexcept = 0;
};

// Counts since the start, of all file sets together; readable from any thread.
struct IoStatistics {
  IoStatistics() = default;
  std::uint64_t write_batches = 0;  // calls of Wal::Write; one concerns one file set
  std::uint64_t write_units = 0;
  std::uint64_t read_batches = 0;
  std::uint64_t reads = 0;
  std::uint64_t refused = 0;  // reads and tasks that met a cap
  std::size_t queued_write_bytes = 0;
};

// Thread-safe. Lanes are FIFO; no lane has two writes in flight, and of each file set of the store
// there is one write at a time, which carries units of that set only. After an error from a Submit
// the sink will not be called: `StorageFailed`, which concerns the partition's file set alone,
// `NodeStopped`, and for reads and tasks `ProposalQueueFull`, which means that a cap was met.
class KOMMANDER_EXPORT IoScheduler {
 public:
  virtual ~IoScheduler() = default;

  // Takes the store over; before anything is submitted. Starts whatever threads it needs.
  virtual error_code Start(std::shared_ptr<Wal> wal) = 0;

  // Serves every file set of the store by itself from now on. Called once, by the task that opened
  // the store; before that only tasks of partition 0 are submitted. The system's error when it
  // gives no thread for it: nothing but partition 0's file set may be used then. `NodeStopped` when
  // the scheduler has been told to stop.
  virtual error_code UseFileSets() = 0;

  // No cap refuses a unit: its core counts on it already. What would make new ones is refused
  // before a core sees it; see IsSaturated.
  virtual error_code SubmitWrite(WriteUnit unit, std::shared_ptr<IoSink> sink) = 0;
  virtual error_code SubmitRead(ReadRequest request, std::shared_ptr<IoSink> sink) = 0;

  // Other blocking work on the file set of `partition`: opening the store and metadata are of
  // partition 0's. Tasks of one set run one after the other, never beside a write of that set, but
  // beside those of others. They must not throw. `cancelled` is true when the scheduler stops
  // before the task ran.
  virtual error_code SubmitTask(PartitionId partition,
                                std::function<void(Wal& wal, bool cancelled)> task) = 0;

  // Blocking work on other files than the log's, of snapshots: beside writes and reads, which it
  // never keeps waiting where there are threads for both; in no order, so one after the other is
  // for the caller to see to. Likewise otherwise.
  virtual error_code SubmitFileTask(std::function<void(bool cancelled)> task) = 0;

  // True while a cap on unanswered units is met, the partition's or the node's. Who asks then
  // refuses proposals and drops entries from peers, which both come again; votes, a few terms,
  // boundaries and what a leader adds by itself go on. So the caps may be passed by these, and by
  // what one burst of a partition had accepted before.
  [[nodiscard]] virtual bool IsSaturated(PartitionId partition) const noexcept = 0;
  // True while free space is below the watermark: new proposals are refused (DiskFull), everything
  // else goes on. Asking is also what makes a scheduler look again, so ask per proposal or burst.
  [[nodiscard]] virtual bool IsDiskFull() const noexcept { return false; }
  [[nodiscard]] virtual IoStatistics Statistics() const noexcept = 0;

  // No submission is accepted afterwards; accepted work drains, then threads end and the store is
  // closed, then `done` is called, once, possibly from an I/O thread. A second Stop calls its
  // `done` too.
  virtual void Stop(std::function<void()> done) = 0;

  // For destructors: like Stop, but waits for the running write only and drops what is queued
  // without calling its sinks. Returns when no thread of the scheduler runs any more.
  virtual void Abort() noexcept = 0;
};

}  // namespace kommander
