// What a partition's mailbox holds.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include <kommander/configuration.hpp>
#include <kommander/io_scheduler.hpp>
#include <kommander/messages.hpp>
#include <kommander/raft_manager.hpp>
#include <kommander/time.hpp>

#include "runtime/retention.hpp"
#include "runtime/snapshot_desk.hpp"
#include "runtime/waiters.hpp"

namespace kommander::runtime {

// One entry, or two that an EntryBatch asks for. The operation's type goes with `waits_as`.
struct ProposeEvent {
  std::shared_ptr<detail::Operation> operation;
  Waiter::Kind waits_as = Waiter::Kind::kWrite;
  EntryKind kind = EntryKind::kApplication;
  Payload body;
  std::uint32_t count = 0;
  std::optional<Payload> first;  // an application entry, right before
  std::uint32_t first_count = 0;
  Instant deadline = kNever;
  Generation expected_generation;
  bool await_apply = false;
  bool is_judged = false;  // by what the node makes of it when it is applied
  bool forward = false;
  int sendings = 0;  // to leaders, before it was proposed here
};
// A checkpoint of what this node's application holds when the event is taken, or of `covered`.
struct CheckpointEvent {
  detail::ReplicateOperation operation;
  std::optional<LogIndex> covered;
  Instant deadline = kNever;
  Generation expected_generation;
  bool await_apply = false;
};
struct ListTicketsEvent {
  detail::TicketsOperation operation;
};
struct ReadEvent {
  std::shared_ptr<detail::Operation> operation;
  Waiter::Kind waits_as = Waiter::Kind::kRead;
  Instant deadline = kNever;
};
// Either of the two is set.
struct LeaderEvent {
  detail::LeaderOperation who;
  detail::BoolOperation am_i;
  Instant deadline = kNever;
  Duration stable_for{};  // the leader has been the same for so long
};
struct HeartbeatsEvent {
  detail::PlainOperation operation;
  bool suspended = false;
};
struct TransferEvent {
  detail::PlainOperation operation;
  NodeId target;
};
struct StepDownEvent {
  detail::PlainOperation operation;
};
struct ReconfigureEvent {
  detail::PlainOperation operation;
  Configuration target;
  Instant deadline = kNever;
};
struct CancelEvent {
  std::shared_ptr<detail::Operation> operation;
};
struct WrittenEvent {
  UnitId unit;
  error_code error;
};
// The file set that this partition shares with others takes no more writes.
struct StoreFailedEvent {};
struct AppliedEvent {
  LogIndex index;
  std::vector<Refusal> refused;  // of those that are judged; ascending
};
struct CheckpointedEvent {
  LogIndex index;
  LogIndex floor;
};
// The application's state is that of the snapshot at `index`.
struct ImportedEvent {
  LogIndex index;
};
// Of a hold: which entries it keeps; answered once it is in force.
struct HoldEvent {
  detail::HoldOperation operation;
  LogIndex first;
};
struct ReleaseEvent {
  std::uint64_t hold = 0;
};
// The application's lasting wish is another one.
struct KeepFromEvent {};
struct TimerEvent {};
// The link to the peer has ended: what was sent to it and not answered may be lost.
struct PeerDownEvent {
  NodeId peer;
};
struct EnableEvent {
  bool enabled = true;
};
// Ends the actor; `done` is called once nothing of it runs any more. Empty: nobody waits.
struct StopEvent {
  std::function<void()> done;
};

using Event =
    std::variant<ProposeEvent, CheckpointEvent, ListTicketsEvent, ReadEvent, LeaderEvent,
                 HeartbeatsEvent, TransferEvent, StepDownEvent, ReconfigureEvent, CancelEvent,
                 WrittenEvent, StoreFailedEvent, ReadResult, AppliedEvent, CutPoint,
                 CheckpointedEvent, SnapshotEvent, ImportedEvent, HoldEvent, ReleaseEvent,
                 KeepFromEvent, TimerEvent, PeerDownEvent, EnableEvent, StopEvent, Message>;

}  // namespace kommander::runtime
