// kommander-history: judges what clients recorded, one line per verdict.
#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "append_log.hpp"
#include "linearizability.hpp"
#include "records.hpp"

namespace {

using namespace kommander::checkers;

enum Exit { kGood = 0, kBad = 1, kMalformed = 2 };

bool JudgeRegisters(const Records& records, std::uint64_t steps_max, bool is_verbose) {
  std::uint64_t counts[3] = {};
  std::uint64_t steps = 0;
  const ValueText text = [&](Value value) { return records.values.Text(value); };
  for (const KeyReport& report : CheckRegisters(records.operations, steps_max)) {
    ++counts[static_cast<int>(report.verdict)];
    steps = std::max(steps, report.steps);
    const bool is_good = report.verdict == Verdict::kLinearizable;
    if (is_good && !is_verbose) continue;
    std::printf("key %s: %s, %zu operations, %" PRIu64 " steps\n",
                records.keys.Text(report.key).c_str(),
                std::string(ToString(report.verdict)).c_str(), report.operations, report.steps);
    if (!is_good) std::printf("%s", Explain(report, records.operations, text).c_str());
  }
  std::printf("registers: operations=%zu keys=%" PRIu64 " linearizable=%" PRIu64 " illegal=%" PRIu64
              " undecided=%" PRIu64 " steps_max=%" PRIu64 "\n",
              records.operations.size(), counts[0] + counts[1] + counts[2], counts[0], counts[1],
              counts[2], steps);
  return counts[1] + counts[2] == 0;
}

bool JudgeLogs(const Records& records) {
  const std::vector<LogFinding> findings = CheckAppendLogs(records.appends, records.logs);
  for (const LogFinding& finding : findings) {
    std::printf("log %s: %s\n", std::string(ToString(finding.flaw)).c_str(), finding.what.c_str());
  }
  std::size_t lines = 0;
  for (const AppliedLog& log : records.logs) lines += log.lines.size();
  const auto acknowledged =
      std::count_if(records.appends.begin(), records.appends.end(),
                    [](const Append& append) { return append.outcome == Outcome::kOk; });
  std::printf("logs: appends=%zu acknowledged=%td logs=%zu lines=%zu flaws=%zu\n",
              records.appends.size(), acknowledged, records.logs.size(), lines, findings.size());
  return findings.empty();
}

}  // namespace

int main(int count, char** values) {
  std::vector<std::string> files;
  std::uint64_t steps_max = kStepsMax;
  bool is_verbose = false;
  CLI::App app(
      "Judges recorded histories: whether the operations on each key are linearizable, and whether "
      "every node's log holds what was acknowledged. Exit code 0: all is good; 1: something is "
      "illegal or could not be decided; 2: bad usage or a malformed record.",
      "kommander-history");
  app.add_option("files", files, "JSON lines: operations, appends, nodes' logs")->required();
  app.add_option("--steps-max", steps_max, "budget of the search, per key")
      ->capture_default_str()
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
  app.add_flag("--verbose", is_verbose, "a line for every key, not only for bad ones");
  try {
    app.parse(count, values);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kGood : kMalformed;
  }
  Records records;
  try {
    for (const std::string& file : files) {
      std::ifstream stream(file, std::ios::binary);
      if (!stream) throw MalformedRecord(file + ": cannot be opened");
      records.Read(stream, file);
    }
    if (const auto flaw = FindFlaw(records.appends, records.logs)) throw MalformedRecord(*flaw);
  } catch (const MalformedRecord& problem) {
    std::fprintf(stderr, "kommander-history: %s\n", problem.what());
    return kMalformed;
  }
  const bool registers_are_good = JudgeRegisters(records, steps_max, is_verbose);
  const bool logs_are_good = JudgeLogs(records);
  return registers_are_good && logs_are_good ? kGood : kBad;
}
