// What anybody may know of a node without waiting for it.
#pragma once

#include <cstdint>
#include <string_view>

#include <kommander/ids.hpp>

namespace kommander {

enum class Role : std::uint8_t { kFollower, kCandidate, kLeader, kLearner };
[[nodiscard]] std::string_view ToString(Role role) noexcept;  // "follower", ...

// Read from an atomic view, without touching the partition's strand. `applied` and `digest` are one
// consistent pair: equal `applied` on two nodes means equal `digest`, also after a restart.
struct PartitionStatus {
  PartitionStatus() = default;
  PartitionId partition;
  Role role = Role::kFollower;
  bool ready = false;   // leads, and an entry of its own term is committed
  bool failed = false;  // its storage failed: nothing is accepted until a restart
  NodeId leader;        // 0: none known
  Term term;
  LogIndex last;     // of the log
  LogIndex durable;  // synced on this node
  LogIndex committed;
  LogIndex applied;          // handlers have returned
  std::uint64_t digest = 0;  // chained over every entry up to `applied`
};

}  // namespace kommander
