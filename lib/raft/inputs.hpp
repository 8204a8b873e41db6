// Everything that can happen to a partition, as values. The runtime makes them, Core::Step eats
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include <kommander/configuration.hpp>
#include <kommander/entry.hpp>
#include <kommander/errc.hpp>
#include <kommander/ids.hpp>
#include <kommander/messages.hpp>
#include <kommander/time.hpp>
#include <kommander/write_unit.hpp>

namespace kommander::raft {

// Numbers what a caller waits for (proposal, read, transfer, change). Chosen by the runtime, unique
// among the unanswered ones; every one is answered by exactly one Completion.
class RequestId : public StrongId<struct RequestIdTag> {
 public:
  using StrongId::StrongId;
};

// One entry to append and commit, of any kind but kNoop and kConfiguration. Past its deadline:
// DeadlineExceeded before the append, ProposalTimeout after it. With `first` an application entry
// of that body is appended right before it; the answer is the second one's, which implies that the
// first is committed.
struct Propose {
  RequestId request;
  EntryKind kind = EntryKind::kApplication;
  Ticket ticket;
  Payload body;
  Instant deadline = kNever;
  std::optional<Payload> first;
  Ticket first_ticket;
};
// The caller of a proposal, read, transfer or change has gone. Not yet accepted: it ends without
// effect (Completion::withdrawn). Appended: the entry stays and the wait ends as OutcomeUnknown.
struct Withdraw {
  RequestId request;
};
// A read barrier, on a leader or a follower; answered with the index to be applied before reading.
struct Read {
  RequestId request;
  Instant deadline = kNever;
};
// Hands leadership to `target`, 0: to the most advanced voter.
struct Transfer {
  RequestId request;
  NodeId target;
};
// The leader gives up its role without naming a successor.
struct StepDown {
  RequestId request;
};
// Changes the members to `target` (never joint itself). A change of voters goes through a joint
// configuration by itself; answered when the final one is committed.
struct Reconfigure {
  RequestId request;
  Configuration target;
  Instant deadline = kNever;
};
// From another node; the runtime has checked sender, receiver and partition.
struct Receive {
  Message message;
};
// Every unit up to `unit` is synced.
struct Persisted {
  UnitId unit;
};
// The file set of this partition failed: no vote, acknowledgement or campaign until restart.
struct StorageFailure {
  RaftErrc reason = RaftErrc::StorageFailed;
};
// The applier is done with everything up to `index`, handlers included.
struct Applied {
  LogIndex index;
};
// Entries that a Fetch effect asked for, contiguous from `first`; may be fewer than asked, at least
// one. Empty: the read failed and is asked for again later.
struct Fetched {
  std::uint64_t fetch = 0;
  LogIndex first;
  std::vector<Entry> entries;
};
// What became of a Snapshot effect for `peer`. Success: the peer's log now starts after `index`.
struct SnapshotSent {
  NodeId peer;
  LogIndex index;
  bool success = false;
};
// A complete, verified snapshot of the leader of `term` is staged on this node's disk. When the
// core takes it, this step's unit carries its boundary with drop_log, and the hand-off continues
// after it; otherwise the log here already holds or passed its index and the file is not needed.
struct SnapshotStaged {
  NodeId from;
  Term term;
  BoundaryRecord boundary;
};
// Asks for a mark of the ledger (Effects::marks) at what is handed off last when the step ends.
struct MarkLedger {};
// The prefix up to boundary.index may be removed from the log; boundary.index <= applied. The core
// fills in the term and the configuration there; digest and ledger are the runtime's.
struct Compact {
  BoundaryRecord boundary;
};
// For tests: a leader sends no heartbeat until they are resumed. Appends go on.
struct SuspendHeartbeats {
  bool suspended = true;
};
// What the application holds by itself; goes to disk with the next unit.
struct KeepApplication {
  ApplicationRecord record;
};
// Whether this node may campaign and vote on its own word; a new core may not, until bootstrap
// allows it (design: identity). Until then it votes for candidates that admit it
// (VoteRequest::admits).
struct Enable {
  bool enabled = true;
};
// Time has passed; Core::NextDeadline says when one is due. Any other input serves as well.
struct Tick {};
// This process's part ends: every unanswered request is answered now.
struct Stop {};

using Input =
    std::variant<Propose, Withdraw, Read, Transfer, StepDown, Reconfigure, Receive, Persisted,
                 StorageFailure, Applied, Fetched, SnapshotSent, SnapshotStaged, MarkLedger,
                 Compact, KeepApplication, SuspendHeartbeats, Enable, Tick, Stop>;

}  // namespace kommander::raft
