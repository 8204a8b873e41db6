// Units to rows, rows to entries.
#include "sqlite/shard.hpp"

#include <algorithm>
#include <utility>

#include "common/body_arena.hpp"

namespace kommander::storage {
namespace {

constexpr std::size_t kRecordKeptBytes = std::size_t{1} << 20;
constexpr std::string_view kIdentity(&kIdentityName, 1);

std::string MetadataName(std::string_view key) {
  std::string name(1, kMetadataTag);
  name.append(key);
  return name;
}

RaftErrc ReadError(int result) noexcept { return Classify(result, RaftErrc::StorageFailed); }

// The one row of a lookup, decoded; none when there is no row.
template <class Value, class Decode>
error_code GetRecord(const Run& run, Decode decode, std::optional<Value>& value) {
  value.reset();
  if (!run.Next()) return run.result() == SQLITE_DONE ? error_code() : ReadError(run.result());
  value = decode(run.Bytes(0));
  return value ? error_code() : error_code(RaftErrc::WalCorrupted);
}

}  // namespace

error_code Shard::Make(const codec::ShardRecord& record, std::string& detail) {
  const detail::MutexLock lock(mutex_);
  return file_.Make(record, detail);
}

error_code Shard::Look(const codec::ShardRecord& record, std::string& detail) {
  const detail::MutexLock lock(mutex_);
  return file_.Look(record, detail);
}

error_code Shard::OpenForWriting(std::string& detail) {
  const detail::MutexLock lock(mutex_);
  if (const error_code error = file_.OpenForWriting(detail)) return error;
  return Prepare(detail);
}

error_code Shard::Prepare(std::string& detail) {
  const std::pair<Statement*, const char*> statements[] = {
      {&get_state_, "SELECT record FROM partitions WHERE partition=? AND kind=?"},
      {&put_state_, "INSERT OR REPLACE INTO partitions VALUES(?, ?, ?)"},
      {&delete_states_, "DELETE FROM partitions WHERE partition=?"},
      {&list_, "SELECT partition FROM partitions WHERE kind=? ORDER BY partition"},
      {&get_of_store_, "SELECT record FROM store WHERE name=?"},
      {&put_of_store_, "INSERT OR REPLACE INTO store VALUES(?, ?)"},
      {&last_index_, "SELECT idx FROM entries WHERE partition=? ORDER BY idx DESC LIMIT 1"},
      {&read_,
       "SELECT idx, record FROM entries WHERE partition=? AND idx>=? AND idx<=?"
       " ORDER BY idx"},
      {&put_entry_, "INSERT INTO entries VALUES(?, ?, ?)"},
      {&delete_entries_, "DELETE FROM entries WHERE partition=? AND idx>? AND idx<=?"},
  };
  for (const auto& [statement, sql] : statements) {
    const int result = statement->Prepare(file_.connection(), sql);
    if (result == SQLITE_OK) continue;
    detail = "a table of the log cannot be used: " + file_.connection().Message();
    return Classify(result, RaftErrc::WalUnavailable);
  }
  return {};
}

void Shard::Close() noexcept {
  const detail::MutexLock lock(mutex_);
  for (Statement* statement :
       {&get_state_, &put_state_, &delete_states_, &list_, &get_of_store_, &put_of_store_,
        &last_index_, &read_, &put_entry_, &delete_entries_}) {
    statement->Finalize();
  }
  file_.Close();
}

template <class Value, class Decode>
error_code Shard::GetOfStore(std::string_view name, Decode decode, std::optional<Value>& value) {
  return GetRecord(Run(get_of_store_, AsBytes(name)), decode, value);
}

template <class Value, class Decode>
error_code Shard::GetState(PartitionId partition, std::int64_t kind, Decode decode,
                           std::optional<Value>& value) {
  const Run run(get_state_, AsInteger(partition), kind);
  return GetRecord(
      run, [&](ByteSpan record) { return decode(partition, record); }, value);
}

error_code Shard::PutOfStore(std::string_view name, ByteSpan record) {
  if (const error_code error = file_.Begin()) return error;
  if (Run(put_of_store_, AsBytes(name), record).Finish() != SQLITE_OK) return file_.Fail();
  return file_.Commit();
}

error_code Shard::GetIdentity(std::optional<StoreIdentity>& identity) {
  const detail::MutexLock lock(mutex_);
  return GetOfStore(kIdentity, codec::DecodeIdentityRecord, identity);
}

error_code Shard::Create(const StoreIdentity& identity) {
  const detail::MutexLock lock(mutex_);
  std::optional<StoreIdentity> present;
  if (const error_code error = GetOfStore(kIdentity, codec::DecodeIdentityRecord, present)) {
    return error;
  }
  if (present) return RaftErrc::WalForeign;
  return PutOfStore(kIdentity, codec::EncodeIdentityRecord(identity));
}

error_code Shard::ListPartitions(std::vector<PartitionId>& partitions) {
  const detail::MutexLock lock(mutex_);
  const Run run(list_, kBoundaryKind);
  while (run.Next()) {
    const std::int64_t partition = run.Integer(0);
    if (partition < 0 || partition > 0xffff'ffff) return RaftErrc::WalCorrupted;
    partitions.emplace_back(static_cast<std::uint32_t>(partition));
  }
  return run.result() == SQLITE_DONE ? error_code() : ReadError(run.result());
}

error_code Shard::Recover(PartitionId partition, RecoveredPartition& recovered) {
  const detail::MutexLock lock(mutex_);
  recovered = RecoveredPartition();
  if (const error_code error = RecoverState(partition, recovered)) return error;
  if (const error_code error = RecoverLog(partition, recovered)) return error;
  extents_[partition.value()] = LogExtent{recovered.boundary.index, recovered.last_index};
  return {};
}

error_code Shard::GetBoundary(PartitionId partition, std::optional<BoundaryRecord>& boundary) {
  return GetState(partition, kBoundaryKind, codec::DecodeBoundaryRecord, boundary);
}

error_code Shard::RecoverState(PartitionId partition, RecoveredPartition& recovered) {
  std::optional<BoundaryRecord> boundary;
  if (const error_code error = GetBoundary(partition, boundary)) return error;
  if (!boundary) return RaftErrc::PartitionNotFound;
  recovered.boundary = std::move(*boundary);

  std::optional<HardState> hard_state;
  error_code error = GetState(partition, kHardStateKind, codec::DecodeHardStateRecord, hard_state);
  if (error) return error;
  recovered.hard_state = hard_state.value_or(HardState());

  std::optional<LogIndex> hint;
  error = GetState(partition, kCommitHintKind, codec::DecodeCommitHintRecord, hint);
  if (error) return error;
  recovered.commit_hint = hint.value_or(LogIndex());

  std::optional<ApplicationRecord> application;
  error = GetState(partition, kApplicationKind, codec::DecodeApplicationRecord, application);
  recovered.application = application.value_or(ApplicationRecord());
  return error;
}

// One scan over the log. Each record's checksum is verified, and that no index is missing.
error_code Shard::RecoverLog(PartitionId partition, RecoveredPartition& recovered) {
  recovered.last_index = recovered.boundary.index;
  const Run run(read_, AsInteger(partition), AsInteger(recovered.boundary.index.Next()),
                static_cast<std::int64_t>(kIndexMax));
  while (run.Next()) {
    const LogIndex index = recovered.last_index.Next();
    if (run.Integer(0) != AsInteger(index)) return RaftErrc::WalCorrupted;
    const auto entry = codec::DecodeEntryRecord(partition, index, run.Bytes(1));
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
  return run.result() == SQLITE_DONE ? error_code() : ReadError(run.result());
}

error_code Shard::LoadExtent(PartitionId partition, std::optional<LogExtent>& extent) {
  extent.reset();
  const auto found = extents_.find(partition.value());
  if (found != extents_.end()) {
    extent = found->second;
    return {};
  }
  std::optional<BoundaryRecord> boundary;
  if (const error_code error = GetBoundary(partition, boundary)) return error;
  if (!boundary) return {};
  const Run run(last_index_, AsInteger(partition));
  LogExtent loaded{boundary->index, boundary->index};
  if (run.Next()) loaded.last = LogIndex(static_cast<std::uint64_t>(run.Integer(0)));
  if (const int result = run.Finish()) return ReadError(result);
  extents_[partition.value()] = loaded;
  extent = loaded;
  return {};
}

// Everything that a call asks for is looked at before any of it is written.
error_code Shard::Plan(std::span<const WriteUnit* const> units) {
  planned_.clear();
  for (const WriteUnit* unit : units) {
    Planned planned;
    planned.partition = unit->partition;
    if (const error_code error = LoadExtent(unit->partition, planned.before)) return error;
    const std::optional<LogExtent> after = ExtentAfter(planned.before, *unit);
    if (!after || after->last.value() > kIndexMax) return RaftErrc::InvalidArgument;
    planned.after = *after;
    planned_.push_back(planned);
  }
  return {};
}

error_code Shard::Write(std::span<const WriteUnit* const> units) {
  const detail::MutexLock lock(mutex_);
  if (file_.has_failed()) return RaftErrc::StorageFailed;
  if (const error_code error = Plan(units)) return error;
  if (const error_code error = file_.Begin()) return error;
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (Apply(*units[i], planned_[i]) != SQLITE_OK) return file_.Fail();
  }
  if (const error_code error = file_.Commit()) return error;
  ++batches_;
  units_ += units.size();
  for (const Planned& planned : planned_) extents_[planned.partition.value()] = planned.after;
  if (entry_record_.capacity() > kRecordKeptBytes) entry_record_ = codec::RecordBytes();
  return {};
}

int Shard::Apply(const WriteUnit& unit, const Planned& planned) {
  int result = PutStates(unit);
  if (planned.before && result == SQLITE_OK) {
    const LogExtent before = *planned.before;
    const LogExtent kept = ExtentBeforeAppend(before, unit).value_or(before);
    const LogIndex prefix_end = std::min(kept.boundary, before.last);
    result = DeleteEntries(unit.partition, before.boundary, prefix_end);
    if (result == SQLITE_OK) {
      result = DeleteEntries(unit.partition, std::max(kept.last, prefix_end), before.last);
    }
  }
  for (const Entry& entry : unit.entries) {
    if (result == SQLITE_OK) result = PutEntry(unit.partition, entry);
  }
  return result;
}

int Shard::PutStates(const WriteUnit& unit) {
  const PartitionId partition = unit.partition;
  int result = SQLITE_OK;
  const auto put = [&](std::int64_t kind, ByteSpan record) KOMMANDER_REQUIRES(mutex_) {
    if (result == SQLITE_OK) {
      result = Run(put_state_, AsInteger(partition), kind, record).Finish();
    }
  };
  if (unit.boundary) put(kBoundaryKind, codec::EncodeBoundaryRecord(partition, *unit.boundary));
  if (unit.hard_state) {
    put(kHardStateKind, codec::EncodeHardStateRecord(partition, *unit.hard_state));
  }
  if (unit.commit_hint) {
    put(kCommitHintKind, codec::EncodeCommitHintRecord(partition, *unit.commit_hint));
  }
  if (unit.application) {
    put(kApplicationKind, codec::EncodeApplicationRecord(partition, *unit.application));
  }
  return result;
}

int Shard::PutEntry(PartitionId partition, const Entry& entry) {
  const codec::EntryRecordHeader header = codec::EncodeEntryRecordHeader(partition, entry);
  const ByteSpan body = entry.body.bytes();
  entry_record_.assign(header.begin(), header.end());
  entry_record_.insert(entry_record_.end(), body.begin(), body.end());
  return Run(put_entry_, AsInteger(partition), AsInteger(entry.index), ByteSpan(entry_record_))
      .Finish();
}

int Shard::DeleteEntries(PartitionId partition, LogIndex after, LogIndex last) {
  if (after >= last) return SQLITE_OK;
  return Run(delete_entries_, AsInteger(partition), AsInteger(after), AsInteger(last)).Finish();
}

error_code Shard::Read(PartitionId partition, LogIndex first, LogIndex last, std::size_t bytes_max,
                       std::vector<Entry>& entries) {
  const detail::MutexLock lock(mutex_);
  entries.clear();
  std::optional<LogExtent> extent;
  if (const error_code error = LoadExtent(partition, extent)) return error;
  if (!extent || first <= extent->boundary || first > std::min(last, extent->last)) return {};
  last = std::min(last, extent->last);
  const Run run(read_, AsInteger(partition), AsInteger(first), AsInteger(last));
  BodyArena bodies;
  std::size_t bytes = 0;
  LogIndex index = first;
  for (; index <= last && bytes < std::max<std::size_t>(bytes_max, 1); index = index.Next()) {
    const bool is_there = run.Next() && run.Integer(0) == AsInteger(index);
    const auto view = is_there ? codec::DecodeEntryRecord(partition, index, run.Bytes(1))
                               : std::optional<codec::EntryRecordView>();
    if (!view) {
      entries.clear();
      const bool was_read = run.result() == SQLITE_ROW || run.result() == SQLITE_DONE;
      return was_read ? RaftErrc::WalCorrupted : ReadError(run.result());
    }
    entries.emplace_back(view->term, index, view->kind, view->ticket, bodies.Copy(view->body));
    bytes += entries.back().SizeBytes();
  }
  return {};
}

error_code Shard::DeletePartition(PartitionId partition) {
  const detail::MutexLock lock(mutex_);
  if (const error_code error = file_.Begin()) return error;
  // Its entries begin at 1.
  int result = DeleteEntries(partition, LogIndex(), LogIndex(kIndexMax));
  if (result == SQLITE_OK) result = Run(delete_states_, AsInteger(partition)).Finish();
  if (result != SQLITE_OK) return file_.Fail();
  if (const error_code error = file_.Commit()) return error;
  extents_.erase(partition.value());
  return {};
}

error_code Shard::GetMetadata(std::string_view key, std::optional<Payload>& value) {
  const detail::MutexLock lock(mutex_);
  const auto decode = [&](ByteSpan record) -> std::optional<Payload> {
    const auto bytes = codec::DecodeMetadataRecord(key, record);
    if (!bytes) return std::nullopt;
    return Payload(*bytes);
  };
  const std::string name = MetadataName(key);
  return GetOfStore(name, decode, value);
}

error_code Shard::PutMetadata(std::string_view key, const Payload& value) {
  const detail::MutexLock lock(mutex_);
  const std::string name = MetadataName(key);
  return PutOfStore(name, codec::EncodeMetadataRecord(key, value.bytes()));
}

void Shard::AddStatistics(WalStatistics& statistics) const noexcept {
  statistics.syncs += file_.syncs();
  statistics.bytes_written += file_.BytesWritten();
  statistics.batches += batches_;
  statistics.units += units_;
}

}  // namespace kommander::storage
