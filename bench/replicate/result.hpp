// The figures of one run and their two forms: a table for people, flat JSON for programs.
#pragma once

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "../raw_probe.hpp"
#include "node_report.hpp"
#include "options.hpp"

namespace kommander::bench {

// Names and values in order; the values as JSON writes them.
using Table = std::vector<std::pair<std::string, std::string>>;

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

void PrintTable(const Table& table, std::ostream& out);
// Throws std::runtime_error when the file cannot be written.
void WriteJson(const Table& table, const std::string& file);

}  // namespace kommander::bench
