// Checks of what is asked for, and the command line.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <stdexcept>

#include <CLI/CLI.hpp>

#include <kommander/testing/options.hpp>

#include "sim/fault_plan.hpp"
#include "sim/plan_text.hpp"
#include "sim/seed_range.hpp"

namespace kommander::testing {

namespace {

[[noreturn]] void Refuse(const std::string& what) { throw std::invalid_argument(what); }

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) Refuse("--plan " + path + ": it cannot be read");
  return text.str();
}

std::string JoinedByCommas(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

// A plan as arguments: its lines, with commas between their columns.
std::vector<std::string> FaultsOf(const std::string& plan) {
  std::vector<std::string> faults;
  std::istringstream lines(plan);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream columns(line);
    faults.push_back(JoinedByCommas({std::istream_iterator<std::string>(columns), {}}));
  }
  return faults;
}

std::string PlanOf(std::vector<std::string> faults) {
  std::string plan;
  for (std::string& fault : faults) {
    std::replace(fault.begin(), fault.end(), ',', ' ');
    plan += fault + "\n";
  }
  return plan;
}

// What a command line says; what it leaves out stays as it is.
struct Line {
  std::string seeds;
  std::optional<std::uint64_t> virtual_seconds;
  std::optional<std::uint32_t> nodes, partitions, clients;
  bool has_no_faults = false, does_not_shrink = false;
  bool has_tight_limits = false;
  std::vector<std::string> only_faults, faults;
  std::string plan;
  std::optional<std::uint64_t> required;
};

void Declare(CLI::App& app, Line& line) {
  app.add_option("--seeds", line.seeds, "A..B, both included, or one");
  app.add_option("--virtual-seconds", line.virtual_seconds, "Of load and faults, per seed");
  app.add_option("--nodes", line.nodes, "1 to 7; 0: by the seed");
  app.add_option("--partitions", line.partitions, "1 to 64; 0: by the seed");
  app.add_option("--clients", line.clients, "At once");
  app.add_flag("--no-faults", line.has_no_faults, "Nothing fails");
  app.add_option("--only-faults", line.only_faults, "These kinds, separated by commas")
      ->delimiter(',');
  app.add_flag("--tight-limits", line.has_tight_limits, "A third of the seeds has small limits");
  auto* plan = app.add_option("--plan", line.plan, "A file with faults as a failure prints them");
  app.add_option("--fault", line.faults,
                 "One line of such a file, with commas between its columns; may be repeated")
      ->excludes(plan);
  app.add_option("--require-faults", line.required,
                 "Fail when a kind took effect less often, in all seeds together");
  app.add_flag("--no-shrink", line.does_not_shrink, "Show all faults of a failing seed");
}

}  // namespace

std::vector<std::string_view> FaultNames() {
  std::vector<std::string_view> names;
  for (std::size_t kind = 0; kind < sim::kFaultKinds; ++kind) {
    // An application's handlers fail by themselves, or not.
    if (static_cast<sim::FaultKind>(kind) == sim::FaultKind::kFailingApply) continue;
    names.push_back(ToString(static_cast<sim::FaultKind>(kind)));
  }
  return names;
}

Options& Options::Seeds(std::uint64_t first, std::uint64_t last) {
  if (first > last) Refuse("the first seed comes after the last");
  first_seed_ = first;
  last_seed_ = last;
  return *this;
}

Options& Options::VirtualSeconds(std::uint64_t seconds) {
  if (seconds < 1 || seconds > 1'000'000) Refuse("virtual seconds are 1 to 1,000,000");
  virtual_seconds_ = seconds;
  return *this;
}

Options& Options::Nodes(std::uint32_t count) {
  if (count > 7) Refuse("a simulated cluster has at most 7 nodes");
  nodes_ = count;
  return *this;
}

Options& Options::Partitions(std::uint32_t count) {
  if (count > 64) Refuse("a simulated cluster has at most 64 partitions");
  partitions_ = count;
  return *this;
}

