// The log on a RocksDB database. Internal: tests reach the file system hook here.
#pragma once

#include <atomic>
#include <memory>
#include <unordered_map>

#include <rocksdb/write_batch.h>

#include <kommander/detail/mutex.hpp>
#include <kommander/rocksdb_memory.hpp>

#include "common/log_extent.hpp"
#include "rocksdb/database.hpp"

namespace kommander::storage {

class RocksDbWal final : public Wal {
 public:
  explicit RocksDbWal(const RocksDbWalOptions& options, RocksDbMemory lent = {},
                      std::shared_ptr<rocksdb::FileSystem> file_system = nullptr);
  ~RocksDbWal() override;

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
  std::optional<std::uint64_t> FreeBytes() const noexcept override;
  WalStatistics Statistics() const noexcept override;
  void Close() noexcept override;

  [[nodiscard]] Database& database() noexcept { return database_; }

 private:
  struct PlannedExtent {
    PartitionId partition;
    LogExtent extent;
  };

  error_code RecoverState(PartitionId partition, RecoveredPartition& recovered);
  error_code RecoverLog(PartitionId partition, RecoveredPartition& recovered);
  error_code LoadExtent(PartitionId partition, std::optional<LogExtent>& extent);
  error_code AddUnit(const WriteUnit& unit);
  void AddRemovals(const WriteUnit& unit, const std::optional<LogExtent>& before,
                   const LogExtent& after);
  error_code Commit();
  error_code ReadRun(PartitionId partition, LogIndex first, LogIndex last, std::size_t bytes_max,
                     const rocksdb::Snapshot* snapshot, std::vector<Entry>& entries,
                     bool& stopped_at_gap);

  Database database_;
  rocksdb::WriteBatch batch_;           // the writer's, reused
  std::vector<PlannedExtent> planned_;  // of the batch being written
  detail::Mutex extents_mutex_;         // Recover may run on a reader's thread
  std::unordered_map<std::uint32_t, LogExtent> extents_ KOMMANDER_GUARDED_BY(extents_mutex_);
  std::atomic<std::uint64_t> batches_{0};
  std::atomic<std::uint64_t> units_{0};
};

}  // namespace kommander::storage
