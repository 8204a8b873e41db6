// The disk of one simulated node. It belongs to the world, not to the node: a restart finds on it
// what was synced before, and of what was being written at a crash any part that the contract of
// Wal allows: each unit whole or not at all, every subset of them possible.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <kommander/wal.hpp>

#include "chance.hpp"
#include "fault_mark.hpp"
#include "observer.hpp"

namespace kommander::sim {

// One partition as it lies on disk.
struct DiskPartition {
  BoundaryRecord boundary;
  HardState hard_state;
  LogIndex commit_hint;
  ApplicationRecord application;
  std::deque<Entry> entries;  // contiguous, the first one at boundary.index + 1

  [[nodiscard]] LogIndex last() const noexcept { return boundary.index + entries.size(); }
  // Null when the index is not in the log.
  [[nodiscard]] const Entry* Find(LogIndex index) const noexcept;
  // Of the entry or of the boundary at the index; 0 when neither.
  [[nodiscard]] Term TermAt(LogIndex index) const noexcept;
};

// How the next write fails. Either way the store is broken until it is opened anew.
enum class WriteFault : std::uint8_t {
  kNone,
  kWriteError,  // before anything of it has reached the disk
  kSyncError,   // any part of it may be there
};

// What a disk is at work on when somebody waits for that moment.
enum class DiskMoment : std::uint8_t { kWrite, kTask };

// How often each kind of fault has shown.
struct DiskEffects {
  std::uint64_t write_errors = 0;
  std::uint64_t sync_errors = 0;
  std::uint64_t read_errors = 0;
  std::uint64_t found_full = 0;       // proposals were refused for want of space
  std::uint64_t units_torn = 0;       // units that a crash found half-way,
  std::uint64_t units_kept = 0;       // and how many of them it kept
  std::uint64_t operations_lost = 0;  // of a task that was cut short by a crash
  std::uint64_t logs_cut = 0;         // became shorter at their beginning,
  std::uint64_t logs_replaced = 0;    // or were dropped for a snapshot
};

// Units of one write that has begun and not ended, in the order of their queue. Of each partition
// a prefix may survive.
using StagedUnits = std::shared_ptr<const std::vector<WriteUnit>>;

class SimDisk {
 public:
  SimDisk(NodeId node, Chance chance, Observer* observer)
      : node_(node), chance_(chance), observer_(observer) {}

  // --- What the log does; SimWal calls these ---
  error_code Open(std::optional<StoreIdentity>& identity);
  void Close() noexcept { open_ = false; }
  error_code Create(const StoreIdentity& identity);
  error_code Recover(PartitionId partition, RecoveredPartition& recovered);
  error_code Write(std::span<const WriteUnit* const> units);
  error_code Read(PartitionId partition, LogIndex first, LogIndex last, std::size_t bytes_max,
                  std::vector<Entry>& entries);
  error_code DeletePartition(PartitionId partition);
  error_code PutMetadata(std::string_view key, const Payload& value);

  // --- What the scheduler tells ---
  // A write has begun; it ends with Write and EndStage, or with a crash.
  void Stage(StagedUnits units);
  void EndStage() noexcept { staged_.reset(); }
  // The same of a task that uses the log as it likes.
  void BeginTask();
  void EndTask() noexcept { task_running_ = false; }
  // Space was looked for in vain.
  void CountFull() noexcept {
    ++effects_.found_full;
    full_by_.Felt();
  }
  // The power is going while a task runs: so many of its changes reach the disk yet, in their order
  // (what the later ones would have made, an entry of a directory for one, is lost).
  void DieAfter(std::uint64_t operations) noexcept { operations_left_ = operations; }

