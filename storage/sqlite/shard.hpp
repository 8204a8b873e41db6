// What one shard holds: partitions, entries, and in the first one the records of the store. One
// mutex, since there is one connection: reads wait for writes.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <kommander/detail/mutex.hpp>
#include <kommander/wal.hpp>

#include "common/log_extent.hpp"
#include "sqlite/shard_file.hpp"

namespace kommander::storage {

// Calls as in Wal, for partitions of this shard.
class Shard {
 public:
  Shard(const StoreDirectory& directory, const SchemaSteps& steps, ShardFile::Limits limits)
      : file_(directory, steps, limits) {}
  ~Shard() { Close(); }

  // As in ShardFile, which says in what order.
  error_code Make(const codec::ShardRecord& record, std::string& detail);
  error_code Look(const codec::ShardRecord& record, std::string& detail);
  error_code OpenForWriting(std::string& detail);
  void Close() noexcept;

  error_code GetIdentity(std::optional<StoreIdentity>& identity);
  error_code Create(const StoreIdentity& identity);
  // Adds them to `partitions`.
  error_code ListPartitions(std::vector<PartitionId>& partitions);
  error_code Recover(PartitionId partition, RecoveredPartition& recovered);
  error_code Write(std::span<const WriteUnit* const> units);
  error_code Read(PartitionId partition, LogIndex first, LogIndex last, std::size_t bytes_max,
                  std::vector<Entry>& entries);
  error_code DeletePartition(PartitionId partition);
  error_code GetMetadata(std::string_view key, std::optional<Payload>& value);
  error_code PutMetadata(std::string_view key, const Payload& value);

  // Adds to them. From any thread.
  void AddStatistics(WalStatistics& statistics) const noexcept;

 private:
  struct Planned {
    PartitionId partition;
    std::optional<LogExtent> before;
    LogExtent after;
  };

  error_code Prepare(std::string& detail) KOMMANDER_REQUIRES(mutex_);
  template <class Value, class Decode>
  error_code GetState(PartitionId partition, std::int64_t kind, Decode decode,
                      std::optional<Value>& value) KOMMANDER_REQUIRES(mutex_);
  template <class Value, class Decode>
  error_code GetOfStore(std::string_view name, Decode decode, std::optional<Value>& value)
      KOMMANDER_REQUIRES(mutex_);
  error_code PutOfStore(std::string_view name, ByteSpan record) KOMMANDER_REQUIRES(mutex_);
  error_code GetBoundary(PartitionId partition, std::optional<BoundaryRecord>& boundary)
      KOMMANDER_REQUIRES(mutex_);
  error_code RecoverState(PartitionId partition, RecoveredPartition& recovered)
      KOMMANDER_REQUIRES(mutex_);
  error_code RecoverLog(PartitionId partition, RecoveredPartition& recovered)
      KOMMANDER_REQUIRES(mutex_);
  error_code LoadExtent(PartitionId partition, std::optional<LogExtent>& extent)
      KOMMANDER_REQUIRES(mutex_);
  error_code Plan(std::span<const WriteUnit* const> units) KOMMANDER_REQUIRES(mutex_);
  [[nodiscard]] int Apply(const WriteUnit& unit, const Planned& planned) KOMMANDER_REQUIRES(mutex_);
  [[nodiscard]] int PutStates(const WriteUnit& unit) KOMMANDER_REQUIRES(mutex_);
  [[nodiscard]] int PutEntry(PartitionId partition, const Entry& entry) KOMMANDER_REQUIRES(mutex_);
  [[nodiscard]] int DeleteEntries(PartitionId partition, LogIndex after, LogIndex last)
      KOMMANDER_REQUIRES(mutex_);

  detail::Mutex mutex_;
  // Its counters alone are looked at without the mutex.
  ShardFile file_;
  Statement get_state_ KOMMANDER_GUARDED_BY(mutex_);
  Statement put_state_ KOMMANDER_GUARDED_BY(mutex_);
  Statement delete_states_ KOMMANDER_GUARDED_BY(mutex_);
  Statement list_ KOMMANDER_GUARDED_BY(mutex_);
  Statement get_of_store_ KOMMANDER_GUARDED_BY(mutex_);
  Statement put_of_store_ KOMMANDER_GUARDED_BY(mutex_);
  Statement last_index_ KOMMANDER_GUARDED_BY(mutex_);
  Statement read_ KOMMANDER_GUARDED_BY(mutex_);
  Statement put_entry_ KOMMANDER_GUARDED_BY(mutex_);
  Statement delete_entries_ KOMMANDER_GUARDED_BY(mutex_);
  std::vector<Planned> planned_ KOMMANDER_GUARDED_BY(mutex_);     // of the batch being written
  codec::RecordBytes entry_record_ KOMMANDER_GUARDED_BY(mutex_);  // reused
  std::unordered_map<std::uint32_t, LogExtent> extents_ KOMMANDER_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> batches_{0};
  std::atomic<std::uint64_t> units_{0};
};

}  // namespace kommander::storage
