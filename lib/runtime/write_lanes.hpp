// The queues of one writer of the I/O scheduler: one FIFO lane per partition and the order in which
// lanes are served. Pure bookkeeping; the writer's lock is its caller's matter.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include <kommander/errors.hpp>
#include <kommander/io_scheduler.hpp>
#include <kommander/write_unit.hpp>

#include "runtime/intrusive_queue.hpp"
#include "runtime/io_scheduler_options.hpp"

namespace kommander::runtime {

struct WriteNode {
  WriteUnit unit;
  UnitId id;  // of the unit as it was submitted; a merge gives the first unit the last one's
  std::size_t bytes = 0;
  std::shared_ptr<IoSink> sink;
  WriteNode* next = nullptr;
};

struct WriteLane {
  OwningQueue<WriteNode> queue;
  std::size_t units = 0;  // in the queue and in the running batch
  std::size_t bytes = 0;
  bool in_flight = false;
  WriteLane* next = nullptr;  // in the ready list
};

// What one Wal::Write carries: per partition one run of consecutive units, merged into one.
//
// Merging: a unit joins the one before it when it only appends, sets hard state or hints at a
// commit, that is, when it neither writes a boundary nor truncates, and its entries follow the last
// ones. Applying the sum in one atomic step leaves what applying one after the other would leave;
// a crash sees fewer states between. Without it, a partition that gets many small units during one
// sync would pay one more sync for each of them.
class WriteBatch {
 public:
  explicit WriteBatch(std::size_t partitions_max);

  // Without the lock: joins each run into its first unit.
  void Merge();
  [[nodiscard]] std::span<const WriteUnit* const> units() const noexcept { return units_; }
  [[nodiscard]] bool empty() const noexcept { return runs_.empty(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t unit_count() const noexcept { return unit_count_; }

  // Without the lock: answers every unit, with one call per partition and sink, and empties the
  // batch except for the nodes, which are kept for reuse. Success names the last unit, an error the
  // first.
  void Answer(error_code error) noexcept;

 private:
  friend class WriteLanes;
  struct Run {
    WriteLane* lane;
    OwningQueue<WriteNode> nodes;
    std::size_t bytes;
  };
  std::vector<Run> runs_;
  std::vector<const WriteUnit*> units_;
  OwningQueue<WriteNode> spent_;
  std::size_t bytes_ = 0;
  std::size_t unit_count_ = 0;
};

class WriteLanes {
 public:
  explicit WriteLanes(const IoSchedulerOptions& options);
  ~WriteLanes();

  void Push(WriteUnit&& unit, std::shared_ptr<IoSink>&& sink);
  // At or above one of the lane's caps.
  [[nodiscard]] bool IsSaturated(PartitionId partition) const;

  [[nodiscard]] bool HasReady() const noexcept { return !ready_.empty(); }
  // No further arrival can make the next batch larger.
  [[nodiscard]] bool IsBatchFull() const noexcept;
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t units() const noexcept { return units_; }

  // Moves the next units of the ready lanes into the empty batch, in turn; at least one, if any.
  void Collect(WriteBatch& batch);
  // The batch has been written: its lanes stand at the end of the ready list if they have more.
  void Complete(WriteBatch& batch) noexcept;
  // The file set has failed: whatever is queued joins the batch, each lane behind its own run.
  void FailAll(WriteBatch& batch);
  // Takes everything back that is queued, for dropping it without the lock.
  [[nodiscard]] OwningQueue<WriteNode> DropAll() noexcept;
  // Takes the spent nodes of an answered batch back.
  void Recycle(WriteBatch& batch) noexcept;

 private:
  [[nodiscard]] std::unique_ptr<WriteNode> TakeNode();
  void TakeRun(WriteLane& lane, WriteBatch& batch);

  const IoSchedulerOptions options_;
  std::unordered_map<PartitionId, WriteLane> lanes_;  // stay for as long as the scheduler
  IntrusiveList<WriteLane> ready_;  // lanes with a queue and without a running write
  OwningQueue<WriteNode> free_;
  std::size_t units_ = 0;
  std::size_t bytes_ = 0;
  std::size_t ready_bytes_ = 0;  // queued in ready lanes
};

}  // namespace kommander::runtime
