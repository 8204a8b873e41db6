// The log on SQLite files: a directory, its shards, and which of them a call is for. Internal:
// tests reach the steps of the tables here.
#pragma once

#include <memory>
#include <vector>

#include <kommander/sqlite_wal.hpp>

#include "common/store_directory.hpp"
#include "sqlite/schema.hpp"
#include "sqlite/shard.hpp"

namespace kommander::storage {

class SqliteWal final : public Wal {
 public:
  explicit SqliteWal(SqliteWalOptions options, SchemaSteps steps = ReleasedSteps());
  ~SqliteWal() override;

  error_code Open(std::optional<StoreIdentity>& identity, std::string& detail) override;
  [[nodiscard]] std::size_t FileSets() const noexcept override;
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

 private:
  error_code CheckOptions(std::string& detail) const;
  error_code OpenShards(std::string& detail);
  [[nodiscard]] Shard& ShardOf(PartitionId partition) const noexcept;

  const SqliteWalOptions options_;
  const SchemaSteps steps_;
  StoreDirectory directory_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace kommander::storage
