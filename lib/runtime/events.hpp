// What a partition's mailbox holds.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <variant>

#include <kommander/configuration.hpp>
#include <kommander/io_scheduler.hpp>
#include <kommander/messages.hpp>
#include <kommander/raft_manager.hpp>
#include <kommander/time.hpp>

namespace kommander::runtime {

struct ProposeEvent {
  detail::ReplicateOperation operation;
  Payload body;
  std::uint32_t count = 0;
  Instant deadline = kNever;
  bool await_apply = false;
};
struct ReadEvent {
  detail::ReadOperation operation;
  Instant deadline = kNever;
};
// Either of the two is set.
struct LeaderEvent {
  detail::LeaderOperation who;
  detail::BoolOperation am_i;
  Instant deadline = kNever;
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
};
struct TimerEvent {};
// The peer needs a snapshot and none can be sent.
struct SnapshotRefusedEvent {
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
    std::variant<ProposeEvent, ReadEvent, LeaderEvent, TransferEvent, StepDownEvent,
                 ReconfigureEvent, CancelEvent, WrittenEvent, StoreFailedEvent, ReadResult,
                 AppliedEvent, TimerEvent, SnapshotRefusedEvent, EnableEvent, StopEvent, Message>;

}  // namespace kommander::runtime
