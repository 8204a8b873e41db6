// The callers that wait for one partition: numbered for the core, found again by that number, and
// answered exactly once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <kommander/raft_manager.hpp>
#include <kommander/time.hpp>

#include "raft/inputs.hpp"
#include "runtime/completions.hpp"

namespace kommander::runtime {

struct Waiter {
  // What the caller asked for. `kLeader` and `kAmILeader` never reach the core.
  enum class Kind : std::uint8_t { kWrite, kRead, kPlain, kLeader, kAmILeader };
  // Where it stands.
  enum class Stage : std::uint8_t { kCore, kApply, kLeader };

  Kind kind = Kind::kPlain;
  Stage stage = Stage::kCore;
  bool await_apply = false;
  std::uint32_t count = 0;
  Ticket ticket;
  LogIndex index;  // stage kApply: what has to be applied
  Term term;
  Instant deadline = kNever;
  std::shared_ptr<detail::Operation> operation;
};

// Of one strand. Slots are reused; a number names its slot and how often that was used, so a stale
// number finds nothing.
class Waiters {
 public:
  raft::RequestId Add(Waiter waiter);
  // Null when the request has been answered.
  [[nodiscard]] Waiter* Find(raft::RequestId request) noexcept;

  // Puts the waiter into the queue that AdvanceApplied serves.
  void AwaitApply(raft::RequestId request, LogIndex index);
  void AwaitLeader(raft::RequestId request);

  // Answer and forget. The result lies in the operation and goes out with the next Flush.
  void FinishWrite(raft::RequestId request, error_code error, NodeId leader);
  void FinishRead(raft::RequestId request, error_code error, NodeId leader);
  void FinishPlain(raft::RequestId request, error_code error);
  void FinishLeader(raft::RequestId request, error_code error, NodeId leader, NodeId self);
  // By its kind; `error` is set.
  void Fail(raft::RequestId request, error_code error, NodeId leader);

  // Ends the reads that wait for more than `reachable`: this node will apply no more.
  void FailReadsBeyond(LogIndex reachable, error_code error);
  // Ends, successfully, whatever waited for `applied`.
  void AdvanceApplied(LogIndex applied);
  // Ends every wait for a leader.
  void AnnounceLeader(NodeId leader, NodeId self);
  // Ends what waits outside of the core and is past its deadline.
  void Expire(Instant now);
  // The earliest deadline outside of the core, or earlier.
  [[nodiscard]] Instant NextDeadline() const noexcept { return next_deadline_; }
  // Ends everything that is left: writes as OutcomeUnknown, the rest as `error`.
  void FailAll(error_code error);

  void Flush() { completions_.Flush(); }
  [[nodiscard]] std::size_t size() const noexcept { return used_; }
  // Places taken in the queues outside of the core, those of answered requests among them.
  [[nodiscard]] std::size_t queued() const noexcept {
    return apply_queue_.size() + leader_queue_.size();
  }

 private:
  struct Slot {
    std::uint32_t uses = 0;
    std::optional<Waiter> waiter;
  };
  struct Queued {
    LogIndex index;
    raft::RequestId request;
    friend bool operator<(const Queued& a, const Queued& b) noexcept { return a.index > b.index; }
  };
  Waiter Remove(raft::RequestId request);
  [[nodiscard]] bool HoldsTooManyAnswered(std::size_t queued) const noexcept;
  void DropAnsweredLeaderWaits();
  void NoteDeadline(const Waiter& waiter) noexcept;

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t used_ = 0;
  std::vector<Queued> apply_queue_;  // a heap, the lowest index first
  std::vector<raft::RequestId> leader_queue_;
  Instant next_deadline_ = kNever;
  Completions completions_;
};

}  // namespace kommander::runtime
