// Applying units, losing some, and giving back what was kept.
#include "sim_disk.hpp"

#include <algorithm>
#include <utility>

namespace kommander::sim {

const Entry* DiskPartition::Find(LogIndex index) const noexcept {
  if (index <= boundary.index || index > last()) return nullptr;
  return &entries[LogIndex::Distance(boundary.index, index) - 1];
}

Term DiskPartition::TermAt(LogIndex index) const noexcept {
  if (index == boundary.index) return boundary.term;
  const Entry* entry = Find(index);
  return entry == nullptr ? Term() : entry->term;
}

void SimDisk::Break(const std::string& what) {
  if (observer_ != nullptr) observer_->OnContractBroken(node_, what);
}

std::string SimDisk::Problem(const WriteUnit& unit) const {
  const std::string name = "unit " + std::to_string(unit.unit.value()) + " of partition " +
                           std::to_string(unit.partition.value()) + ": ";
  const DiskPartition* partition = Find(unit.partition);
  if (partition == nullptr && !unit.boundary) return name + "no boundary record creates it";
  LogIndex first;  // of the log's present boundary
  LogIndex last;
  if (partition != nullptr) {
    first = partition->boundary.index;
    last = partition->last();
  }
  if (unit.boundary) {
    if (unit.boundary->index < first) return name + "the boundary goes backwards";
    first = unit.boundary->index;
    if (unit.drop_log || last < first) last = first;
  }
  if (unit.truncate_from) {
    last = std::min(last, std::max(unit.truncate_from->Previous(), first));
  }
  for (const Entry& entry : unit.entries) {
    if (entry.index != last.Next()) {
      return name + "entry " + std::to_string(entry.index.value()) + " does not follow " +
             std::to_string(last.value());
    }
    last = entry.index;
  }
  return {};
}

void SimDisk::Apply(const WriteUnit& unit) {
  DiskPartition& partition = partitions_[unit.partition];
  if (unit.boundary) {
    if (unit.drop_log) ++effects_.logs_replaced;
    if (!unit.drop_log && partition.boundary.index < unit.boundary->index) ++effects_.logs_cut;
    const auto removed =
        unit.drop_log ? partition.entries.size()
                      : std::min<std::uint64_t>(
                            LogIndex::Distance(partition.boundary.index, unit.boundary->index),
                            partition.entries.size());
    partition.entries.erase(partition.entries.begin(),
                            partition.entries.begin() + static_cast<std::ptrdiff_t>(removed));
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
  statistics_.bytes_written += unit.SizeBytes();
  ++statistics_.units;
  if (observer_ != nullptr) observer_->OnSynced(node_, unit);
}

void SimDisk::Stage(StagedUnits units) {
  staged_ = std::move(units);
  Reached(DiskMoment::kWrite);
}

void SimDisk::BeginTask() {
  task_running_ = true;
  Reached(DiskMoment::kTask);
}

void SimDisk::Await(DiskMoment moment, std::function<void()> then) {
  awaited_[static_cast<std::size_t>(moment)] = std::move(then);
  if (IsIn(moment)) Reached(moment);
}

void SimDisk::Reached(DiskMoment moment) {
  if (!IsAwaited(moment)) return;
  const auto then = std::exchange(awaited_[static_cast<std::size_t>(moment)], nullptr);
  then();
}

bool SimDisk::TakeOperation() noexcept {
  if (!operations_left_) return true;
  if (*operations_left_ == 0) {
    ++effects_.operations_lost;
    return false;
  }
  --*operations_left_;
  return true;
}

template <class Change>
bool SimDisk::FailsNow(Change change) {
  if (!TakeOperation()) return true;
  const WriteFault fault = std::exchange(write_fault_, WriteFault::kNone);
  if (fault == WriteFault::kNone) return false;
  failed_ = true;
  write_failed_by_.Felt();
  if (fault == WriteFault::kWriteError) {
    ++effects_.write_errors;
  } else {
    ++effects_.sync_errors;
    if (chance_.OneIn(2)) change();
  }
  return true;
}

error_code SimDisk::Open(std::optional<StoreIdentity>& identity) {
  if (open_) return RaftErrc::WalLocked;
  open_ = true;
  failed_ = false;
  identity = identity_;
  return {};
}

error_code SimDisk::Create(const StoreIdentity& identity) {
  if (failed_) return RaftErrc::StorageFailed;
  if (identity_) return RaftErrc::WalForeign;
  const auto change = [&] { identity_ = identity; };
  if (FailsNow(change)) return RaftErrc::StorageFailed;
  change();
  ++statistics_.syncs;
  return {};
}

error_code SimDisk::Recover(PartitionId id, RecoveredPartition& recovered) {
  const DiskPartition* partition = Find(id);
  if (partition == nullptr) return RaftErrc::PartitionNotFound;
  recovered = RecoveredPartition();
  recovered.boundary = partition->boundary;
  recovered.hard_state = partition->hard_state;
  recovered.commit_hint = partition->commit_hint;
  recovered.application = partition->application;
  recovered.last_index = partition->last();
  for (const Entry& entry : partition->entries) {
    recovered.greatest_stamp = std::max(recovered.greatest_stamp, entry.ticket);
    if (recovered.terms.empty() || recovered.terms.back().term != entry.term) {
      recovered.terms.push_back(TermRun{entry.index, entry.term});
    }
    if (entry.kind == EntryKind::kConfiguration) recovered.configuration_entries.push_back(entry);
  }
  if (observer_ != nullptr) observer_->OnRecovered(node_, id, recovered);
  return {};
}

error_code SimDisk::Write(std::span<const WriteUnit* const> units) {
  if (failed_) return RaftErrc::StorageFailed;
  if (const WriteFault fault = std::exchange(write_fault_, WriteFault::kNone);
      fault != WriteFault::kNone) {
    failed_ = true;
    write_failed_by_.Felt();
    const bool may_reach = fault == WriteFault::kSyncError;
    ++(may_reach ? effects_.sync_errors : effects_.write_errors);
    for (const WriteUnit* unit : units) {
      if (may_reach && chance_.OneIn(2) && Problem(*unit).empty()) Apply(*unit);
    }
    return RaftErrc::StorageFailed;
  }
  for (const WriteUnit* unit : units) {
    if (std::string problem = Problem(*unit); !problem.empty()) {
      Break(problem);
      return RaftErrc::InvalidArgument;
    }
  }
  for (const WriteUnit* unit : units) {
    if (!TakeOperation()) return RaftErrc::StorageFailed;
    Apply(*unit);
  }
  ++statistics_.batches;
  ++statistics_.syncs;
  return {};
}

error_code SimDisk::Read(PartitionId id, LogIndex first, LogIndex last, std::size_t bytes_max,
                         std::vector<Entry>& entries) {
  entries.clear();
  if (fail_reads_) {
    ++effects_.read_errors;
    reads_failed_by_.Felt();
    return RaftErrc::WalCorrupted;
  }
  const DiskPartition* partition = Find(id);
  if (partition == nullptr) return {};
  std::size_t bytes = 0;
  for (LogIndex index = first; index <= last; index = index.Next()) {
    const Entry* entry = partition->Find(index);
    if (entry == nullptr) break;
    entries.push_back(*entry);
    bytes += entry->SizeBytes();
    if (bytes >= bytes_max) break;
  }
  return {};
}

error_code SimDisk::DeletePartition(PartitionId partition) {
  if (failed_) return RaftErrc::StorageFailed;
  const auto change = [&] { partitions_.erase(partition); };
  if (FailsNow(change)) return RaftErrc::StorageFailed;
  change();
  ++statistics_.syncs;
  return {};
}

error_code SimDisk::PutMetadata(std::string_view key, const Payload& value) {
  if (failed_) return RaftErrc::StorageFailed;
  const auto change = [&] { metadata_.insert_or_assign(std::string(key), value); };
  if (FailsNow(change)) return RaftErrc::StorageFailed;
  change();
  ++statistics_.syncs;
  return {};
}

void SimDisk::Crash() {
  open_ = false;
  failed_ = false;
  write_fault_ = WriteFault::kNone;
  task_running_ = false;
  operations_left_.reset();
  const StagedUnits staged = std::exchange(staged_, nullptr);
  if (!staged) return;
  // A partition's units stand in order: the first that is lost takes the later ones with it.
  std::vector<PartitionId> lost;
  for (const WriteUnit& unit : *staged) {
    ++effects_.units_torn;
    const bool is_lost = std::find(lost.begin(), lost.end(), unit.partition) != lost.end();
    if (is_lost || chance_.OneIn(2) || !Problem(unit).empty()) {
      if (!is_lost) lost.push_back(unit.partition);
      continue;
    }
    ++effects_.units_kept;
    Apply(unit);
  }
}

const DiskPartition* SimDisk::Find(PartitionId partition) const noexcept {
  const auto found = partitions_.find(partition);
  return found == partitions_.end() ? nullptr : &found->second;
}

error_code SimWal::Open(std::optional<StoreIdentity>& identity, std::string& detail) {
  if (!attached_) return RaftErrc::WalUnavailable;
  const error_code error = disk_->Open(identity);
  if (error) detail = "the simulated disk is open already";
  return error;
}
error_code SimWal::Create(const StoreIdentity& identity) {
  return attached_ ? disk_->Create(identity) : RaftErrc::StorageFailed;
}
error_code SimWal::ListPartitions(std::vector<PartitionId>& partitions) {
  partitions.clear();
  for (const auto& [id, partition] : disk_->partitions()) partitions.push_back(id);
  return {};
}
error_code SimWal::Recover(PartitionId partition, RecoveredPartition& recovered) {
  return disk_->Recover(partition, recovered);
}
error_code SimWal::Write(std::span<const WriteUnit* const> units) {
  return attached_ ? disk_->Write(units) : RaftErrc::StorageFailed;
}
error_code SimWal::Read(PartitionId partition, LogIndex first, LogIndex last, std::size_t bytes_max,
                        std::vector<Entry>& entries) {
  return disk_->Read(partition, first, last, bytes_max, entries);
}
error_code SimWal::DeletePartition(PartitionId partition) {
  return attached_ ? disk_->DeletePartition(partition) : RaftErrc::StorageFailed;
}
error_code SimWal::GetMetadata(std::string_view key, std::optional<Payload>& value) {
  value.reset();
  const auto found = disk_->metadata().find(key);
  if (found != disk_->metadata().end()) value = found->second;
  return {};
}
error_code SimWal::PutMetadata(std::string_view key, const Payload& value) {
  return attached_ ? disk_->PutMetadata(key, value) : RaftErrc::StorageFailed;
}
void SimWal::Close() noexcept {
  if (attached_) disk_->Close();
}

}  // namespace kommander::sim
