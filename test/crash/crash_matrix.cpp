// crash_matrix: a durable log against losses of power, failing calls and wrong bits. A share of it
// by default, all of it with --all.
#include <chrono>
#include <cstdio>
#include <iterator>
#include <string>
#include <string_view>

#include "matrix.hpp"

namespace kommander::crash {
namespace {

struct Part {
  const char* name;
  Result (*run)(const Backend&, const MatrixOptions&);
  std::size_t whole_cases_min;
};
constexpr Part kParts[] = {{"power-loss", RunPowerLoss, kWholeImages},
                           {"io-errors", RunIoErrors, 1},
                           {"bit-flips", RunBitFlips, 1}};

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
      only_part = kParts[0].name;
    } else {
      return Usage();
    }
  }
  int runs = 0;
  bool is_well = true;
  Result sum;
  for (const Backend& backend : Backends()) {
    if (!only_backend.empty() && backend.name != only_backend) continue;
    for (const Part& part : kParts) {
      if (!only_part.empty() && part.name != only_part) continue;
      std::printf("%s, %s\n", backend.name.c_str(), part.name);
      const auto begin = std::chrono::steady_clock::now();
      const Result result = part.run(backend, options);
      if (!IsWell(result, options, part.whole_cases_min)) is_well = false;
      sum.cases += result.cases;
      sum.problems += result.problems;
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
      std::printf("  %.1f s\n", taken.count());
      ++runs;
    }
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
