// The disk of one simulated node. It belongs to the world, not to the node: a restart finds on it
// what was synced before, and of what was being written at a crash any part that the contract of
// Wal allows: each unit whole or not at all, every subset of them possible.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <kommander/wal.hpp>

#include "chance.hpp"
#include "observer.hpp"

namespace kommander::sim {

// One partition as it lies on disk.
struct DiskPartition {
  BoundaryRecord boundary;
  HardState hard_state;
  LogIndex commit_hint;
  std::deque<Entry> entries;  // contiguous, the first one at boundary.index + 1

  [[nodiscard]] LogIndex last() const noexcept { return boundary.index + entries.size(); }
  // Null when the index is not in the log.
  [[nodiscard]] const Entry* Find(LogIndex index) const noexcept;
  // Of the entry or of the boundary at the index; 0 when neither.
  [[nodiscard]] Term TermAt(LogIndex index) const noexcept;
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
  void Stage(StagedUnits units) noexcept { staged_ = std::move(units); }
  void EndStage() noexcept { staged_.reset(); }

  // --- What happens to a disk ---
  // The power goes: what was staged survives in part, the lock is gone.
  void Crash();
  // Another disk takes its place.
  void Wipe();
  // The next write or sync fails, after some of its units have reached the disk.
  void FailNextWrite(bool fail = true) noexcept { fail_next_write_ = fail; }
  [[nodiscard]] bool IsFailed() const noexcept { return failed_; }
  // Reads of entries fail until told otherwise.
  void FailReads(bool fail) noexcept { fail_reads_ = fail; }
  void SetFreeBytes(std::optional<std::uint64_t> bytes) noexcept { free_bytes_ = bytes; }

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
  // Units that a crash found half-way, and how many of them it kept.
  [[nodiscard]] std::uint64_t units_torn() const noexcept { return units_torn_; }
  [[nodiscard]] std::uint64_t units_kept() const noexcept { return units_kept_; }
  [[nodiscard]] NodeId node() const noexcept { return node_; }

 private:
  // Empty: the unit may be applied; otherwise what is wrong with it.
  [[nodiscard]] std::string Problem(const WriteUnit& unit) const;
  void Apply(const WriteUnit& unit);
  void Break(const std::string& what);

  const NodeId node_;
  Chance chance_;
  Observer* observer_;
  std::optional<StoreIdentity> identity_;
  std::map<PartitionId, DiskPartition> partitions_;
  std::map<std::string, Payload, std::less<>> metadata_;
  StagedUnits staged_;
  WalStatistics statistics_;
  std::optional<std::uint64_t> free_bytes_;
  std::uint64_t units_torn_ = 0;
  std::uint64_t units_kept_ = 0;
  bool open_ = false;
  bool failed_ = false;
  bool fail_next_write_ = false;
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
