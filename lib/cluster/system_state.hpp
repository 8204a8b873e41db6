// The system partition's state machine: roster and partition map, built from its log. A value, so
// that it can be published to other threads as an immutable copy.
#pragma once

#include <cstdint>
#include <vector>

#include <kommander/payload.hpp>

#include "cluster/partition_map.hpp"
#include "cluster/roster.hpp"

namespace kommander::cluster {

class SystemState {
 public:
  enum class Change : std::uint8_t { kNone, kInitialised, kPinned, kMemberAdded };

  // Deterministic and total: the same commands in the same order give the same state on every node.
  // An unknown or malformed command, a second initialise, a pin of a stranger or over another pin,
  // and adding a known node change nothing.
  Change Apply(ByteSpan command);

  [[nodiscard]] const Roster& roster() const noexcept { return roster_; }
  // Ascending by id.
  [[nodiscard]] const std::vector<PartitionRecord>& partitions() const noexcept {
    return partitions_;
  }
  friend bool operator==(const SystemState&, const SystemState&) = default;

 private:
  Roster roster_;
  std::vector<PartitionRecord> partitions_;
};

}  // namespace kommander::cluster
