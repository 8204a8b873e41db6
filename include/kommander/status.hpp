// What anybody may know of a node without waiting for it.
#pragma once

#include <cstdint>
#include <string_view>

#include <kommander/detail/export.hpp>
#include <kommander/ids.hpp>

namespace kommander {

// What a node is in one partition.
enum class Role : std::uint8_t { kFollower, kCandidate, kLeader, kLearner };
[[nodiscard]] KOMMANDER_EXPORT std::string_view ToString(Role role) noexcept;  // "follower", ...

// Read from an atomic view, without touching the partition's strand. `applied` and `digest` are one
// consistent pair: equal `applied` on two nodes means equal `digest`, also after a restart.
struct PartitionStatus {
  PartitionStatus() = default;
  PartitionId partition;
  Role role = Role::kFollower;
  bool ready = false;  // leads, and an entry of its own term is committed
  // Its storage failed, or its state cannot be had any more (an import that failed, a snapshot that
  // is gone): nothing is accepted until a restart.
  bool failed = false;
  NodeId leader;  // 0: none known
  Term term;
  LogIndex first;    // of the log: entries before it were removed
  LogIndex last;     // of the log
  LogIndex durable;  // synced on this node
  LogIndex committed;
  LogIndex applied;          // handlers have returned
  std::uint64_t digest = 0;  // chained over every entry up to `applied`
  LogIndex checkpoint;       // the newest checkpoint entry met in this process life
  // The application keeps everything up to here by itself; while a snapshot that was received is to
  // be imported, the snapshot has it, and `applied` lies below.
  LogIndex floor;
};

// What a leader knows of another member's log, and how it feeds it. From an atomic view too, as of
// the leader's last step.
struct PeerStatus {
  // Probing: where the logs agree is being found out. Replicating: entries flow. Snapshot: what the
  // peer needs is gone from this log, and nothing flows before it has a snapshot.
  enum class State : std::uint8_t { kProbing, kReplicating, kSnapshot };

  PeerStatus() = default;
  NodeId node;
  State state = State::kProbing;
  bool silent = false;    // unheard for an election timeout
  bool backfill = false;  // what comes next is read from the log on disk
  LogIndex matched;       // equal to this log, and synced there
  LogIndex next;          // to be sent
  std::uint64_t inflight_messages = 0;
  std::uint64_t inflight_bytes = 0;
  // Of the snapshot on its way; all 0: none is.
  LogIndex snapshot;
  std::uint64_t snapshot_bytes = 0;
  std::uint64_t snapshot_bytes_received = 0;
  std::uint64_t snapshot_failures = 0;  // in a row
};
[[nodiscard]] KOMMANDER_EXPORT std::string_view ToString(
    PeerStatus::State state) noexcept;  // "replicating", ...

}  // namespace kommander
