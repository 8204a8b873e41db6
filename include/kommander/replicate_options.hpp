// What may be asked of a single write or read, and what it answers.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <kommander/ids.hpp>
#include <kommander/session.hpp>
#include <kommander/time.hpp>

namespace kommander {

// An option that means nothing for a call is InvalidArgument: Manual and Session are for
// ReplicateLogs, Session for ReplicateEntries too, ExpectedVersion for settings of the cluster;
// Timeout, ExpectedGeneration and AwaitApply are for every write.
class ReplicateOptions {
 public:
  ReplicateOptions() = default;
  // Ends the wait after this time: DeadlineExceeded without effect, or ProposalTimeout.
  // Default: RaftConfiguration::ProposalTimeout.
  ReplicateOptions& Timeout(Duration value) {
    timeout_ = value;
    return *this;
  }
  // Completes only after this node's handlers have returned for the write. Default: once it is
  // committed and synced here.
  ReplicateOptions& AwaitApply(bool value = true) {
    await_apply_ = value;
    return *this;
  }
  // Prepares instead of committing: the call succeeds once a majority has the proposal on disk, and
  // nothing is delivered before CommitLogs decides so for the ticket that it answers.
  ReplicateOptions& Manual(bool value = true) {
    manual_ = value;
    return *this;
  }
  // PartitionMoved, without effect, when the partition's generation is another. 0: not checked. The
  // system partition has none: any other value is PartitionMoved there.
  ReplicateOptions& ExpectedGeneration(Generation value) {
    expected_generation_ = value;
    return *this;
  }
  // SettingChanged, without effect, unless the setting has this version where the log puts the
  // change; 0: unless it is not there.
  ReplicateOptions& ExpectedVersion(LogIndex value) {
    expected_version_ = value;
    has_expected_version_ = true;
    return *this;
  }
  // Lets a node that does not lead hand the write to the one that does, instead of refusing it;
  // while it knows none: NodeIsNotLeader. Without a session it is sent once: when its answer is
  // lost, the outcome is unknown. With one it is sent again, to whoever leads by then, until the
  // deadline. AwaitApply then speaks of the node that leads: this one may not have the write yet,
  // which ReadBarrier sees to. Not for an EntryBatch of both kinds, nor for checkpoints.
  ReplicateOptions& Forward(bool value = true) {
    forward_ = value;
    return *this;
  }
  // Makes the write one of a session: repeated with the same request, it has its effect once
  // (session.hpp).
  ReplicateOptions& Session(const SessionRequest& value) {
    session_ = value;
    return *this;
  }
  [[nodiscard]] std::optional<Duration> timeout() const noexcept { return timeout_; }
  [[nodiscard]] bool await_apply() const noexcept { return await_apply_; }
  [[nodiscard]] bool manual() const noexcept { return manual_; }
  [[nodiscard]] bool forward() const noexcept { return forward_; }
  [[nodiscard]] Generation expected_generation() const noexcept { return expected_generation_; }
  [[nodiscard]] std::optional<LogIndex> expected_version() const noexcept {
    return has_expected_version_ ? std::optional(expected_version_) : std::nullopt;
  }
  [[nodiscard]] const SessionRequest& session() const noexcept { return session_; }

 private:
  std::optional<Duration> timeout_;
  SessionRequest session_;
  Generation expected_generation_;
  LogIndex expected_version_;  // no optional: g++ 12 warns where such a temporary is copied
  bool has_expected_version_ = false;
  bool await_apply_ = false;
  bool manual_ = false;
  bool forward_ = false;
};

// Where a write went. The node that drew the ticket wrote it; `leader` is who led when it was
// answered, on an error a hint to try next, 0 when none is known. Of a write that a session
// repeats, and of a decision that was taken before: where the first one went.
struct ReplicateResult {
  ReplicateResult() = default;
  Ticket ticket;
  LogIndex index;
  Term term;
  std::uint32_t count = 0;  // payloads; they have the ordinals 0..count-1
  NodeId leader;
};

// A payload's place in its partition's order.
struct EntryPosition {
  EntryPosition() = default;
  EntryPosition(LogIndex entry_index, std::uint32_t entry_ordinal)
      : index(entry_index), ordinal(entry_ordinal) {}
  LogIndex index;
  std::uint32_t ordinal = 0;
  friend auto operator<=>(const EntryPosition&, const EntryPosition&) = default;
};

// Where the two parts of an EntryBatch went; a part that is empty, or was not appended, has index
// 0. PartlyCommitted: the committed part is, and the other one is not prepared, since too many
// tickets are open or another leader came between. Any other error: neither is known to be
// committed.
struct ReplicateEntriesResult {
  ReplicateEntriesResult() = default;
  ReplicateResult committed;
  ReplicateResult prepared;
  NodeId leader;
  // Of the payload with that number in the batch: where it is delivered, or was prepared.
  [[nodiscard]] EntryPosition PositionOf(std::uint32_t number) const noexcept {
    if (number < committed.count) return {committed.index, number};
    return {prepared.index, number - committed.count};
  }
};

// A proposal that waits for its decision.
struct OpenTicket {
  OpenTicket() = default;
  OpenTicket(Ticket open_ticket, LogIndex prepared_index, std::uint32_t payload_count,
             std::size_t byte_count)
      : ticket(open_ticket), index(prepared_index), count(payload_count), bytes(byte_count) {}
  Ticket ticket;
  LogIndex index;           // where it was prepared
  std::uint32_t count = 0;  // payloads
  std::size_t bytes = 0;    // of the entry
};

// Of reads, and of questions whether this node leads.
class ReadOptions {
 public:
  ReadOptions() = default;
  // Default: RaftConfiguration::ReadTimeout.
  ReadOptions& Timeout(Duration value) {
    timeout_ = value;
    return *this;
  }
  [[nodiscard]] std::optional<Duration> timeout() const noexcept { return timeout_; }

 private:
  std::optional<Duration> timeout_;
};

// The state of the application on this node now holds everything up to `index`, and whatever was
// acknowledged before the call lies at or below it.
struct ReadBarrierResult {
  ReadBarrierResult() = default;
  LogIndex index;
  NodeId leader;  // a hint on an error
};

}  // namespace kommander
