// One simulation per seed, until one fails; then as many as it takes to know which faults matter.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <vector>

#include <kommander/testing/run.hpp>

#include "host.hpp"
#include "sim/plan_text.hpp"
#include "sim/shrink.hpp"
#include "sim/simulation.hpp"

namespace kommander::testing {

namespace {

constexpr std::size_t kShrinkRunsMax = 200;

sim::SimulationOptions OptionsOf(const Options& options, std::uint64_t seed) {
  sim::SimulationOptions simulated;
  simulated.seed = seed;
  simulated.length = std::chrono::seconds(options.virtual_seconds());
  simulated.nodes = options.nodes();
  simulated.partitions = options.partitions();
  simulated.faults = options.has_faults();
  simulated.tight_limits = options.has_tight_limits();
  if (!options.only_faults().empty()) simulated.kinds.reset();
  for (const std::string& name : options.only_faults()) {
    simulated.kinds.set(static_cast<std::size_t>(*sim::FaultKindOf(name)));
  }
  simulated.kinds.reset(static_cast<std::size_t>(sim::FaultKind::kFailingApply));
  if (options.plan()) {
    std::string problem;
    if (!sim::ParsePlan(*options.plan(), simulated.plan.emplace(), problem)) {
      throw std::invalid_argument("the plan of faults: " + problem);
    }
  }
  return simulated;
}

struct Outcome {
  std::string invariant;  // empty: good
  std::string what;
  std::vector<sim::Fault> plan;
  std::uint64_t faults = 0;
  std::uint64_t calls = 0;
};

// A plan that was made for another cluster may speak of nodes that this one has not.
void CheckPlan(const sim::Simulation& simulation) {
  const std::uint32_t nodes = simulation.cluster().nodes;
  for (const sim::Fault& fault : simulation.plan()) {
    if (fault.node < nodes && fault.other < nodes) continue;
    throw std::invalid_argument("the plan of faults is for more than " + std::to_string(nodes) +
                                " nodes");
  }
}

Outcome RunOnce(sim::SimulationOptions simulated, std::uint32_t clients,
                const detail::MakeScenario& make) {
  Host host(make(), clients);
  simulated.guest = &host;
  sim::Simulation simulation(simulated);
  CheckPlan(simulation);
  const sim::SimulationResult result = simulation.Run();
  Outcome outcome;
  if (!result.violations.empty()) {
    outcome.invariant = result.violations.front().invariant;
    outcome.what = result.violations.front().what;
  } else if (!result.stuck.empty()) {
    outcome.invariant = "stuck";
    outcome.what = result.stuck;
  }
  outcome.plan = simulation.plan();
  for (const std::uint64_t count : result.faults) outcome.faults += count;
  outcome.calls = host.calls();
  return outcome;
}

std::string ReplayOf(const Options& options, std::uint64_t seed) {
  const std::string number = std::to_string(seed);
  std::string text = "--seeds " + number + ".." + number + " --virtual-seconds " +
                     std::to_string(options.virtual_seconds()) + " --nodes " +
                     std::to_string(options.nodes()) + " --partitions " +
                     std::to_string(options.partitions()) + " --clients " +
                     std::to_string(options.clients());
  if (!options.has_faults()) text += " --no-faults";
  if (options.plan()) text += " --plan FILE";
  return text;
}

Failure FailureOf(const Options& options, std::uint64_t seed, const Outcome& outcome,
                  const detail::MakeScenario& make) {
  std::vector<sim::Fault> plan = outcome.plan;
  if (options.shrinks() && !plan.empty()) {
    sim::SimulationOptions simulated = OptionsOf(options, seed);
    plan = sim::ShrinkPlan(plan, kShrinkRunsMax, [&](const std::vector<sim::Fault>& candidate) {
             simulated.plan = candidate;
             return RunOnce(simulated, options.clients(), make).invariant == outcome.invariant;
           }).plan;
  }
  return Failure(seed, outcome.invariant, outcome.what)
      .Plan(sim::PrintPlan(plan))
      .Replay(ReplayOf(options, seed));
}

}  // namespace

std::string Result::Text() const {
  std::string text = std::to_string(seeds_) + (seeds_ == 1 ? " seed, " : " seeds, ") +
                     std::to_string(calls_) + " calls, " + std::to_string(faults_) + " faults: ";
  if (!failure_) return text + "good\n";
  text += "seed " + std::to_string(failure_->seed()) + " FAILED\n  " + failure_->invariant() +
          ": " + failure_->what() + "\n  its faults, one per line:\n" + failure_->plan() +
          "  replay: " + failure_->replay() + "\n";
  return text;
}

namespace detail {

Result RunSeeds(const Options& options, const MakeScenario& make) {
  Result result;
  for (std::uint64_t seed = options.first_seed();; ++seed) {
    const Outcome outcome = RunOnce(OptionsOf(options, seed), options.clients(), make);
    result.AddSeed(outcome.faults, outcome.calls);
    if (!outcome.invariant.empty()) result.Fail(FailureOf(options, seed, outcome, make));
    if (!result.IsGood() || seed == options.last_seed()) return result;
  }
}

int RunProgram(int argc, const char* const* argv, Options options, const MakeScenario& make) {
  try {
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    const auto asks = [](const std::string& text) { return text == "--help" || text == "-h"; };
    if (std::any_of(arguments.begin(), arguments.end(), asks)) {
      std::fputs(Options::Usage().c_str(), stdout);
      return 0;
    }
    options.Parse(arguments);
    const Result result = RunSeeds(options, make);
    std::fputs(result.Text().c_str(), stdout);
    return result.IsGood() ? 0 : 1;
  } catch (const std::invalid_argument& problem) {
    std::fprintf(stderr, "%s: %s\n", argc > 0 ? argv[0] : "kommander-testing", problem.what());
    return 2;
  }
}

}  // namespace detail
}  // namespace kommander::testing
