#include "sim_arguments.hpp"

#include <chrono>
#include <cinttypes>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

#include "mutants/mutants.hpp"
#include "plan_text.hpp"

namespace kommander::sim {

SimulationOptions OptionsOf(const Arguments& arguments, std::uint64_t seed) {
  SimulationOptions options;
  options.seed = seed;
  options.length = std::chrono::seconds(arguments.virtual_seconds);
  options.nodes = arguments.nodes;
  options.partitions = arguments.partitions;
  options.faults = !arguments.no_faults;
  options.stranger = arguments.stranger;
  options.liar = arguments.liar;
  options.plan = arguments.plan;
  options.pulse = arguments.pulse;
  return options;
}

void PrintReplay(const Arguments& arguments, std::uint64_t seed) {
  std::printf("  replay: kommander-sim --seeds %" PRIu64 "..%" PRIu64 " --virtual-seconds %" PRIu64,
              seed, seed, arguments.virtual_seconds);
  if (arguments.nodes != 0) std::printf(" --nodes %u", arguments.nodes);
  if (arguments.partitions != 0) std::printf(" --partitions %u", arguments.partitions);
  if (arguments.no_faults) std::printf(" --no-faults");
  if (arguments.stranger) std::printf(" --stranger");
  if (arguments.liar) std::printf(" --liar");
  if (arguments.plan) std::printf(" --plan %s", arguments.plan_file.c_str());
  std::printf(" --trace trace.txt\n");
  std::fflush(stdout);
}

bool ReadPlan(Arguments& arguments) {
  std::ifstream file(arguments.plan_file);
  std::stringstream text;
  text << file.rdbuf();
  std::string problem;
  arguments.plan.emplace();
  if (!file) {
    problem = "it cannot be read";
  } else if (ParsePlan(text.str(), *arguments.plan, problem)) {
    return true;
  }
  std::fprintf(stderr, "kommander-sim: --plan %s: %s\n", arguments.plan_file.c_str(),
               problem.c_str());
  return false;
}

namespace {

#ifdef KOMMANDER_MUTANTS
void AddMutantOptions(CLI::App& app) {
  const auto choose = [](const std::string& name) {
    if (!kommander::mutants::Choose(name))
      throw CLI::ValidationError("--mutant", "unknown " + name);
  };
  app.add_option_function<std::string>("--mutant", choose, "the defect to run with");
  const auto list = [] {
    for (const kommander::mutants::Description& known : kommander::mutants::All()) {
      const char* separator = "";
      for (const std::string_view column : {known.name, known.breaks, known.failure, known.what}) {
        std::printf("%s%.*s", std::exchange(separator, "\t"), static_cast<int>(column.size()),
                    column.data());
      }
      std::printf("\n");
    }
    throw CLI::Success();
  };
  app.add_flag_callback("--list-mutants", list,
                        "name, part of the protocol, class of failure and defect of each");
}
#endif

}  // namespace

void AddOptions(CLI::App& app, Arguments& arguments, std::string& seeds) {
  app.add_option("--seeds", seeds, "A..B, inclusive, 64 bits; or one seed")->capture_default_str();
  app.add_option("--virtual-seconds", arguments.virtual_seconds,
                 "length of the phase with faults, per seed")
      ->capture_default_str()
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000}));
  app.add_option("--nodes", arguments.nodes, "1..7; default: by the seed")->check(CLI::Range(1, 7));
  app.add_option("--partitions", arguments.partitions, "user partitions; default: by the seed")
      ->check(CLI::Range(1, 64));
  app.add_option("--jobs", arguments.jobs, "worker processes; default: one per core")
      ->check(CLI::Range(1, 1024));
  app.add_option("--trace", arguments.trace, "write the event trace there; one seed only");
  app.add_flag("--no-faults", arguments.no_faults, "load only");
  app.add_flag("--stranger", arguments.stranger, "somebody outside speaks to the nodes");
  app.add_flag(
      "--liar", arguments.liar,
      "now and then a member lies: by the seed about what costs others time only, and then "
      "every promise holds; or about anything, and then nodes owe what they owe alone");
  app.add_option("--plan", arguments.plan_file,
                 "a file with the plan of faults, as a failing seed prints it, instead of the "
                 "seed's own; one seed only");
  app.add_option("--require-faults", arguments.require_faults,
                 "fail when a kind of fault, or a disk stall of a second or more, took effect less "
                 "often over all seeds; kinds that need "
                 "more nodes than --nodes (bridge, replace and impostor 3, ring 4, those of links "
                 "and members 2) are exempt; with --stranger "
                 "or --liar, fail when less of what they say was heard");
  app.add_option(
         "--require-speed", arguments.require_speed,
         "fail when a worker comes to fewer virtual seconds per second of its CPU; 0: never")
      ->capture_default_str();
  app.add_option("--watchdog", arguments.watchdog_seconds,
                 "end a worker whose virtual time has not moved for so many real seconds; 0: never")
      ->capture_default_str();
  app.add_flag("--no-shrink", arguments.no_shrink, "do not look for the faults that matter");
  // Not for people: the process is aborted once the seed has been run and the kind was in it.
  app.add_option_function<std::string>("--abort-after",
                                       [&arguments](const std::string& name) {
                                         arguments.abort_after = FaultKindOf(name);
                                         if (!arguments.abort_after)
                                           throw CLI::ValidationError("--abort-after",
                                                                      "unknown " + name);
                                       })
      ->group("");
#ifdef KOMMANDER_MUTANTS
  AddMutantOptions(app);
#endif
  app.add_flag("--verbose", arguments.verbose, "one line per seed");
}

}  // namespace kommander::sim
