// What clients asked and how it ended: the record against which promises are checked.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <kommander/errors.hpp>
#include <kommander/ids.hpp>
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
  LogIndex index;        // of a write that succeeded, of a read that was confirmed
  Term term;             // of a write that succeeded
  LogIndex acked_floor;  // reads: the highest index that had been acknowledged when it began
};

}  // namespace kommander::sim