Options& Options::Clients(std::uint32_t count) {
  if (count > 1000) Refuse("a simulated cluster has at most 1,000 clients");
  clients_ = count;
  return *this;
}

Options& Options::NoFaults() {
  has_faults_ = false;
  plan_.reset();
  return *this;
}

Options& Options::OnlyFaults(const std::vector<std::string>& names) {
  const std::vector<std::string_view> known = FaultNames();
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      Refuse("there is no fault \"" + name + "\"");
    }
  }
  only_ = names;
  return *this;
}

Options& Options::TightLimits(bool allowed) {
  has_tight_limits_ = allowed;
  return *this;
}

Options& Options::Plan(std::string_view text) {
  std::vector<sim::Fault> plan;
  std::string problem;
  if (!sim::ParsePlan(text, plan, problem)) Refuse("the plan of faults: " + problem);
  const auto is_of_handlers = [](const sim::Fault& fault) {
    return fault.kind == sim::FaultKind::kFailingApply;
  };
  if (std::any_of(plan.begin(), plan.end(), is_of_handlers)) {
    Refuse("the plan of faults: an application's handlers fail by themselves, or not");
  }
  if (plan.empty()) return NoFaults();
  has_faults_ = true;
  plan_ = sim::PrintPlan(plan);
  return *this;
}

Options& Options::RequireFaults(std::uint64_t count) {
  faults_required_ = count;
  return *this;
}

Options& Options::Shrink(bool wanted) {
  shrinks_ = wanted;
  return *this;
}

Options& Options::Parse(const std::vector<std::string>& arguments) {
  Line line;
  CLI::App app;
  Declare(app, line);
  try {
    // The library takes them last first.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& problem) {
    Refuse(problem.what());
  }
  if (app.count("--seeds") != 0) {
    const auto range = sim::ParseSeeds(line.seeds);
    if (!range) Refuse("--seeds wants A..B with A <= B, not \"" + line.seeds + "\"");
    Seeds(range->first, range->last);
  }
  if (line.virtual_seconds) VirtualSeconds(*line.virtual_seconds);
  if (line.nodes) Nodes(*line.nodes);
  if (line.partitions) Partitions(*line.partitions);
  if (line.clients) Clients(*line.clients);
  if (line.has_no_faults) NoFaults();
  if (!line.only_faults.empty()) OnlyFaults(line.only_faults);
  if (line.has_tight_limits) TightLimits();
  if (!line.plan.empty()) Plan(ReadFile(line.plan));
  if (!line.faults.empty()) Plan(PlanOf(std::move(line.faults)));
  if (line.required) RequireFaults(*line.required);
  if (line.does_not_shrink) Shrink(false);
  return *this;
}

std::vector<std::string> Options::Arguments() const {
  std::vector<std::string> arguments;
  const auto add = [&](const char* name, std::string value) {
    arguments.emplace_back(name);
    arguments.push_back(std::move(value));
  };
  add("--seeds", std::to_string(first_seed_) + ".." + std::to_string(last_seed_));
  add("--virtual-seconds", std::to_string(virtual_seconds_));
  add("--nodes", std::to_string(nodes_));
  add("--partitions", std::to_string(partitions_));
  add("--clients", std::to_string(clients_));
  if (!has_faults_) arguments.emplace_back("--no-faults");
  if (!only_.empty()) add("--only-faults", JoinedByCommas(only_));
  if (has_tight_limits_) arguments.emplace_back("--tight-limits");
  if (plan_) {
    for (std::string& fault : FaultsOf(*plan_)) add("--fault", std::move(fault));
  }
  if (faults_required_ != 0) add("--require-faults", std::to_string(faults_required_));
  if (!shrinks_) arguments.emplace_back("--no-shrink");
  return arguments;
}

std::string Options::Usage() {
  Line line;
  CLI::App app("Runs an application in a simulated cluster, seed by seed, until one fails.");
  Declare(app, line);
  return app.help();
}

}  // namespace kommander::testing
