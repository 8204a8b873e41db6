// How many writes a cluster commits in a second, how long each takes and what it costs, beside what
// the disk can do by itself. The numbers of the README come from here.
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <signal.h>
#include <stdexcept>
#include <stdlib.h>
#include <string>
#include <system_error>

#include "raw_probe.hpp"
#include "replicate/cluster.hpp"
#include "replicate/options.hpp"
#include "replicate/result.hpp"
#include "scratch_directory.hpp"

namespace kommander::bench {
namespace {

sigset_t EndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

// Waits; a signal ends the program the orderly way, children and directory included.
void Wait(double seconds) {
  const sigset_t signals = EndSignals();
  const auto whole = static_cast<time_t>(seconds);
  const auto nanoseconds = static_cast<long>((seconds - static_cast<double>(whole)) * 1e9);
  const timespec time{whole, nanoseconds};
  if (sigtimedwait(&signals, nullptr, &time) > 0) throw std::runtime_error("interrupted");
}

std::optional<DiskProbe> Probe(const Options& options, const std::string& directory) {
  if (options.probe_seconds <= 0) return std::nullopt;
  return ProbeDisk(directory, options.probe_seconds);
}

std::unique_ptr<Cluster> MakeCluster(const Options& options, const std::string& directory) {
  return options.processes ? MakeProcessCluster(options, directory)
                           : MakeLocalCluster(options, directory);
}

Table Measure(const Options& options, const std::string& directory) {
  Result result;
  const auto before = Probe(options, directory);
  const auto cluster = MakeCluster(options, directory);
  cluster->Start();
  cluster->StartLoad(options.calls.front());
  Wait(options.warmup_seconds);
  const auto usage_before = cluster->Usage();
  cluster->BeginMeasuring();
  Wait(options.seconds);
  result.AddReports(cluster->EndMeasuring());
  result.AddUsage(usage_before, cluster->Usage());
  cluster->StopLoad();
  cluster->Stop();
  const auto after = Probe(options, directory);
  if (before && after) result.AddProbes(*before, *after);
  return result.MakeTable(options);
}

// Each call in its turn, in one cluster: what else the machine does, it does to all of them.
Table CompareCalls(const Options& options, const std::string& directory) {
  Comparison comparison;
  const auto cluster = MakeCluster(options, directory);
  cluster->Start();
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    for (const Call call : options.calls) {
      cluster->StartLoad(call);
      Wait(options.warmup_seconds);
      cluster->BeginMeasuring();
      Wait(options.seconds);
      comparison.Add(std::string(ToString(call)), cluster->EndMeasuring());
    }
  }
  cluster->StopLoad();
  cluster->Stop();
  return comparison.MakeTable(options);
}

// Each log with each transport in its turn, in a cluster of its own.
Table CompareParts(const Options& options, const std::string& directory) {
  Comparison comparison;
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    for (const std::string& wal : options.wals) {
      for (const std::string& transport : options.transports) {
        const ScratchDirectory scratch(directory, "turn");
        Options one = options;
        one.wals = {wal};
        one.transports = {transport};
        const auto cluster = MakeCluster(one, scratch.path());
        cluster->Start();
        cluster->StartLoad(options.calls.front());
        Wait(options.warmup_seconds);
        cluster->BeginMeasuring();
        Wait(options.seconds);
        comparison.Add(wal + "_" + transport, cluster->EndMeasuring());
        cluster->StopLoad();
        cluster->Stop();
      }
    }
  }
  return comparison.MakeTable(options);
}

Table MakeTable(const Options& options, const std::string& directory) {
  if (options.wals.size() > 1 || options.transports.size() > 1) {
    return CompareParts(options, directory);
  }
  if (options.calls.size() > 1 || options.rounds > 1) return CompareCalls(options, directory);
  return Measure(options, directory);
}

int Run(const Options& options) {
  const ScratchDirectory scratch(options.data_directory, "bench_replicate");
  const Table table = MakeTable(options, scratch.path());
  PrintTable(table, std::cout);
  if (!options.json_file.empty()) WriteJson(table, options.json_file);
  return 0;
}

}  // namespace
}  // namespace kommander::bench

int main(int argc, char** argv) {
  using namespace kommander::bench;
  const Options options = ParseOptions(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  const sigset_t signals = EndSignals();
  sigprocmask(SIG_BLOCK, &signals, nullptr);  // before any thread: see Wait
  if (options.child_node != 0) return RunChild(options);
  try {
    return Run(options);
  } catch (const std::exception& problem) {
    std::cerr << "bench_replicate: " << problem.what() << '\n';
    return 1;
  }
}
