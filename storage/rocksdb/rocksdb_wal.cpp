// Units to batches, keys to entries.
#include "rocksdb/rocksdb_wal.hpp"

#include <array>
#include <utility>

#include <rocksdb/iterator.h>

#include <kommander/detail/crash_point.hpp>

#include "codec/wal_record.hpp"
#include "common/body_arena.hpp"
#include "mutants/mutants.hpp"
#include "rocksdb/keys.hpp"

namespace kommander::storage {
namespace {

constexpr std::size_t kBatchKeptBytes = std::size_t{4} << 20;
// Up to so many entries go one by one: a range tombstone costs every later read a little.
constexpr std::uint64_t kSingleDeletesMax = 16;
constexpr std::size_t kScanReadaheadBytes = std::size_t{2} << 20;

// A read that fails is damage to what it asked for, unless the disk said no, or a lent cache that
// takes no more.
error_code ReadError(const rocksdb::Status& status) noexcept {
  const bool was_refused = status.IsIOError() || status.IsIncomplete() || status.IsMemoryLimit();
  return was_refused ? RaftErrc::StorageFailed : RaftErrc::WalCorrupted;
}

// Gets a record and decodes it. `value` is none when there is no such key.
template <class Value, class Decode>
error_code GetRecord(const Database& database, const rocksdb::Slice& key, Decode decode,
                     std::optional<Value>& value) {
  rocksdb::PinnableSlice record;
  const rocksdb::Status status = database.db().Get({}, database.state(), key, &record);
  value.reset();
  if (status.IsNotFound()) return {};
  if (!status.ok()) return ReadError(status);
  value = decode(AsSpan(record));
  return value ? error_code() : error_code(RaftErrc::WalCorrupted);
}

error_code GetBoundary(const Database& database, PartitionId partition,
                       std::optional<BoundaryRecord>& boundary) {
  const auto decode = [&](ByteSpan record) {
    return codec::DecodeBoundaryRecord(partition, record);
  };
  return GetRecord(database, StateKey(StateKey::kBoundary, partition).slice(), decode, boundary);
}

// rocksdb::WriteBatch only refuses keys and values beyond 4 GiB, which no caller can make.
void Check(rocksdb::Status status) noexcept { status.PermitUncheckedError(); }

void PutEntry(rocksdb::WriteBatch& batch, rocksdb::ColumnFamilyHandle* family,
              PartitionId partition, const Entry& entry) {
  const EntryKey key(partition, entry.index);
  const codec::EntryRecordHeader header = codec::EncodeEntryRecordHeader(partition, entry);
  const std::array<rocksdb::Slice, 2> value{AsSlice(header), AsSlice(entry.body.bytes())};
  const rocksdb::Slice key_slice = key.slice();
  Check(batch.Put(family, rocksdb::SliceParts(&key_slice, 1),
                  rocksdb::SliceParts(value.data(), static_cast<int>(value.size()))));
}

}  // namespace

RocksDbWal::RocksDbWal(const RocksDbWalOptions& options, RocksDbMemory lent,
                       std::shared_ptr<rocksdb::FileSystem> file_system)
    : database_(options, std::move(lent), std::move(file_system)) {}

RocksDbWal::~RocksDbWal() { Close(); }

error_code RocksDbWal::Open(std::optional<StoreIdentity>& identity, std::string& detail) {
  identity.reset();
  {
    const detail::MutexLock lock(extents_mutex_);
    extents_.clear();
  }
  batches_ = units_ = 0;
  if (const error_code error = database_.Open(detail)) return error;
  const error_code error =
      GetRecord(database_, kIdentityKey, codec::DecodeIdentityRecord, identity);
  if (error) {
    detail = "the identity record cannot be read";
    Close();
  }
  return error;
}

void RocksDbWal::Close() noexcept { database_.Close(); }

error_code RocksDbWal::Create(const StoreIdentity& identity) {
  std::optional<StoreIdentity> present;
  if (const error_code error =
          GetRecord(database_, kIdentityKey, codec::DecodeIdentityRecord, present)) {
    return error;
  }
  if (present) return RaftErrc::WalForeign;
  database_.Begin(batch_);
  Check(
      batch_.Put(database_.state(), kIdentityKey, AsSlice(codec::EncodeIdentityRecord(identity))));
  KOMMANDER_CRASH_POINT("wal.before_identity");
  return database_.Commit(batch_);
}

error_code RocksDbWal::ListPartitions(std::vector<PartitionId>& partitions) {
  partitions.clear();
  const std::unique_ptr<rocksdb::Iterator> iterator(
      database_.db().NewIterator({}, database_.state()));
  const rocksdb::Slice tag(&StateKey::kBoundary, 1);
  for (iterator->Seek(tag); iterator->Valid() && iterator->key().starts_with(tag);
       iterator->Next()) {
    if (iterator->key().size() != StateKey::kBytes) return RaftErrc::WalCorrupted;
    partitions.push_back(StateKey::PartitionOf(iterator->key()));
  }
  return iterator->status().ok() ? error_code() : ReadError(iterator->status());
}

error_code RocksDbWal::Recover(PartitionId partition, RecoveredPartition& recovered) {
  recovered = RecoveredPartition();
  if (const error_code error = RecoverState(partition, recovered)) return error;
  if (const error_code error = RecoverLog(partition, recovered)) return error;
  const detail::MutexLock lock(extents_mutex_);
  extents_[partition.value()] = LogExtent{recovered.boundary.index, recovered.last_index};
  return {};
}

error_code RocksDbWal::RecoverState(PartitionId partition, RecoveredPartition& recovered) {
  std::optional<BoundaryRecord> boundary;
  if (const error_code error = GetBoundary(database_, partition, boundary)) return error;
  if (!boundary) return RaftErrc::PartitionNotFound;
  recovered.boundary = std::move(*boundary);

  std::optional<HardState> hard_state;
  error_code error = GetRecord(
      database_, StateKey(StateKey::kHardState, partition).slice(),
      [&](ByteSpan record) { return codec::DecodeHardStateRecord(partition, record); }, hard_state);
  if (error) return error;
  recovered.hard_state = hard_state.value_or(HardState());

  std::optional<LogIndex> hint;
  error = GetRecord(
      database_, StateKey(StateKey::kCommitHint, partition).slice(),
      [&](ByteSpan record) { return codec::DecodeCommitHintRecord(partition, record); }, hint);
  if (error) return error;
  recovered.commit_hint = hint.value_or(LogIndex());

  std::optional<ApplicationRecord> application;
  error = GetRecord(
      database_, StateKey(StateKey::kApplication, partition).slice(),
      [&](ByteSpan record) { return codec::DecodeApplicationRecord(partition, record); },
      application);
  recovered.application = application.value_or(ApplicationRecord());
  return error;
}

// One scan over the log. Each record's checksum is verified, and that no index is missing.
error_code RocksDbWal::RecoverLog(PartitionId partition, RecoveredPartition& recovered) {
  const EntryKey first(partition, recovered.boundary.index.Next());
  const EntryKeyAfter end(partition);
  const rocksdb::Slice end_slice = end.slice();
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &end_slice;
  options.fill_cache = false;
  options.readahead_size = kScanReadaheadBytes;
  const std::unique_ptr<rocksdb::Iterator> iterator(
      database_.db().NewIterator(options, database_.log()));
  recovered.last_index = recovered.boundary.index;
  for (iterator->Seek(first.slice()); iterator->Valid(); iterator->Next()) {
    const rocksdb::Slice key = iterator->key();
    const LogIndex index = recovered.last_index.Next();
    if (key != EntryKey(partition, index).slice()) return RaftErrc::WalCorrupted;
    const auto entry = codec::DecodeEntryRecord(partition, index, AsSpan(iterator->value()));
    if (!entry) return RaftErrc::WalCorrupted;
    recovered.last_index = index;
    recovered.greatest_stamp = std::max(recovered.greatest_stamp, entry->ticket);
    if (recovered.terms.empty() || recovered.terms.back().term != entry->term) {
      recovered.terms.push_back(TermRun{index, entry->term});
    }
    if (entry->kind == EntryKind::kConfiguration) {
      recovered.configuration_entries.emplace_back(entry->term, index, entry->kind, entry->ticket,
                                                   Payload(entry->body));
    }
  }
  return iterator->status().ok() ? error_code() : ReadError(iterator->status());
}

error_code RocksDbWal::LoadExtent(PartitionId partition, std::optional<LogExtent>& extent) {
  {
    const detail::MutexLock lock(extents_mutex_);
    const auto found = extents_.find(partition.value());
    if (found != extents_.end()) {
      extent = found->second;
      return {};
    }
  }
  extent.reset();
  std::optional<BoundaryRecord> boundary;
  if (const error_code error = GetBoundary(database_, partition, boundary)) return error;
  if (!boundary) return {};
  const EntryKey first(partition, boundary->index.Next());
  const rocksdb::Slice lower = first.slice();
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &lower;
  const std::unique_ptr<rocksdb::Iterator> iterator(
      database_.db().NewIterator(options, database_.log()));
  iterator->SeekForPrev(EntryKeyAfter(partition).slice());
  extent = LogExtent{boundary->index, boundary->index};
  if (iterator->Valid()) extent->last = EntryKey::IndexOf(iterator->key());
  return iterator->status().ok() ? error_code() : ReadError(iterator->status());
}

error_code RocksDbWal::Write(std::span<const WriteUnit* const> units) {
  if (database_.has_failed()) return RaftErrc::StorageFailed;
  database_.Begin(batch_);
  planned_.clear();
  for (const WriteUnit* unit : units) {
    if (const error_code error = AddUnit(*unit)) return error;
  }
  const error_code error = Commit();
  if (error) return error;
  ++batches_;
  units_ += units.size();
  const detail::MutexLock lock(extents_mutex_);
  for (const PlannedExtent& planned : planned_) {
    extents_[planned.partition.value()] = planned.extent;
  }
  return {};
}

error_code RocksDbWal::Commit() {
  const error_code error = database_.Commit(batch_);
  if (batch_.GetDataSize() > kBatchKeptBytes) batch_ = rocksdb::WriteBatch();
  return error;
}

// In the order of the unit's members; within a batch later operations win over earlier ones.
error_code RocksDbWal::AddUnit(const WriteUnit& unit) {
  std::optional<LogExtent> before;
  if (const error_code error = LoadExtent(unit.partition, before)) return error;
  const std::optional<LogExtent> after = ExtentAfter(before, unit);
  if (!after) return RaftErrc::InvalidArgument;
  planned_.push_back({unit.partition, *after});

  rocksdb::ColumnFamilyHandle* state = database_.state();
  const PartitionId partition = unit.partition;
  if (unit.boundary) {
    const codec::RecordBytes record = codec::EncodeBoundaryRecord(partition, *unit.boundary);
    Check(batch_.Put(state, StateKey(StateKey::kBoundary, partition).slice(), AsSlice(record)));
  }
  AddRemovals(unit, before, *after);
  for (const Entry& entry : unit.entries) PutEntry(batch_, database_.log(), partition, entry);
  if (unit.hard_state) {
    const codec::RecordBytes record = codec::EncodeHardStateRecord(partition, *unit.hard_state);
    Check(batch_.Put(state, StateKey(StateKey::kHardState, partition).slice(), AsSlice(record)));
  }
  if (unit.commit_hint) {
    const codec::RecordBytes record = codec::EncodeCommitHintRecord(partition, *unit.commit_hint);
    Check(batch_.Put(state, StateKey(StateKey::kCommitHint, partition).slice(), AsSlice(record)));
  }
  if (unit.application) {
    const codec::RecordBytes record = codec::EncodeApplicationRecord(partition, *unit.application);
    Check(batch_.Put(state, StateKey(StateKey::kApplication, partition).slice(), AsSlice(record)));
  }
  return {};
}

// Removes the prefix up to the boundary, and what a truncation leaves behind the new end. Entries
// that the unit writes again are simply overwritten.
void RocksDbWal::AddRemovals(const WriteUnit& unit, const std::optional<LogExtent>& before,
                             const LogExtent& after) {
  if (!before) return;
  rocksdb::ColumnFamilyHandle* log = database_.log();
  const PartitionId partition = unit.partition;
  const bool in_steps = KOMMANDER_MUTANT(truncation_in_steps);
  if ((in_steps || KOMMANDER_MUTANT(truncation_apart)) && unit.truncate_from) {
    for (LogIndex index = *unit.truncate_from; index <= before->last; index = index.Next()) {
      Check(batch_.Delete(log, EntryKey(partition, index).slice()));
      if (!in_steps && index < before->last) continue;
      (void)Commit();
      database_.Begin(batch_);
    }
  }
  const LogIndex prefix_end = std::min(after.boundary, before->last);
  if (prefix_end > before->boundary) {
    Check(batch_.DeleteRange(log, EntryKey(partition, before->boundary.Next()).slice(),
                             EntryKeyAfter(partition, prefix_end).slice()));
  }
  const LogIndex tail = std::max(after.last, prefix_end);
  const std::uint64_t count = LogIndex::Distance(tail, before->last);
  if (count > kSingleDeletesMax) {
    Check(batch_.DeleteRange(log, EntryKey(partition, tail.Next()).slice(),
                             EntryKeyAfter(partition, before->last).slice()));
    return;
  }
  for (LogIndex index = tail.Next(); index <= before->last; index = index.Next()) {
    Check(batch_.Delete(log, EntryKey(partition, index).slice()));
  }
}

error_code RocksDbWal::Read(PartitionId partition, LogIndex first, LogIndex last,
                            std::size_t bytes_max, std::vector<Entry>& entries) {
  bool stopped_at_gap = false;
  error_code error = ReadRun(partition, first, last, bytes_max, nullptr, entries, stopped_at_gap);
  if (error || !stopped_at_gap) return error;
  // Outside of the log, or a hole in it? Ask for the boundary, all as of one moment.
  rocksdb::ManagedSnapshot snapshot(&database_.db());
  error = ReadRun(partition, first, last, bytes_max, snapshot.snapshot(), entries, stopped_at_gap);
  if (error || !stopped_at_gap) return error;
  rocksdb::ReadOptions options;
  options.snapshot = snapshot.snapshot();
  rocksdb::PinnableSlice record;
  const rocksdb::Status status = database_.db().Get(
      options, database_.state(), StateKey(StateKey::kBoundary, partition).slice(), &record);
  if (status.IsNotFound()) return {};
  if (!status.ok()) return ReadError(status);
  const auto boundary = codec::DecodeBoundaryRecord(partition, AsSpan(record));
  if (!boundary || first > boundary->index) {
    entries.clear();
    return RaftErrc::WalCorrupted;
  }
  return {};
}

// Reads while indexes follow one another. A gap: a later entry came where the next was expected.
error_code RocksDbWal::ReadRun(PartitionId partition, LogIndex first, LogIndex last,
                               std::size_t bytes_max, const rocksdb::Snapshot* snapshot,
                               std::vector<Entry>& entries, bool& stopped_at_gap) {
  entries.clear();
  stopped_at_gap = false;
  if (first > last) return {};
  const EntryKeyAfter end(partition, last);
  const rocksdb::Slice end_slice = end.slice();
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &end_slice;
  options.snapshot = snapshot;
  const std::unique_ptr<rocksdb::Iterator> iterator(
      database_.db().NewIterator(options, database_.log()));
  BodyArena bodies;
  std::size_t bytes = 0;
  LogIndex index = first;
  for (iterator->Seek(EntryKey(partition, first).slice()); iterator->Valid(); iterator->Next()) {
    if (iterator->key() != EntryKey(partition, index).slice()) {
      stopped_at_gap = true;
      return {};
    }
    const auto view = codec::DecodeEntryRecord(partition, index, AsSpan(iterator->value()));
    if (!view) {
      entries.clear();
      return RaftErrc::WalCorrupted;
    }
    entries.emplace_back(view->term, index, view->kind, view->ticket, bodies.Copy(view->body));
    bytes += entries.back().SizeBytes();
    if (bytes >= bytes_max) return {};
    index = index.Next();
  }
  if (iterator->status().ok()) return {};
  entries.clear();
  return ReadError(iterator->status());
}

error_code RocksDbWal::DeletePartition(PartitionId partition) {
  database_.Begin(batch_);
  Check(batch_.DeleteRange(database_.log(), EntryKey(partition, LogIndex()).slice(),
                           EntryKeyAfter(partition).slice()));
  for (const char tag :
       {StateKey::kBoundary, StateKey::kHardState, StateKey::kCommitHint, StateKey::kApplication}) {
    Check(batch_.Delete(database_.state(), StateKey(tag, partition).slice()));
  }
  const error_code error = database_.Commit(batch_);
  const detail::MutexLock lock(extents_mutex_);
  extents_.erase(partition.value());
  return error;
}

error_code RocksDbWal::GetMetadata(std::string_view key, std::optional<Payload>& value) {
  const auto decode = [&](ByteSpan record) -> std::optional<Payload> {
    const auto bytes = codec::DecodeMetadataRecord(key, record);
    if (!bytes) return std::nullopt;
    return Payload(*bytes);
  };
  return GetRecord(database_, MetadataKey(key), decode, value);
}

error_code RocksDbWal::PutMetadata(std::string_view key, const Payload& value) {
  database_.Begin(batch_);
  const codec::RecordBytes record = codec::EncodeMetadataRecord(key, value.bytes());
  Check(batch_.Put(database_.state(), MetadataKey(key), AsSlice(record)));
  KOMMANDER_CRASH_POINT("wal.before_metadata");
  return Commit();
}

std::optional<std::uint64_t> RocksDbWal::FreeBytes() const noexcept {
  return database_.FreeBytes();
}

WalStatistics RocksDbWal::Statistics() const noexcept {
  WalStatistics statistics;
  statistics.syncs = database_.syncs();
  statistics.bytes_written = database_.BytesWritten();
  statistics.batches = batches_;
  statistics.units = units_;
  return statistics;
}

}  // namespace kommander::storage

namespace kommander {

std::shared_ptr<Wal> MakeRocksDbWal(RocksDbWalOptions options) {
  return MakeRocksDbWal(std::move(options), {});
}

std::shared_ptr<Wal> MakeRocksDbWal(RocksDbWalOptions options, RocksDbMemory lent) {
  return std::make_shared<storage::RocksDbWal>(options, std::move(lent));
}

}  // namespace kommander
