// The log without a disk. One lock: writers come one at a time anyway, and a reader holds it only
// while it copies handles of shared bodies.
#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include <kommander/detail/mutex.hpp>
#include <kommander/memory_wal.hpp>

#include "common/log_extent.hpp"

namespace kommander {
namespace {

using storage::ExtentAfter;
using storage::LogExtent;

struct Partition {
  BoundaryRecord boundary;
  HardState hard_state;
  LogIndex commit_hint;
  ApplicationRecord application;
  std::deque<Entry> entries;  // contiguous, the first at boundary.index + 1

  [[nodiscard]] LogExtent Extent() const noexcept {
    return {boundary.index, boundary.index + entries.size()};
  }
};

void RemovePrefix(Partition& partition, LogIndex through) {
  const auto count = std::min<std::uint64_t>(LogIndex::Distance(partition.boundary.index, through),
                                             partition.entries.size());
  partition.entries.erase(partition.entries.begin(),
                          partition.entries.begin() + static_cast<std::ptrdiff_t>(count));
}

void Apply(const WriteUnit& unit, Partition& partition) {
  if (unit.boundary) {
    if (unit.drop_log) {
      partition.entries.clear();
    } else {
      RemovePrefix(partition, unit.boundary->index);
    }
    partition.boundary = *unit.boundary;
  }
  if (unit.truncate_from) {
    const auto kept = LogIndex::Distance(partition.boundary.index, unit.truncate_from->Previous());
    if (kept < partition.entries.size()) partition.entries.resize(kept);
  }
  partition.entries.insert(partition.entries.end(), unit.entries.begin(), unit.entries.end());
  if (unit.hard_state) partition.hard_state = *unit.hard_state;
  if (unit.commit_hint) partition.commit_hint = *unit.commit_hint;
  if (unit.application) partition.application = *unit.application;
}

void Report(const Partition& partition, RecoveredPartition& recovered) {
  recovered = RecoveredPartition();
  recovered.boundary = partition.boundary;
  recovered.hard_state = partition.hard_state;
  recovered.commit_hint = partition.commit_hint;
  recovered.application = partition.application;
  recovered.last_index = partition.Extent().last;
  for (const Entry& entry : partition.entries) {
    recovered.greatest_stamp = std::max(recovered.greatest_stamp, entry.ticket);
    if (recovered.terms.empty() || recovered.terms.back().term != entry.term) {
      recovered.terms.push_back(TermRun{entry.index, entry.term});
    }
    if (entry.kind == EntryKind::kConfiguration) recovered.configuration_entries.push_back(entry);
  }
}

}  // namespace

struct MemoryWal::State {
  explicit State(std::size_t sets) noexcept : file_sets(std::max<std::size_t>(sets, 1)) {}

  const std::size_t file_sets;
  detail::SharedMutex mutex;
  bool open KOMMANDER_GUARDED_BY(mutex) = false;
  std::optional<StoreIdentity> identity KOMMANDER_GUARDED_BY(mutex);
  std::map<PartitionId, Partition> partitions KOMMANDER_GUARDED_BY(mutex);
  std::map<std::string, Payload, std::less<>> metadata KOMMANDER_GUARDED_BY(mutex);
  std::atomic<std::uint64_t> syncs{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> batches{0};
  std::atomic<std::uint64_t> units{0};
};

MemoryWal::MemoryWal(std::size_t file_sets) : state_(std::make_unique<State>(file_sets)) {}
MemoryWal::~MemoryWal() = default;

std::size_t MemoryWal::FileSets() const noexcept { return state_->file_sets; }

error_code MemoryWal::Open(std::optional<StoreIdentity>& identity, std::string& detail) {
  const detail::WriterLock lock(state_->mutex);
  if (state_->open) {
    detail = "the memory log is open already";
    return RaftErrc::WalLocked;
  }
  state_->open = true;
  state_->syncs = state_->bytes = state_->batches = state_->units = 0;
  identity = state_->identity;
  return {};
}

error_code MemoryWal::Create(const StoreIdentity& identity) {
  const detail::WriterLock lock(state_->mutex);
  if (state_->identity) return RaftErrc::WalForeign;
  state_->identity = identity;
  ++state_->syncs;
  return {};
}

error_code MemoryWal::ListPartitions(std::vector<PartitionId>& partitions) {
  const detail::ReaderLock lock(state_->mutex);
  partitions.clear();
  for (const auto& [id, partition] : state_->partitions) partitions.push_back(id);
  return {};
}

error_code MemoryWal::Recover(PartitionId partition, RecoveredPartition& recovered) {
  const detail::ReaderLock lock(state_->mutex);
  const auto found = state_->partitions.find(partition);
  if (found == state_->partitions.end()) return RaftErrc::PartitionNotFound;
  Report(found->second, recovered);
  return {};
}

error_code MemoryWal::Write(std::span<const WriteUnit* const> units) {
  const detail::WriterLock lock(state_->mutex);
  std::uint64_t bytes = 0;
  for (const WriteUnit* unit : units) {
    if (FileSetOf(unit->partition) != FileSetOf(units.front()->partition)) {
      return RaftErrc::InvalidArgument;
    }
    const auto found = state_->partitions.find(unit->partition);
    std::optional<LogExtent> extent;
    if (found != state_->partitions.end()) extent = found->second.Extent();
    if (!ExtentAfter(extent, *unit)) return RaftErrc::InvalidArgument;
    bytes += unit->SizeBytes();
  }
  for (const WriteUnit* unit : units) Apply(*unit, state_->partitions[unit->partition]);
  ++state_->syncs;
  ++state_->batches;
  state_->units += units.size();
  state_->bytes += bytes;
  return {};
}

error_code MemoryWal::Read(PartitionId partition, LogIndex first, LogIndex last,
                           std::size_t bytes_max, std::vector<Entry>& entries) {
  entries.clear();
  const detail::ReaderLock lock(state_->mutex);
  const auto found = state_->partitions.find(partition);
  if (found == state_->partitions.end()) return {};
  const LogExtent extent = found->second.Extent();
  if (first <= extent.boundary) return {};
  std::size_t bytes = 0;
  for (LogIndex index = first; index <= std::min(last, extent.last); index = index.Next()) {
    const std::uint64_t offset = LogIndex::Distance(extent.boundary.Next(), index);
    entries.push_back(found->second.entries[offset]);
    bytes += entries.back().SizeBytes();
    if (bytes >= bytes_max) break;
  }
  return {};
}

error_code MemoryWal::DeletePartition(PartitionId partition) {
  const detail::WriterLock lock(state_->mutex);
  state_->partitions.erase(partition);
  ++state_->syncs;
  return {};
}

error_code MemoryWal::GetMetadata(std::string_view key, std::optional<Payload>& value) {
  const detail::ReaderLock lock(state_->mutex);
  const auto found = state_->metadata.find(key);
  value.reset();
  if (found != state_->metadata.end()) value = found->second;
  return {};
}

error_code MemoryWal::PutMetadata(std::string_view key, const Payload& value) {
  const detail::WriterLock lock(state_->mutex);
  state_->metadata.insert_or_assign(std::string(key), value);
  ++state_->syncs;
  return {};
}

WalStatistics MemoryWal::Statistics() const noexcept {
  return WalStatistics{state_->syncs, state_->bytes, state_->batches, state_->units};
}

void MemoryWal::Close() noexcept {
  const detail::WriterLock lock(state_->mutex);
  state_->open = false;
}

}  // namespace kommander
