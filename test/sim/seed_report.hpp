// What seeds come to: one of them, as its worker tells it, and all of them together.
#pragma once

#include <cstdint>

#include "simulation.hpp"

namespace kommander::sim {

// What one seed came to; crosses the pipe as bytes.
struct SeedReport {
  std::uint64_t seed = 0;
  std::uint32_t is_begin = 0;  // the seed begins; the rest is empty
  std::uint32_t is_stuck = 0;
  std::uint64_t violations = 0;
  double virtual_seconds = 0;
  double cpu_seconds = 0;  // of the run itself, without what was tried to cut its plan down
  std::uint64_t steps = 0;
  std::uint64_t hash = 0;
  FaultCounts faults{};
  std::uint64_t long_disk_stalls = 0;
  NetworkCounters network;
  WorkloadCounters workload;
  FeatureCounts features{};
  std::uint64_t units_torn = 0;
  std::uint64_t elections = 0;
  std::uint32_t is_deceived = 0;
  std::uint64_t followed = 0;
  std::uint32_t is_trace_lost = 0;
  std::uint32_t text_bytes = 0;  // follow
};

struct Totals {
  std::uint64_t seeds = 0;
  std::uint64_t violations = 0;
  std::uint64_t stuck = 0;
  std::uint64_t crashed = 0;
  std::uint64_t traces_lost = 0;
  double virtual_seconds = 0;
  std::uint64_t steps = 0;
  FaultCounts faults{};
  std::uint64_t long_disk_stalls = 0;
  NetworkCounters network;
  WorkloadCounters workload;
  FeatureCounts features{};
  std::uint64_t units_torn = 0;
  std::uint64_t elections = 0;
  std::uint64_t deceived = 0;
  std::uint64_t followed = 0;

  void Add(const SeedReport& report) {
    ++seeds;
    violations += report.violations;
    stuck += report.is_stuck;
    traces_lost += report.is_trace_lost;
    virtual_seconds += report.virtual_seconds;
    steps += report.steps;
    for (std::size_t i = 0; i < faults.size(); ++i) faults[i] += report.faults[i];
    long_disk_stalls += report.long_disk_stalls;
    network.sent += report.network.sent;
    network.delivered += report.network.delivered;
    network.lost += report.network.lost;
    network.cut += report.network.cut;
    network.duplicated += report.network.duplicated;
    network.reordered += report.network.reordered;
    network.connections_dropped += report.network.connections_dropped;
    network.encoded += report.network.encoded;
    network.strange += report.network.strange;
    network.lies += report.network.lies;
    deceived += report.is_deceived;
    followed += report.followed;
    workload.began += report.workload.began;
    workload.writes_acked += report.workload.writes_acked;
    workload.reads_confirmed += report.workload.reads_confirmed;
    workload.failed += report.workload.failed;
    workload.died += report.workload.died;
    sim::Add(features, report.features);
    units_torn += report.units_torn;
    elections += report.elections;
  }
};

}  // namespace kommander::sim
