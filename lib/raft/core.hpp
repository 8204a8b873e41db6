// One partition's Raft as a pure function with memory: inputs and the time go in, effects come out.
// No I/O, thread, lock, clock, random device, logger or exception; the same inputs give the same
// effects, so a failing run is a seed. Owned and stepped by one partition actor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <kommander/configuration.hpp>
#include <kommander/ids.hpp>
#include <kommander/status.hpp>
#include <kommander/time.hpp>
#include <kommander/wal_recovery.hpp>

#include "raft/effects.hpp"
#include "raft/inputs.hpp"

namespace kommander::raft {

inline constexpr Duration kUnlimited = Duration::max();

// Units in the names; every value is a bound that holds per partition.
struct CoreOptions {
  PartitionId partition;
  NodeId self;
  Incarnation incarnation;  // of this node's disk, to know it in VoteRequest::admits; 0: none
  std::uint64_t seed = 0;   // of the election timeouts
  Duration election_timeout = std::chrono::milliseconds(1000);  // T; drawn from [T, 2T)
  Duration heartbeat_interval{};                                // 0: T/6
  Duration stall_max{};  // 0: 2T; an older unanswered write is a stall
  // Writes what is newly committed at once, where nothing else is written: a restart then knows it
  // without hearing a leader. Else the commit index rides along with the next write.
  bool writes_commits = false;
  std::size_t entry_bytes_max = 8u << 20;
  std::size_t append_bytes_max = 1u << 20;  // one append message, unless one entry is larger
  std::size_t append_entries_max = 4096;
  std::size_t inflight_bytes_max = 8u << 20;      // per peer: sent and not answered
  std::size_t inflight_messages_max = 128;        // per peer
  std::size_t uncommitted_bytes_max = 64u << 20;  // above: ProposalQueueFull
  std::size_t apply_bytes_max = 16u << 20;        // handed to the applier and not confirmed
  std::size_t cache_bytes_max = 8u << 20;         // synced entries kept in memory for peers
  // A leader rolls a ticket back that it has seen open for so long, and closes a session that it
  // has not seen used for so long. kUnlimited: never.
  Duration ticket_timeout = kUnlimited;
  Duration session_timeout = kUnlimited;
  std::uint64_t mark_entries = 1024;  // between two marks of the ledger that nobody asked for
  std::size_t requests_max = 65536;   // unanswered proposals and reads
  std::size_t fetches_max = 16;       // reads back under way; one more for the applier
};

enum class RoleKind : std::uint8_t { kFollower, kPreCandidate, kCandidate, kLeader, kLearner };
[[nodiscard]] std::string_view ToString(RoleKind role) noexcept;

// What anybody may know of a partition; a copy, taken between steps.
struct CoreStatus {
  RoleKind role = RoleKind::kFollower;
  Term term;
  NodeId vote;
  NodeId leader;   // 0: none known
  LogIndex first;  // boundary + 1
  LogIndex last;
  LogIndex durable;
  LogIndex committed;
  LogIndex handed_off;  // given to the applier
  LogIndex applied;
  bool ready = false;   // leader, and an entry of its own term is committed
  bool failed = false;  // storage
  std::size_t uncommitted_bytes = 0;
  HlcTimestamp stamp;  // the greatest that the log, or what went before it, has
  friend bool operator==(const CoreStatus&, const CoreStatus&) = default;
};

class Core {
 public:
  // `recovered` is the disk's word, all of it synced, and without damage (raft/recovery.hpp). The
  // hand-off begins right after the boundary, so that ledger and digest can be rebuilt; entries up
  // to max(boundary, applied_from) are handed off as kHeld, delivery begins after it. A new core
  // neither votes nor campaigns before its first Enable input, but for VoteRequest::admits.
  Core(CoreOptions options, RecoveredPartition recovered, LogIndex applied_from, Instant now);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Takes all inputs in order, then decides once what to write, send, apply and answer. `effects`
  // is cleared first. Inputs may be moved from.
  void Step(std::span<Input> inputs, Instant now, Effects& effects);

  // When a Tick is due at the latest; kNever when nothing waits for time.
  [[nodiscard]] Instant NextDeadline() const noexcept;

  [[nodiscard]] CoreStatus Status() const noexcept;
  // Tickets and sessions as of what was handed off last.
  [[nodiscard]] const Ledger& ledger() const noexcept;
  [[nodiscard]] const Configuration& ActiveConfiguration() const noexcept;
  [[nodiscard]] const Configuration& CommittedConfiguration() const noexcept;
  // In force at `index`, which is not below the boundary.
  [[nodiscard]] const Configuration& ConfigurationAt(LogIndex index) const noexcept;
  // The term of the entry at `index`; 0 when it is not in the log (before the boundary, after
  // last).
  [[nodiscard]] Term TermAt(LogIndex index) const noexcept;
  // The other members as a leader sees them, ascending; none when it does not lead. What it does
  // not know, of snapshots, stays 0.
  void ReadPeers(std::vector<PeerStatus>& peers) const;
  // One line per peer, for people and golden scripts.
  [[nodiscard]] std::vector<std::string> DescribePeers() const;
  // Every internal consistency rule; asserts. Called by tests after every step.
  void CheckInvariants() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kommander::raft
