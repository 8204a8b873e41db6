// How far this node's disk is, told only by answers: the write units on their way, in order, each
// with the index up to which the log is synced once it answers. Truncations make promises smaller
// at once and for good, since the same (index, term) can return in a later unit.
#pragma once

#include <optional>

#include <kommander/ids.hpp>
#include <kommander/time.hpp>
#include <kommander/write_unit.hpp>

#include "raft/ring.hpp"

namespace kommander::raft {

class Units {
 public:
  explicit Units(LogIndex durable) noexcept : durable_(durable) {}

  [[nodiscard]] LogIndex durable() const noexcept { return durable_; }
  [[nodiscard]] UnitId issued() const noexcept { return issued_; }
  [[nodiscard]] UnitId answered() const noexcept { return answered_; }
  [[nodiscard]] bool IsIdle() const noexcept { return issued_ == answered_; }
  // When the oldest unanswered unit was issued.
  [[nodiscard]] std::optional<Instant> OldestIssue() const noexcept;

  // A unit leaves for the disk; once answered, the log up to `last` is synced.
  UnitId Issue(LogIndex last, Instant now);
  // The entries from `from` on are being removed: neither what is synced nor what is on its way
  // counts beyond it any more.
  void Truncate(LogIndex from) noexcept;
  // Every unit up to `unit` is synced. False: that was known.
  bool Answer(UnitId unit) noexcept;

 private:
  struct Unanswered {
    LogIndex last;
    Instant issued_at;
  };

  LogIndex durable_;
  UnitId issued_;
  UnitId answered_;
  Ring<Unanswered> unanswered_;  // units (answered_, issued_]
};

}  // namespace kommander::raft
