// Which faults befall a cluster, when and for how long: drawn from the seed before the run begins,
// as plain data, so that a plan can be printed, repeated and cut down.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <kommander/time.hpp>

#include "chance.hpp"

namespace kommander::sim {

enum class FaultKind : std::uint8_t {
  kPowerLoss,     // a process ends between two functions; unsynced writes survive in part
  kTornWrite,     // the same in the middle of a write
  kLostEntry,     // the same while the store makes something: a prefix of its operations survives
  kRestartStorm,  // the power of every node goes, and comes back one by one
  kAbandon,       // the manager is destroyed without Stop
  kStop,          // a clean stop
  kPause,         // the process stands still, threads and all
  kDiskStall,     // no write ends for a while
  kDiskSlow,      // every sync takes long
  kWriteError,    // the next write fails before anything of it has reached the disk
  kSyncError,     // the next sync fails: any part of what was written may be there
  kReadError,     // reads of entries fail
  kDiskFull,      // free space is below the watermark
  kSlowApply,     // the application takes its time
  kFailingApply,  // the application's handlers return false or throw
  kLose,          // a link loses messages
  kDuplicate,     // repeats them
  kReorder,       // swaps them
  kDelay,         // is slow
  kCutOneWay,     // a link is dead in one direction
  kCutBothWays,   // two nodes do not hear each other
  kIsolate,       // a node hears nobody and is heard by nobody
  kSplit,         // the nodes fall into two halves
  kBridge,        // two halves, and one node that hears both
  kRing,          // every node hears its neighbours only
  kClog,          // links die one after the other and come back in another order
  kReset,         // a connection is dropped
  kClockRate,     // a clock runs fast or slow
  kWallJump,      // the wall clock jumps
  kTransfer,      // leadership is moved
  kStepDown,      // a leader gives up
  kReconfigure,   // the members of a partition change
  kReplace,       // a machine loses its disk and comes back as a new node
  kImpostor,      // the same, but first under its old id
  kCount
};
inline constexpr std::size_t kFaultKinds = static_cast<std::size_t>(FaultKind::kCount);
[[nodiscard]] std::string_view ToString(FaultKind kind) noexcept;
// The kind with this name.
[[nodiscard]] std::optional<FaultKind> FaultKindOf(std::string_view name) noexcept;
// The smallest cluster in which the kind can do anything.
[[nodiscard]] std::uint32_t NodesNeeded(FaultKind kind) noexcept;

struct Fault {
  FaultKind kind = FaultKind::kPowerLoss;
  Duration at{};           // since the run began
  Duration length{};       // until it is over; 0 for what happens once
  std::uint32_t node = 0;  // numbers from 0; what they mean is the kind's matter
  std::uint32_t other = 0;
  std::uint32_t partition = 0;
  std::uint64_t draw = 0;  // chance of its own
  friend bool operator==(const Fault&, const Fault&) = default;
};

using FaultKinds = std::bitset<kFaultKinds>;

struct FaultPlanOptions {
  std::uint32_t nodes = 3;
  std::uint32_t partitions = 1;  // beside the system partition
  Duration length = std::chrono::seconds(60);
  FaultKinds kinds = FaultKinds().set();  // that may be drawn
};

// Ascending in time. Every seed favours some kinds and leaves others out, so that rare ones meet
// each other too.
[[nodiscard]] std::vector<Fault> DrawFaultPlan(Chance& chance, const FaultPlanOptions& options);

using FaultCounts = std::array<std::uint64_t, kFaultKinds>;

}  // namespace kommander::sim
