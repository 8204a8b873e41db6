// Opening a store, and the way to its shards.
#include "sqlite/sqlite_wal.hpp"

#include <algorithm>
#include <utility>

#include "sqlite/layout.hpp"

namespace kommander::storage {
namespace {

constexpr std::uint32_t kShardsMax = 64;
constexpr std::uint64_t kCacheBytesMin = std::uint64_t{64} << 10;  // of one shard
constexpr std::uint64_t kCacheBytesMax = std::uint64_t{64} << 30;
constexpr std::uint64_t kCheckpointBytesMin = std::uint64_t{64} << 10;
constexpr std::uint64_t kCheckpointBytesMax = std::uint64_t{1} << 30;

std::string OutOfRange(const char* name, std::uint64_t value, std::uint64_t least,
                       std::uint64_t most) {
  return std::string("SqliteWalOptions: ") + name + " is " + std::to_string(value) + ", not " +
         std::to_string(least) + " to " + std::to_string(most);
}

}  // namespace

SqliteWal::SqliteWal(SqliteWalOptions options, SchemaSteps steps)
    : options_(std::move(options)), steps_(std::move(steps)) {}

SqliteWal::~SqliteWal() { Close(); }

error_code SqliteWal::CheckOptions(std::string& detail) const {
  const std::uint32_t shards = options_.shards();
  const std::uint64_t cache_min = shards * kCacheBytesMin;
  if (shards < 1 || shards > kShardsMax) {
    detail = OutOfRange("Shards", shards, 1, kShardsMax);
  } else if (options_.cache_bytes() < cache_min || options_.cache_bytes() > kCacheBytesMax) {
    detail = OutOfRange("CacheBytes", options_.cache_bytes(), cache_min, kCacheBytesMax);
  } else if (options_.checkpoint_bytes() < kCheckpointBytesMin ||
             options_.checkpoint_bytes() > kCheckpointBytesMax) {
    detail = OutOfRange("CheckpointBytes", options_.checkpoint_bytes(), kCheckpointBytesMin,
                        kCheckpointBytesMax);
  } else {
    return {};
  }
  return RaftErrc::InvalidConfiguration;
}

error_code SqliteWal::Open(std::optional<StoreIdentity>& identity, std::string& detail) {
  identity.reset();
  if (const error_code error = CheckOptions(detail)) return error;
  if (const error_code error = directory_.Open(options_.directory(), detail)) return error;
  ShardFile::Limits limits;
  limits.cache_bytes = options_.cache_bytes() / options_.shards();
  limits.checkpoint_bytes = options_.checkpoint_bytes();
  for (std::uint32_t shard = 0; shard < options_.shards(); ++shard) {
    shards_.push_back(std::make_unique<Shard>(directory_, steps_, limits));
  }
  error_code error = OpenShards(detail);
  if (!error) {
    error = shards_.front()->GetIdentity(identity);
    if (error) detail = "the identity record cannot be read";
  }
  if (error) Close();
  return error;
}

// Every shard is looked at before one of them is changed.
error_code SqliteWal::OpenShards(std::string& detail) {
  std::optional<codec::ShardRecord> found;
  if (const error_code error = ReadStoreFile(directory_, found, detail)) return error;
  codec::ShardRecord store(0, options_.shards(), options_.shards());
  if (found) {
    store = *found;
  } else {
    sqlite3_randomness(sizeof(store.store), &store.store);
    if (const error_code error = BeginCreation(directory_, detail)) return error;
  }
  if (store.shards != options_.shards()) {
    detail = "the log in " + directory_.path() + " was created with " +
             std::to_string(store.shards) + " shards and is opened with " +
             std::to_string(options_.shards()) + ": set SqliteWalOptions::Shards to " +
             std::to_string(store.shards);
    return RaftErrc::InvalidConfiguration;
  }
  for (std::uint32_t number = 0; number < store.shards; ++number) {
    const codec::ShardRecord record(store.store, store.shards, number);
    Shard& shard = *shards_[number];
    const error_code error = found ? shard.Look(record, detail) : shard.Make(record, detail);
    if (error) return error;
  }
  for (const std::unique_ptr<Shard>& shard : shards_) {
    if (const error_code error = shard->OpenForWriting(detail)) return error;
  }
  if (!found) {
    if (const error_code error = FinishCreation(directory_, store, detail)) return error;
  }
  // Names, too, may be in memory only: those of an open that was interrupted.
  if (SyncDirectory(directory_.path())) return {};
  detail = "cannot sync the directory " + directory_.path();
  return RaftErrc::WalUnavailable;
}

void SqliteWal::Close() noexcept {
  shards_.clear();
  directory_.Close();
}

std::size_t SqliteWal::FileSets() const noexcept { return options_.shards(); }

Shard& SqliteWal::ShardOf(PartitionId partition) const noexcept {
  return *shards_[partition.value() % shards_.size()];
}

error_code SqliteWal::Create(const StoreIdentity& identity) {
  return shards_.front()->Create(identity);
}

error_code SqliteWal::ListPartitions(std::vector<PartitionId>& partitions) {
  partitions.clear();
  for (const std::unique_ptr<Shard>& shard : shards_) {
    if (const error_code error = shard->ListPartitions(partitions)) return error;
  }
  std::sort(partitions.begin(), partitions.end());
  return {};
}

error_code SqliteWal::Recover(PartitionId partition, RecoveredPartition& recovered) {
  return ShardOf(partition).Recover(partition, recovered);
}

error_code SqliteWal::Write(std::span<const WriteUnit* const> units) {
  if (units.empty()) return {};
  Shard& shard = ShardOf(units.front()->partition);
  for (const WriteUnit* unit : units) {
    // No caller does this: there is no sync that would cover both.
    if (&ShardOf(unit->partition) != &shard) return RaftErrc::InvalidArgument;
  }
  return shard.Write(units);
}

error_code SqliteWal::Read(PartitionId partition, LogIndex first, LogIndex last,
                           std::size_t bytes_max, std::vector<Entry>& entries) {
  return ShardOf(partition).Read(partition, first, last, bytes_max, entries);
}

error_code SqliteWal::DeletePartition(PartitionId partition) {
  return ShardOf(partition).DeletePartition(partition);
}

error_code SqliteWal::GetMetadata(std::string_view key, std::optional<Payload>& value) {
  return shards_.front()->GetMetadata(key, value);
}

error_code SqliteWal::PutMetadata(std::string_view key, const Payload& value) {
  return shards_.front()->PutMetadata(key, value);
}

std::optional<std::uint64_t> SqliteWal::FreeBytes() const noexcept {
  return directory_.FreeBytes();
}

WalStatistics SqliteWal::Statistics() const noexcept {
  WalStatistics statistics;
  for (const std::unique_ptr<Shard>& shard : shards_) shard->AddStatistics(statistics);
  return statistics;
}

}  // namespace kommander::storage

namespace kommander {

std::shared_ptr<Wal> MakeSqliteWal(SqliteWalOptions options) {
  return std::make_shared<storage::SqliteWal>(std::move(options));
}

}  // namespace kommander
