// Running a scenario: from any test framework, or as a program of its own.
//
//   REQUIRE(testing::Run<CounterScenario>(testing::Options().Seeds(1, 50)).IsGood());
//   int main(int argc, char** argv) { return testing::Main<CounterScenario>(argc, argv); }
//
// A run is one thread and repeats to the last step, provided that the application and the scenario
// do: no chance, time or thread from elsewhere, and no order of addresses or hashes of them. Seeds
// are independent of each other; to use more cores, start more processes.
//
// While a run lasts it has the handlers of SIGABRT, SIGSEGV, SIGFPE, SIGBUS and SIGILL and the
// library's handler of broken assertions (kommander/assert.hpp), so that a seed that ends the
// process is told on standard error; then what was there before is put back and asked. One run per
// process at a time.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <kommander/testing/cluster.hpp>
#include <kommander/testing/options.hpp>
#include <kommander/testing/result.hpp>

namespace kommander::testing {

namespace detail {
using MakeScenario = std::function<std::unique_ptr<ScenarioBase>()>;
Result RunSeeds(const Options& options, const MakeScenario& make);
int RunProgram(int argc, const char* const* argv, Options options, const MakeScenario& make);
}  // namespace detail

// Runs the seeds one by one, until one fails; its plan of faults is then cut down. Throws
// std::invalid_argument for a plan that speaks of more nodes than there are, and when faults are
// required but none is possible.
template <class ScenarioType>
Result Run(const Options& options = {}) {
  return detail::RunSeeds(options, [] { return std::make_unique<ScenarioType>(); });
}

// The same with the program's arguments over `options` (Options::Parse; --help shows them), and the
// result on standard output. Returns the exit code: 0: all seeds are good; 1: one failed,
// or too few faults took effect; 2: bad usage.
template <class ScenarioType>
int Main(int argc, const char* const* argv, Options options = {}) {
  return detail::RunProgram(argc, argv, std::move(options),
                            [] { return std::make_unique<ScenarioType>(); });
}

}  // namespace kommander::testing
