// The figures of one run.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "../raw_probe.hpp"
#include "../table.hpp"
#include "node_report.hpp"
#include "options.hpp"

namespace kommander::bench {

class Result {
 public:
  void AddReports(const std::vector<NodeReport>& reports);
  // One element per process.
  void AddUsage(const std::vector<ProcessUsage>& before, const std::vector<ProcessUsage>& after);
  void AddProbes(const DiskProbe& before, const DiskProbe& after);
  [[nodiscard]] Table MakeTable(const Options& options);

 private:
  double commits_per_second_ = 0;
  NodeReport total_;
  ProcessUsage used_;  // resident sizes: of the largest process
  DiskProbe disk_;
};

// Several things that take turns, each by its name: medians over the rounds, and of the ratios of
// each round to what came first.
class Comparison {
 public:
  void Add(const std::string& name, const std::vector<NodeReport>& reports);
  [[nodiscard]] Table MakeTable(const Options& options);

 private:
  struct Turn {
    double per_second = 0;
    double p50_us = 0;
    double p99_us = 0;
  };
  std::vector<std::string> names_;  // as they came
  std::map<std::string, std::vector<Turn>> turns_;
  std::uint64_t errors_ = 0;
};

}  // namespace kommander::bench
