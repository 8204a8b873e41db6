// What clients asked and how it ended: the record against which promises are checked.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include <kommander/errors.hpp>
#include <kommander/ids.hpp>
#include <kommander/raft_log.hpp>
#include <kommander/time.hpp>

namespace kommander::sim {

enum class OperationKind : std::uint8_t {
  kWrite,
  kRead,
  kTransfer,
  kStepDown,
  kWaitForLeader,
  kReconfigure,
  kJoin,
  kStop,
  kPrepare,  // a write that waits for a decision
  kDecide,   // one about a prepared write
  kOpenSession,
  kCloseSession,
  kSessionWrite,  // an attempt; several may be the same write
  kCheckpoint,
  kHold,   // of entries that are to stay in the log, at the node that is asked
  kLetGo,  // of a hold; nobody answers
};
[[nodiscard]] std::string_view ToString(OperationKind kind) noexcept;

enum class OperationEnd : std::uint8_t {
  kOpen,
  kAnswered,
  kDiedWithNode,  // the process that was to answer has gone; nobody will
};

// The type of the simulated clients' payloads, which begin with the operation's number; a payload
// of another type is a guest's.
inline constexpr char kOperationType[] = "~sim~";
inline constexpr char kPreparedType[] = "~prepared~";
inline constexpr char kSessionType[] = "~session~";

// The number of the client's operation that a payload begins with; none: it is a guest's. Of a
// write of a session it is the first attempt.
[[nodiscard]] inline std::optional<std::uint64_t> OperationOf(const RaftLog& log) noexcept {
  const bool is_ours =
      log.type() == kOperationType || log.type() == kPreparedType || log.type() == kSessionType;
  std::uint64_t id = 0;
  if (!is_ours || log.payload().size() < sizeof id) return std::nullopt;
  std::memcpy(&id, log.payload().data(), sizeof id);
  return id;
}

struct ClientOperation {
  std::uint64_t id = 0;
  OperationKind kind = OperationKind::kWrite;
  NodeId node;
  std::uint64_t life = 0;  // of the node
  PartitionId partition;
  std::uint32_t count = 0;  // payloads of a write
  Instant began{};
  Instant due = kNever;  // an answer is owed by then, as long as the node runs
  Instant ended{};
  OperationEnd end = OperationEnd::kOpen;
  error_code error;
  LogIndex index;             // of a write that succeeded, of a read that was confirmed; the first
                              // one that is held
  Term term;                  // of a write that succeeded
  Ticket ticket;              // of a write that succeeded; the one to be decided
  std::uint64_t subject = 0;  // kDecide: the prepared write; kSessionWrite: the first attempt;
                              // kLetGo: the hold
  bool commits = false;       // kDecide
  bool forwards = false;      // a node that does not lead may hand it on
  bool awaits_apply = false;  // a write
  bool led = false;           // the node that was asked did, as far as it knew
  bool is_mixed = false;      // kPrepare, kDecide: beside payloads that need no decision
  Generation generation;      // that the write expects; 0: any
  bool is_moved = false;      // it is none that the partition ever has
  NodeId leader;              // as the answer says
  LogIndex acked_floor;       // reads: the highest index that had been acknowledged when it began
};

}  // namespace kommander::sim
