// Who waits for an appended entry, and how the wait ends. A wait outlives its leadership: an entry
// that a later leader removed here may still be committed elsewhere, so only what is committed at
// its index, or its deadline, decides.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <kommander/ids.hpp>
#include <kommander/time.hpp>

#include "raft/inputs.hpp"
#include "raft/ring.hpp"

namespace kommander::raft {

struct Waiter {
  RequestId request;
  LogIndex index;
  Term term;
  Instant deadline = kNever;
  bool has_first = false;  // the entry before is of the same proposal
};

class Waiters {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return own_.size() + orphans_.size(); }
  // No wait ends before this instant by its deadline.
  [[nodiscard]] Instant EarliestDeadline() const noexcept { return earliest_; }

  // An entry of the current leadership; indexes ascend.
  void Add(const Waiter& waiter);
  // The leadership ended: what was added must now be searched for.
  void Orphan();
  // Moves out everyone at or below `index`.
  void TakeUpTo(LogIndex index, std::vector<Waiter>& taken);
  // Moves out everyone whose deadline has come.
  void TakeExpired(Instant now, std::vector<Waiter>& taken);
  // Moves out those of `requests`, which are sorted.
  void TakeRequests(std::span<const RequestId> requests, std::vector<Waiter>& taken);
  void TakeAll(std::vector<Waiter>& taken);

 private:
  template <class Predicate>
  void TakeIf(Predicate predicate, std::vector<Waiter>& taken);

  Ring<Waiter> own_;             // ascending by index
  std::vector<Waiter> orphans_;  // a heap, least index first
  Instant earliest_ = kNever;    // never late; early after a wait ended otherwise
};

}  // namespace kommander::raft