  // --- What happens to a disk ---
  // The power goes: what was staged survives in part, the lock is gone.
  void Crash();
  void FailNextWrite(WriteFault fault, FaultMark mark = {}) noexcept {
    write_fault_ = fault;
    write_failed_by_ = mark;
  }
  // Calls back once, as soon as a write or task is under way; null: not any more.
  void Await(DiskMoment moment, std::function<void()> then);
  [[nodiscard]] bool IsAwaited(DiskMoment moment) const noexcept {
    return static_cast<bool>(awaited_[static_cast<std::size_t>(moment)]);
  }
  [[nodiscard]] bool IsIn(DiskMoment moment) const noexcept {
    return moment == DiskMoment::kWrite ? staged_ != nullptr : task_running_;
  }
  [[nodiscard]] bool IsFailed() const noexcept { return failed_; }
  // Reads of entries fail until told otherwise.
  void FailReads(bool fail, FaultMark mark = {}) noexcept {
    fail_reads_ = fail;
    reads_failed_by_ = mark;
  }
  void SetFreeBytes(std::optional<std::uint64_t> bytes, FaultMark mark = {}) noexcept {
    free_bytes_ = bytes;
    full_by_ = mark;
  }

  // --- Views ---
  [[nodiscard]] const DiskPartition* Find(PartitionId partition) const noexcept;
  [[nodiscard]] const std::map<PartitionId, DiskPartition>& partitions() const noexcept {
    return partitions_;
  }
  [[nodiscard]] const std::map<std::string, Payload, std::less<>>& metadata() const noexcept {
    return metadata_;
  }
  [[nodiscard]] const std::optional<StoreIdentity>& identity() const noexcept { return identity_; }
  [[nodiscard]] std::optional<std::uint64_t> free_bytes() const noexcept { return free_bytes_; }
  [[nodiscard]] WalStatistics statistics() const noexcept { return statistics_; }
  [[nodiscard]] const DiskEffects& effects() const noexcept { return effects_; }
  [[nodiscard]] NodeId node() const noexcept { return node_; }

 private:
  // Empty: the unit may be applied; otherwise what is wrong with it.
  [[nodiscard]] std::string Problem(const WriteUnit& unit) const;
  void Apply(const WriteUnit& unit);
  void Break(const std::string& what);
  // Whether one more change reaches the disk.
  bool TakeOperation() noexcept;
  // Whether this change of a single value fails; what `change` does may have been done all the
  // same.
  template <class Change>
  bool FailsNow(Change change);
  void Reached(DiskMoment moment);

  const NodeId node_;
  Chance chance_;
  Observer* observer_;
  std::optional<StoreIdentity> identity_;
  std::map<PartitionId, DiskPartition> partitions_;
  std::map<std::string, Payload, std::less<>> metadata_;
  StagedUnits staged_;
  WalStatistics statistics_;
  std::optional<std::uint64_t> free_bytes_;
  DiskEffects effects_;
  std::optional<std::uint64_t> operations_left_;
  std::array<std::function<void()>, 2> awaited_;
  WriteFault write_fault_ = WriteFault::kNone;
  FaultMark write_failed_by_;
  FaultMark reads_failed_by_;
  FaultMark full_by_;
  bool task_running_ = false;
  bool open_ = false;
  bool failed_ = false;
  bool fail_reads_ = false;
};

// The log of one life of the node, over its disk.
class SimWal final : public Wal {
 public:
  explicit SimWal(std::shared_ptr<SimDisk> disk) : disk_(std::move(disk)) {}
  error_code Open(std::optional<StoreIdentity>& identity, std::string& detail) override;
  error_code Create(const StoreIdentity& identity) override;
  error_code ListPartitions(std::vector<PartitionId>& partitions) override;
  error_code Recover(PartitionId partition, RecoveredPartition& recovered) override;
  error_code Write(std::span<const WriteUnit* const> units) override;
  error_code Read(PartitionId partition, LogIndex first, LogIndex last, std::size_t bytes_max,
                  std::vector<Entry>& entries) override;
  error_code DeletePartition(PartitionId partition) override;
  error_code GetMetadata(std::string_view key, std::optional<Payload>& value) override;
  error_code PutMetadata(std::string_view key, const Payload& value) override;
  std::optional<std::uint64_t> FreeBytes() const noexcept override { return disk_->free_bytes(); }
  WalStatistics Statistics() const noexcept override { return disk_->statistics(); }
  void Close() noexcept override;

  // The process has gone: whatever still holds this log reaches the disk no more.
  void Detach() noexcept { attached_ = false; }
  [[nodiscard]] SimDisk& disk() noexcept { return *disk_; }

 private:
  std::shared_ptr<SimDisk> disk_;
  bool attached_ = true;
};

}  // namespace kommander::sim
