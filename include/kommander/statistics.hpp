// Counts and times of a node since its start, for whatever measures: docs/operations.md says what
// each one means, prometheus_metrics.hpp makes Prometheus' text of them.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <kommander/detail/export.hpp>
#include <kommander/ids.hpp>
#include <kommander/time.hpp>

namespace kommander {

// How many durations fell into each of the classes (bound of the class before, its own bound].
class KOMMANDER_EXPORT LatencyHistogram {
 public:
  LatencyHistogram() = default;
  // The last class has no bound.
  static constexpr std::size_t kClasses = 21;
  // 32 microseconds, and twice as much from class to class: 16.8 s before the last one.
  [[nodiscard]] static constexpr Duration Bound(std::size_t at) noexcept {
    return std::chrono::microseconds(32) * (std::int64_t{1} << at);
  }

  std::array<std::uint64_t, kClasses> counts{};
  Duration sum{};

  [[nodiscard]] std::uint64_t Count() const noexcept;
  // The bound of the class in which the quantile, 0 to 1, lies; 0 when nothing was counted, the
  // last bound for what has none.
  [[nodiscard]] Duration Quantile(double quantile) const noexcept;
};

// Of one partition on this node, since it started.
struct PartitionStatistics {
  PartitionStatistics() = default;
  PartitionId partition;
  // Writes of this node's callers, by how they ended.
  std::uint64_t writes_committed = 0;
  std::uint64_t writes_refused = 0;      // without an effect, for another reason than these
  std::uint64_t writes_pushed_back = 0;  // a bound was met, or the disk is full
  std::uint64_t writes_unknown = 0;
  std::uint64_t reads_served = 0;
  std::uint64_t reads_failed = 0;
  // Elections.
  std::uint64_t campaigns = 0;       // of this node, pre-votes included
  std::uint64_t leaderships = 0;     // of this node
  std::uint64_t leader_changes = 0;  // as seen here
  // The application's handlers.
  std::uint64_t handlers_failed = 0;  // calls, and payloads of spans
  // Snapshots and the log's beginning.
  std::uint64_t snapshots_taken = 0;
  std::uint64_t snapshots_failed = 0;  // to be taken
  std::uint64_t snapshots_sent = 0;
  // Transfers that failed or, without a state machine, could not begin; each tried again later.
  std::uint64_t snapshots_not_sent = 0;
  std::uint64_t snapshots_received = 0;
  std::uint64_t snapshots_refused = 0;  // received whole, and not wanted any more
  std::uint64_t log_cuts = 0;
  // Now.
  std::uint64_t callers_waiting = 0;
  std::uint64_t uncommitted_bytes = 0;
  std::uint64_t open_tickets = 0;
  std::uint64_t open_sessions = 0;
  // From the burst that took a write to its answer; of writes that succeeded.
  LatencyHistogram commit_latency;
  // From a write unit's way into the disk's queue to its sync.
  LatencyHistogram durable_latency;
  // Of one call of a handler, or of StateMachine::Apply.
  LatencyHistogram apply_latency;
};

// Of this node, over all its partitions, since it started.
struct NodeStatistics {
  NodeStatistics() = default;
  std::uint64_t messages_dropped = 0;    // of peers, at a full mailbox
  std::uint64_t appends_dropped = 0;     // of peers, at a saturated lane of the disk
  std::uint64_t uncounted_dropped = 0;   // votes and acknowledgements of peers that do not count
  std::uint64_t stamps_ahead = 0;        // of messages, not merged into the hybrid clock
  std::uint64_t snapshot_transfers = 0;  // sent by this node now
  // Held for callers of all partitions now: queued, handed to another node, or appended and not
  // committed. At most RaftConfiguration::NodeBytesMax, but for one request, and for what this node
  // has appended as a follower when it comes to lead.
  std::uint64_t proposal_bytes = 0;
};

}  // namespace kommander
