// A disk as the core sees one: units become synced in order, a crash loses those that are not.
#pragma once

#include <deque>
#include <vector>

#include <kommander/wal_recovery.hpp>
#include <kommander/write_unit.hpp>

namespace kommander::raft::test {

class TestDisk {
 public:
  explicit TestDisk(Configuration configuration) {
    boundary_.configuration = std::move(configuration);
  }

  void Submit(WriteUnit unit) { pending_.push_back(std::move(unit)); }
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }
  [[nodiscard]] const WriteUnit& front() const { return pending_.front(); }
  // Syncs the oldest unit and answers its number.
  UnitId SyncOne();
  // Power is lost: of the units on their way the first `survivors` were written, the rest never.
  void Crash(std::size_t survivors);
  [[nodiscard]] RecoveredPartition Recover() const;

  // The synced state.
  [[nodiscard]] const BoundaryRecord& boundary() const { return boundary_; }
  [[nodiscard]] HardState hard_state() const { return hard_state_; }
  [[nodiscard]] LogIndex last() const { return boundary_.index + entries_.size(); }
  [[nodiscard]] Term TermAt(LogIndex index) const;
  [[nodiscard]] const Entry* Find(LogIndex index) const;
  [[nodiscard]] std::vector<Entry> Read(LogIndex first, LogIndex last, std::size_t bytes_max) const;

 private:
  void Apply(WriteUnit& unit);

  std::deque<WriteUnit> pending_;
  BoundaryRecord boundary_;
  HardState hard_state_;
  LogIndex commit_hint_;
  ApplicationRecord application_;
  std::deque<Entry> entries_;
};

}  // namespace kommander::raft::test
