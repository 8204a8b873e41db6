// What one node counted between two instants, and how a child process tells its parent.
#pragma once

#include <cstdint>
#include <istream>
#include <ostream>

#include "latency_histogram.hpp"

namespace kommander::bench {

struct NodeReport {
  double elapsed_seconds = 0;
  std::uint64_t commits = 0;  // calls of ReplicateLogs that returned success
  std::uint64_t errors = 0;   // calls that did not
  std::uint64_t syncs = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t messages_sent = 0;
  std::uint64_t transport_writes = 0;
  LatencyHistogram latencies;

  void Write(std::ostream& out) const {
    out << elapsed_seconds << ' ' << commits << ' ' << errors << ' ' << syncs << ' '
        << bytes_written << ' ' << messages_sent << ' ' << transport_writes << ' ';
    latencies.Write(out);
  }
  void Read(std::istream& in) {
    in >> elapsed_seconds >> commits >> errors >> syncs >> bytes_written >> messages_sent >>
        transport_writes;
    latencies.Read(in);
  }
};

// What a process used.
struct ProcessUsage {
  double cpu_seconds = 0;
  std::uint64_t context_switches = 0;
  std::uint64_t rss_kib = 0;
  std::uint64_t peak_rss_kib = 0;

  void Write(std::ostream& out) const {
    out << cpu_seconds << ' ' << context_switches << ' ' << rss_kib << ' ' << peak_rss_kib << ' ';
  }
  void Read(std::istream& in) { in >> cpu_seconds >> context_switches >> rss_kib >> peak_rss_kib; }
};

// Of the calling process, since its start.
[[nodiscard]] ProcessUsage CurrentUsage();

}  // namespace kommander::bench
