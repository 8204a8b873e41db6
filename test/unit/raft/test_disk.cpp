// The disk model: strict about everything that a store may rely on.
#include "unit/raft/test_disk.hpp"

#include <algorithm>

#include <kommander/assert.hpp>

namespace kommander::raft::test {

UnitId TestDisk::SyncOne() {
  WriteUnit unit = std::move(pending_.front());
  pending_.pop_front();
  Apply(unit);
  return unit.unit;
}

void TestDisk::Crash(std::size_t survivors) {
  for (std::size_t i = 0; i < survivors && !pending_.empty(); ++i) SyncOne();
  pending_.clear();
}

void TestDisk::Apply(WriteUnit& unit) {
  if (unit.boundary) {
    KOMMANDER_ASSERT(unit.boundary->index > boundary_.index, "boundaries only grow");
    if (unit.drop_log) {
      entries_.clear();
    } else {
      KOMMANDER_ASSERT(unit.boundary->index <= last(), "a prefix is inside the log");
      KOMMANDER_ASSERT(unit.boundary->term == TermAt(unit.boundary->index), "boundary term");
      while (boundary_.index < unit.boundary->index) {
        boundary_.index = boundary_.index.Next();
        entries_.pop_front();
      }
    }
    boundary_ = std::move(*unit.boundary);
  }
  if (unit.truncate_from) {
    KOMMANDER_ASSERT(*unit.truncate_from > boundary_.index, "truncation inside the log");
    KOMMANDER_ASSERT(*unit.truncate_from <= last(), "truncation removes something");
    while (last() >= *unit.truncate_from) entries_.pop_back();
  }
  for (Entry& entry : unit.entries) {
    KOMMANDER_ASSERT(entry.index == last().Next(), "no gap on disk");
    entries_.push_back(std::move(entry));
  }
  if (unit.hard_state) {
    KOMMANDER_ASSERT(unit.hard_state->term >= hard_state_.term, "terms only grow");
    KOMMANDER_ASSERT(unit.hard_state->term > hard_state_.term || !hard_state_.vote ||
                         unit.hard_state->vote == hard_state_.vote,
                     "a vote stays");
    hard_state_ = *unit.hard_state;
  }
  if (unit.commit_hint) {
    KOMMANDER_ASSERT(*unit.commit_hint <= last(), "a commit hint is in the log");
    commit_hint_ = std::max(commit_hint_, *unit.commit_hint);
  }
  if (unit.application) application_ = *unit.application;
}

Term TestDisk::TermAt(LogIndex index) const {
  if (index == boundary_.index) return boundary_.term;
  const Entry* entry = Find(index);
  return entry != nullptr ? entry->term : Term();
}

const Entry* TestDisk::Find(LogIndex index) const {
  if (index <= boundary_.index || index > last()) return nullptr;
  return &entries_[LogIndex::Distance(boundary_.index, index) - 1];
}

std::vector<Entry> TestDisk::Read(LogIndex first, LogIndex last_wanted,
                                  std::size_t bytes_max) const {
  std::vector<Entry> read;
  std::size_t bytes = 0;
  for (LogIndex index = first; index <= last_wanted && bytes < bytes_max; index = index.Next()) {
    const Entry* entry = Find(index);
    if (entry == nullptr) break;
    bytes += entry->SizeBytes();
    read.push_back(*entry);
  }
  return read;
}

RecoveredPartition TestDisk::Recover() const {
  RecoveredPartition recovered;
  recovered.boundary = boundary_;
  recovered.hard_state = hard_state_;
  recovered.last_index = last();
  recovered.commit_hint = commit_hint_;
  recovered.application = application_;
  for (const Entry& entry : entries_) {
    recovered.greatest_stamp = std::max(recovered.greatest_stamp, entry.ticket);
    if (recovered.terms.empty() || recovered.terms.back().term != entry.term) {
      recovered.terms.push_back({entry.index, entry.term});
    }
    if (entry.kind == EntryKind::kConfiguration) recovered.configuration_entries.push_back(entry);
  }
  return recovered;
}

}  // namespace kommander::raft::test
