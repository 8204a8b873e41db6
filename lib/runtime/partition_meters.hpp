// What one partition counts and measures: written where it happens, read by anybody at any time.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <kommander/statistics.hpp>

namespace kommander::runtime {

// One writer or several; each reading is a little late and never torn.
class Meter {
 public:
  void Add(std::uint64_t more = 1) noexcept { value_.fetch_add(more, std::memory_order_relaxed); }
  void Set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t Get() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class LatencyMeter {
 public:
  void Add(Duration duration) noexcept {
    counts_[ClassOf(duration)].Add();
    sum_.Add(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count()));
  }
  [[nodiscard]] LatencyHistogram Get() const noexcept {
    LatencyHistogram histogram;
    for (std::size_t i = 0; i < counts_.size(); ++i) histogram.counts[i] = counts_[i].Get();
    histogram.sum = std::chrono::nanoseconds(static_cast<std::int64_t>(sum_.Get()));
    return histogram;
  }
  // The first class whose bound is not below it.
  [[nodiscard]] static std::size_t ClassOf(Duration duration) noexcept {
    if (duration <= LatencyHistogram::Bound(0)) return 0;
    const auto units =
        static_cast<std::uint64_t>((duration - Duration(1)) / LatencyHistogram::Bound(0));
    return std::min<std::size_t>(std::bit_width(units), LatencyHistogram::kClasses - 1);
  }

 private:
  std::array<Meter, LatencyHistogram::kClasses> counts_;
  Meter sum_;  // nanoseconds
};

struct PartitionMeters {
  Meter writes_committed, writes_refused, writes_pushed_back, writes_unknown;
  Meter reads_served, reads_failed;
  Meter campaigns, leaderships, leader_changes;
  Meter handlers_failed;
  Meter snapshots_taken, snapshots_failed, snapshots_sent, snapshots_not_sent, snapshots_received,
      snapshots_refused, log_cuts;
  Meter callers_waiting, uncommitted_bytes, open_tickets, open_sessions;
  LatencyMeter commit_latency, durable_latency, apply_latency;

  [[nodiscard]] PartitionStatistics Get(PartitionId partition) const noexcept {
    PartitionStatistics statistics;
    statistics.partition = partition;
    statistics.writes_committed = writes_committed.Get();
    statistics.writes_refused = writes_refused.Get();
    statistics.writes_pushed_back = writes_pushed_back.Get();
    statistics.writes_unknown = writes_unknown.Get();
    statistics.reads_served = reads_served.Get();
    statistics.reads_failed = reads_failed.Get();
    statistics.campaigns = campaigns.Get();
    statistics.leaderships = leaderships.Get();
    statistics.leader_changes = leader_changes.Get();
    statistics.handlers_failed = handlers_failed.Get();
    statistics.snapshots_taken = snapshots_taken.Get();
    statistics.snapshots_failed = snapshots_failed.Get();
    statistics.snapshots_sent = snapshots_sent.Get();
    statistics.snapshots_not_sent = snapshots_not_sent.Get();
    statistics.snapshots_refused = snapshots_refused.Get();
    statistics.snapshots_received = snapshots_received.Get();
    statistics.log_cuts = log_cuts.Get();
    statistics.callers_waiting = callers_waiting.Get();
    statistics.uncommitted_bytes = uncommitted_bytes.Get();
    statistics.open_tickets = open_tickets.Get();
    statistics.open_sessions = open_sessions.Get();
    statistics.commit_latency = commit_latency.Get();
    statistics.durable_latency = durable_latency.Get();
    statistics.apply_latency = apply_latency.Get();
    return statistics;
  }
};

}  // namespace kommander::runtime
