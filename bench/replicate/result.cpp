#include "result.hpp"

#include <algorithm>
#include <cstdint>

namespace kommander::bench {
namespace {

double Mean(double a, double b) { return (a + b) / 2; }

SyncProbe Mean(const SyncProbe& a, const SyncProbe& b) {
  SyncProbe mean;
  mean.syncs_per_second = Mean(a.syncs_per_second, b.syncs_per_second);
  mean.p50_us = Mean(a.p50_us, b.p50_us);
  mean.p99_us = Mean(a.p99_us, b.p99_us);
  return mean;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

Table Describe(const Options& options) {
  return {{"nodes", Format(options.nodes)},
          {"partitions", Format(options.partitions)},
          {"payload", Format(options.payload_bytes)},
          {"outstanding", Format(options.outstanding)},
          {"batch", Format(options.batch)},
          {"wal", Format(Joined(options.wals))},
          {"transport", Format(Joined(options.transports))},
          {"processes", Format(options.processes)}};
}

}  // namespace

void Result::AddReports(const std::vector<NodeReport>& reports) {
  for (const NodeReport& report : reports) {
    commits_per_second_ += static_cast<double>(report.commits) / report.elapsed_seconds;
    total_.elapsed_seconds = std::max(total_.elapsed_seconds, report.elapsed_seconds);
    total_.commits += report.commits;
    total_.errors += report.errors;
    total_.syncs += report.syncs;
    total_.bytes_written += report.bytes_written;
    total_.messages_sent += report.messages_sent;
    total_.transport_writes += report.transport_writes;
    total_.latencies.Merge(report.latencies);
  }
}

void Result::AddUsage(const std::vector<ProcessUsage>& before,
                      const std::vector<ProcessUsage>& after) {
  for (std::size_t i = 0; i < after.size(); ++i) {
    used_.cpu_seconds += after[i].cpu_seconds - before[i].cpu_seconds;
    used_.context_switches += after[i].context_switches - before[i].context_switches;
    used_.rss_kib = std::max(used_.rss_kib, after[i].rss_kib);
    used_.peak_rss_kib = std::max(used_.peak_rss_kib, after[i].peak_rss_kib);
  }
}

void Result::AddProbes(const DiskProbe& before, const DiskProbe& after) {
  disk_.one_file = Mean(before.one_file, after.one_file);
  disk_.three_files = Mean(before.three_files, after.three_files);
}

Table Result::MakeTable(const Options& options) {
  const double nodes = options.nodes;
  const double commits = static_cast<double>(total_.commits);
  // Of one node; 0 when nothing was committed.
  const auto per_commit = [&](std::uint64_t count) {
    return commits == 0 ? 0.0 : static_cast<double>(count) / nodes / commits;
  };
  const double nodes_per_process = options.processes ? 1 : nodes;
  const auto mib_per_node = [&](std::uint64_t kib) {
    return static_cast<double>(kib) / 1024 / nodes_per_process;
  };
  Table table = Describe(options);
  const auto add = [&table](const char* name, const auto& value) {
    table.emplace_back(name, Format(value));
  };
  add("seconds", total_.elapsed_seconds);
  add("commits", total_.commits);
  add("errors", total_.errors);
  add("commits_per_second", commits_per_second_);
  add("p50_us", total_.latencies.QuantileUs(0.5));
  add("p99_us", total_.latencies.QuantileUs(0.99));
  add("p999_us", total_.latencies.QuantileUs(0.999));
  add("max_us", total_.latencies.QuantileUs(1));
  add("syncs_per_commit", per_commit(total_.syncs));
  add("bytes_written_per_commit", per_commit(total_.bytes_written));
  add("messages_per_commit", per_commit(total_.messages_sent));
  add("transport_writes_per_commit", per_commit(total_.transport_writes));
  add("context_switches_per_commit", per_commit(used_.context_switches));
  add("cpu_seconds", used_.cpu_seconds);
  add("cpu_seconds_per_million_commits", commits == 0 ? 0.0 : used_.cpu_seconds * 1e6 / commits);
  add("rss_mib_per_node", mib_per_node(used_.rss_kib));
  add("peak_rss_mib_per_node", mib_per_node(used_.peak_rss_kib));
  add("raw_fdatasync_per_second", disk_.one_file.syncs_per_second);
  add("raw_fdatasync_p50_us", disk_.one_file.p50_us);
  add("raw3_fdatasync_per_second", disk_.three_files.syncs_per_second);
  add("raw3_fdatasync_p50_us", disk_.three_files.p50_us);
  return table;
}

void Comparison::Add(const std::string& name, const std::vector<NodeReport>& reports) {
  Turn turn;
  LatencyHistogram latencies;
  for (const NodeReport& report : reports) {
    turn.per_second += static_cast<double>(report.commits) / report.elapsed_seconds;
    latencies.Merge(report.latencies);
    errors_ += report.errors;
  }
  turn.p50_us = static_cast<double>(latencies.QuantileUs(0.5));
  turn.p99_us = static_cast<double>(latencies.QuantileUs(0.99));
  if (!turns_.contains(name)) names_.push_back(name);
  turns_[name].push_back(turn);
}

Table Comparison::MakeTable(const Options& options) {
  Table table = Describe(options);
  table.emplace_back("seconds", Format(options.seconds));
  table.emplace_back("rounds", Format(options.rounds));
  table.emplace_back("errors", Format(errors_));
  const auto median_of = [](const std::vector<Turn>& turns, double Turn::*figure) {
    std::vector<double> values;
    for (const Turn& turn : turns) values.push_back(turn.*figure);
    return Format(Median(std::move(values)));
  };
  const std::string& first = names_.front();
  for (const std::string& name : names_) {
    const std::vector<Turn>& turns = turns_.at(name);
    table.emplace_back(name + "_per_second", median_of(turns, &Turn::per_second));
    table.emplace_back(name + "_p50_us", median_of(turns, &Turn::p50_us));
    table.emplace_back(name + "_p99_us", median_of(turns, &Turn::p99_us));
    if (name == first) continue;
    std::vector<double> ratios;
    for (std::size_t round = 0; round < turns.size(); ++round) {
      ratios.push_back(turns[round].per_second / turns_.at(first)[round].per_second);
    }
    const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
    const std::string ratio = name + "_to_" + first;
    table.emplace_back(ratio + "_least", Format(*least));
    table.emplace_back(ratio + "_most", Format(*most));
    table.emplace_back(ratio, Format(Median(std::move(ratios))));
  }
  return table;
}

}  // namespace kommander::bench
