// The callers that wait for one partition: numbered for the core, found again by that number, and
// answered exactly once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <kommander/raft_manager.hpp>
#include <kommander/time.hpp>

#include "raft/inputs.hpp"
#include "runtime/byte_budget.hpp"
#include "runtime/completions.hpp"
#include "runtime/partition_meters.hpp"

namespace kommander::runtime {

struct ProposeEvent;

// An entry that had no effect when it was applied, for this reason.
struct Refusal {
  LogIndex index;
  RaftErrc reason{};
};

struct Waiter {
  // What the caller asked for, and with it the type of its operation. `kLeader` and `kAmILeader`
  // never reach the core.
  enum class Kind : std::uint8_t {
    kWrite,         // ReplicateResult
    kEntries,       // ReplicateEntriesResult
    kOpenSession,   // ClientSession
    kCloseSession,  // none
    kRead,          // ReadBarrierResult
    kConfirm,       // bool
    kPlain,         // none
    kLeader,        // NodeId
    kAmILeader,     // bool
  };
  // Where it stands.
  enum class Stage : std::uint8_t { kCore, kApply, kLeader, kForward };

  Kind kind = Kind::kPlain;
  Stage stage = Stage::kCore;
  bool await_apply = false;
  bool is_judged = false;  // a write; what is applied may have been refused
  std::uint32_t count = 0;
  std::uint32_t first_count = 0;  // kEntries: payloads of the entry before `index`
  bool is_prepared = false;       // kEntries: those at `index` wait for a decision
  Ticket ticket;
  Ticket first_ticket;
  LogIndex index;  // stage kApply: what has to be applied
  Term term;
  ByteShare held;    // stage kForward: of the node's budget
  int sendings = 0;  // to leaders, not known to have had no effect
  // Of a session's write, stage kForward: what is sent again, without its operation.
  std::shared_ptr<ProposeEvent> resend;
  Instant resend_at = kNever;
  NodeId leader;          // stage kForward: it has gone there; kApply: it has committed it
  Duration stable_for{};  // kLeader, kAmILeader: how long the leader has to be the same
  Instant deadline = kNever;
  Instant since{};  // the burst that took it
  std::shared_ptr<detail::Operation> operation;

  // Whether something may have been written for it.
  [[nodiscard]] bool IsWrite() const noexcept { return kind <= Kind::kCloseSession; }
};

// Of one strand. Slots are reused; a number names its slot and how often that was used, so a stale
// number finds nothing.
class Waiters {
 public:
  // `meters` lives longer.
  Waiters(PartitionId partition, PartitionMeters& meters) noexcept
      : partition_(partition), meters_(meters) {}
  // What is added and answered from here on happens now.
  void BeginBurst(Instant now) noexcept { now_ = now; }
  raft::RequestId Add(Waiter waiter);
  // Null when the request has been answered.
  [[nodiscard]] Waiter* Find(raft::RequestId request) noexcept;

  // Puts the waiter into the queue that AdvanceApplied serves.
  void AwaitApply(raft::RequestId request, LogIndex index, NodeId leader);
  void AwaitLeader(raft::RequestId request);
  // The write has gone to `leader`; its answer, or the end of the link, is to come.
  void AwaitForward(raft::RequestId request, NodeId leader);
  // Forgets the waiter without answering: somebody else has its operation now. Null: none.
  [[nodiscard]] std::shared_ptr<detail::Operation> Release(raft::RequestId request);
  // Those that went to `peer`, in no order.
  [[nodiscard]] std::vector<raft::RequestId> ForwardedTo(NodeId peer) const;
  // Those that may be sent again and are due by then, and when the next one is.
  [[nodiscard]] std::vector<raft::RequestId> Resendable(Instant due) const;
  [[nodiscard]] Instant EarliestResend() const noexcept;

  // Answer and forget. The result lies in the operation and goes out with the next Flush.
  void FinishWrite(raft::RequestId request, error_code error, NodeId leader);
  void FinishRead(raft::RequestId request, error_code error, NodeId leader);
  void FinishPlain(raft::RequestId request, error_code error);
  // That this node does not lead, or that nobody said so in time, is an answer and no error.
  void FinishConfirm(raft::RequestId request, error_code error, bool leads);
  void FinishLeader(raft::RequestId request, error_code error, NodeId leader, NodeId self);
  // By its kind; `error` is set.
  void Fail(raft::RequestId request, error_code error, NodeId leader);

  // Ends the reads that wait for more than `reachable`: this node will apply no more.
  void FailReadsBeyond(LogIndex reachable, error_code error);
  // Ends, successfully, whatever waited for `applied`; but what is judged as `refused` says, which
  // ascends.
  void AdvanceApplied(LogIndex applied, const std::vector<Refusal>& refused = {});
  // Ends what is judged and waits for an index up to `index`: nobody will say any more.
  void FailJudged(LogIndex index);
  // Ends every wait for a leader, but for those that want it to be stable.
  void AnnounceLeader(NodeId leader, NodeId self);
  // Ends those for which it has been the same for long enough; 0: none leads.
  void SettleStable(Instant now, NodeId leader, NodeId self, Instant since);
  // Ends what waits outside of the core and is past its deadline.
  void Expire(Instant now);
  // The earliest deadline outside of the core, or earlier; or when a leader will have been stable
  // for as long as somebody asks.
  [[nodiscard]] Instant NextDeadline() const noexcept {
    return std::min(next_deadline_, stable_at_);
  }
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
  template <class Predicate>
  [[nodiscard]] std::vector<raft::RequestId> Select(Predicate predicate) const;
  struct Queued {
    LogIndex index;
    raft::RequestId request;
    friend bool operator<(const Queued& a, const Queued& b) noexcept { return a.index > b.index; }
  };
  Waiter Remove(raft::RequestId request);
  [[nodiscard]] bool HoldsTooManyAnswered(std::size_t queued) const noexcept;
  void DropAnsweredLeaderWaits();
  void NoteDeadline(const Waiter& waiter) noexcept;
  void CountWrite(const Waiter& waiter, const error_code& error) noexcept;

  const PartitionId partition_;
  PartitionMeters& meters_;
  Instant now_{};
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t used_ = 0;
  std::vector<Queued> apply_queue_;  // a heap, the lowest index first
  std::vector<raft::RequestId> leader_queue_;
  Instant next_deadline_ = kNever;
  Instant stable_at_ = kNever;
  Completions completions_;
};

}  // namespace kommander::runtime
