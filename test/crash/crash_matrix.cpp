// crash_matrix: a durable log against losses of power, failing calls and wrong bits. A share of it
// by default, all of it with --all.
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "matrix.hpp"

namespace kommander::crash {
namespace {

constexpr std::string_view kPowerLoss = "power-loss";

struct Part {
  std::string backend;
  std::string name;
  std::function<Result(const MatrixOptions&)> run;
  std::size_t whole_cases_min = 1;
};

std::vector<Part> Parts() {
  std::vector<Part> parts;
  for (const Backend& backend : Backends()) {
    const auto bind = [&](Result (*run)(const Backend&, const MatrixOptions&)) {
      return [backend, run](const MatrixOptions& options) { return run(backend, options); };
    };
    parts.push_back({backend.name, std::string(kPowerLoss), bind(RunPowerLoss), kWholeImages});
    parts.push_back({backend.name, "io-errors", bind(RunIoErrors)});
    parts.push_back({backend.name, "bit-flips", bind(RunBitFlips)});
  }
  parts.push_back({"snapshots", std::string(kPowerLoss), RunSnapshotPowerLoss, kWholeImages});
  parts.push_back({"snapshots", "io-errors", RunSnapshotIoErrors});
  return parts;
}

int Usage() {
  std::fprintf(stderr,
               "crash_matrix [--all] [--backend NAME] [--part power-loss|io-errors|bit-flips]\n"
               "             [--seed N] [--control early-answers|no-syncs|no-directory-syncs]\n");
  return 2;
}

int Main(int argc, char** argv) {
  MatrixOptions options;
  std::string only_backend;
  std::string only_part;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--all") {
      options.is_whole = true;
    } else if (word == "--backend" && has_value) {
      only_backend = argv[++i];
    } else if (word == "--part" && has_value) {
      only_part = argv[++i];
    } else if (word == "--seed" && has_value) {
      options.seed = std::stoull(argv[++i]);
    } else if (word == "--control" && has_value) {
      options.control = argv[++i];
      only_part = kPowerLoss;
    } else {
      return Usage();
    }
  }
  int runs = 0;
  bool is_well = true;
  Result sum;
  for (const Part& part : Parts()) {
    if (!only_backend.empty() && part.backend != only_backend) continue;
    if (!only_part.empty() && part.name != only_part) continue;
    std::printf("%s, %s\n", part.backend.c_str(), part.name.c_str());
    const auto begin = std::chrono::steady_clock::now();
    const Result result = part.run(options);
    if (!IsWell(result, options, part.whole_cases_min)) is_well = false;
    sum.cases += result.cases;
    sum.problems += result.problems;
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    std::printf("  %.1f s\n", taken.count());
    ++runs;
  }
  if (runs == 0) return Usage();
  std::printf("crash matrix: cases=%zu violations=%zu\n", sum.cases, sum.problems);
  std::printf("%s\n", is_well ? "passed" : "FAILED");
  return is_well ? 0 : 1;
}

}  // namespace
}  // namespace kommander::crash

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  return kommander::crash::Main(argc, argv);
}
