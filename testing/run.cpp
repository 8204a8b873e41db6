// One simulation per seed, until one fails; then as many as it takes to know which faults matter.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <set>
#include <stdexcept>
#include <string_view>
#include <vector>

#include <kommander/assert.hpp>
#include <kommander/testing/run.hpp>

#include "host.hpp"
#include "last_words.hpp"
#include "sim/plan_text.hpp"
#include "sim/shrink.hpp"
#include "sim/simulation.hpp"

namespace kommander::testing {

namespace {

constexpr std::size_t kShrinkRunsMax = 200;

std::vector<sim::Fault> PlanOf(const std::string& text) {
  std::vector<sim::Fault> plan;
  std::string problem;
  const bool is_plan = sim::ParsePlan(text, plan, problem);
  KOMMANDER_ASSERT(is_plan, "options hold plans that were read");
  return plan;
}

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
  if (options.plan()) simulated.plan = PlanOf(*options.plan());
  return simulated;
}

struct Outcome {
  std::string invariant;  // empty: good
  std::string what;
  std::vector<sim::Fault> plan;
  FaultCounts faults;
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
  for (const std::string_view name : FaultNames()) {
    const auto kind = static_cast<std::size_t>(*sim::FaultKindOf(name));
    outcome.faults.emplace(name, result.faults[kind]);
  }
  outcome.calls = host.calls();
  return outcome;
}

// One seed is not asked for the faults of all of them, whatever the program asks for by itself.
std::string ReplayOf(Options options, std::uint64_t seed) {
  const bool requires_faults = options.faults_required() != 0;
  std::string text;
  for (const std::string& argument : options.Seeds(seed, seed).RequireFaults(0).Arguments()) {
    text += (text.empty() ? "" : " ") + argument;
  }
  return requires_faults ? text + " --require-faults 0" : text;
}

// What is left of a seed that ends the process.
std::string WordsOf(const Options& options, std::uint64_t seed, const std::string& what) {
  return "seed " + std::to_string(seed) + " " + what + "\n  replay: " + ReplayOf(options, seed) +
         "\n";
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

// The kinds that may take effect in some of the seeds.
std::set<std::string> PossibleKinds(const Options& options) {
  std::set<std::string> kinds;
  if (!options.has_faults()) return kinds;
  if (options.plan()) {
    for (const sim::Fault& fault : PlanOf(*options.plan())) kinds.emplace(ToString(fault.kind));
  } else if (!options.only_faults().empty()) {
    kinds.insert(options.only_faults().begin(), options.only_faults().end());
  } else {
    for (const std::string_view name : FaultNames()) kinds.emplace(name);
  }
  std::erase_if(kinds, [&](const std::string& name) {
    return options.nodes() != 0 && sim::NodesNeeded(*sim::FaultKindOf(name)) > options.nodes();
  });
  return kinds;
}

void CheckFaults(const Options& options, const std::set<std::string>& kinds, Result& result) {
  for (const std::string& kind : kinds) {
    if (result.faults(kind) >= options.faults_required()) continue;
    result.Lack(kind + " took effect " + std::to_string(result.faults(kind)) + " times, and " +
                std::to_string(options.faults_required()) + " are required");
  }
}

}  // namespace

std::string Result::Text() const {
  std::string text = std::to_string(seeds_) + (seeds_ == 1 ? " seed, " : " seeds, ") +
                     std::to_string(calls_) + " calls, " + std::to_string(faults()) + " faults: ";
  if (IsGood()) return text + "good\n";
  if (!failure_) {
    text += "too few faults\n";
    for (const std::string& lack : lacks_) text += "  " + lack + "\n";
    return text;
  }
  text += "seed " + std::to_string(failure_->seed()) + " FAILED\n  " + failure_->invariant() +
          ": " + failure_->what() + "\n  its faults, one per line:\n" + failure_->plan() +
          "  replay: " + failure_->replay() + "\n";
  return text;
}

namespace detail {

Result RunSeeds(const Options& options, const MakeScenario& make) {
  const std::set<std::string> kinds = PossibleKinds(options);
  if (options.faults_required() != 0 && kinds.empty()) {
    throw std::invalid_argument("faults are required where none is possible");
  }
  Result result;
  LastWords last_words;
  for (std::uint64_t seed = options.first_seed();; ++seed) {
    last_words.Are(WordsOf(options, seed, "FAILED: it has ended the process"));
    const Outcome outcome = RunOnce(OptionsOf(options, seed), options.clients(), make);
    result.AddSeed(outcome.faults, outcome.calls);
    if (!outcome.invariant.empty()) {
      last_words.Are(WordsOf(options, seed,
                             "FAILED\n  " + outcome.invariant + ": " + outcome.what +
                                 "\n  fewer of its faults have ended the process"));
      result.Fail(FailureOf(options, seed, outcome, make));
    }
    if (!result.IsGood()) return result;
    if (seed == options.last_seed()) break;
  }
  CheckFaults(options, kinds, result);
  return result;
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
