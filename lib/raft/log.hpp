// The shape of one partition's log: where it begins and ends, which term each index has (as runs),
// and the newest entries themselves (as a ring). Knows nothing of Raft's roles and nothing of
// disks; older entries are on disk only. Owned by the core.
#pragma once

#include <cstddef>
#include <vector>

#include <kommander/entry.hpp>
#include <kommander/ids.hpp>
#include <kommander/wal_recovery.hpp>

#include "raft/ring.hpp"

namespace kommander::raft {

class Log {
 public:
  // A place in a log: an index together with the term there.
  struct Position {
    LogIndex index;
    Term term;
    friend bool operator==(const Position&, const Position&) = default;
  };

  // `runs` cover (boundary.index, last].
  Log(Position boundary, LogIndex last, std::vector<TermRun> runs);

  [[nodiscard]] Position boundary() const noexcept { return boundary_; }
  [[nodiscard]] LogIndex first() const noexcept { return boundary_.index.Next(); }
  [[nodiscard]] LogIndex last() const noexcept { return last_; }
  [[nodiscard]] Term last_term() const noexcept {
    return runs_.empty() ? boundary_.term : runs_.back().term;
  }

  // The term at `index`, the boundary included; 0 outside.
  [[nodiscard]] Term TermAt(LogIndex index) const noexcept;
  // Whether `index` lies inside, the boundary included, with that term.
  [[nodiscard]] bool Matches(Position position) const noexcept;
  // Whether a log that ends at `other` holds everything that an election needs (thesis 3.6.1).
  [[nodiscard]] bool IsCoveredBy(Position other) const noexcept;
  // The greatest place at or below `at` whose term is not above `at.term`; never before the
  // boundary. Two logs that differ at `at.index` can agree only at or below it.
  [[nodiscard]] Position AgreementLimit(Position at) const noexcept;

  // `entry` must continue the log.
  void Append(Entry entry);
  // Entries from `from` on go; `from` lies above the boundary and at most one past the end.
  void TruncateFrom(LogIndex from);
  // Everything up to `index` goes; `index` lies inside.
  void CompactTo(LogIndex index);
  // Nothing survives; the log starts anew after `boundary`.
  void Reset(Position boundary);

  // The entries in memory are [cache_first, last].
  [[nodiscard]] LogIndex cache_first() const noexcept { return cache_first_; }
  [[nodiscard]] std::size_t cache_bytes() const noexcept { return cache_bytes_; }
  // The entry at `index`, or null when it is not in memory.
  [[nodiscard]] const Entry* Find(LogIndex index) const noexcept {
    if (index < cache_first_ || index > last_) return nullptr;
    return &cache_[index.value() - cache_first_.value()];
  }
  // Forgets cached entries up to `index`; they stay in the log.
  void EvictTo(LogIndex index);
  // Gives memory back that the last while did not need. Called now and then.
  void ShrinkIdle();

  [[nodiscard]] std::size_t run_count() const noexcept { return runs_.size(); }

 private:
  [[nodiscard]] std::size_t RunOf(LogIndex index) const noexcept;

  Position boundary_;
  LogIndex last_;
  std::vector<TermRun> runs_;  // ascending in both fields
  LogIndex cache_first_;
  Ring<Entry> cache_;
  std::size_t cache_bytes_ = 0;
  std::size_t cache_peak_ = 0;  // entries, since ShrinkIdle
};

}  // namespace kommander::raft
