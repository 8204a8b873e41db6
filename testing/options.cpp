// Checks of what is asked for, and the command line.
#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include <kommander/testing/options.hpp>

#include "sim/fault_plan.hpp"
#include "sim/plan_text.hpp"

namespace kommander::testing {

namespace {

[[noreturn]] void Refuse(const std::string& what) { throw std::invalid_argument(what); }

std::uint64_t Number(const std::string& option, std::string_view text) {
  std::uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    Refuse(option + " wants a number, not \"" + std::string(text) + "\"");
  }
  return value;
}

std::uint32_t Count(const std::string& option, std::string_view text) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(Number(option, text), UINT32_MAX));
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) Refuse("--plan " + path + ": it cannot be read");
  return text.str();
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

Options& Options::Plan(std::string text) {
  std::vector<sim::Fault> plan;
  std::string problem;
  if (!sim::ParsePlan(text, plan, problem)) Refuse("the plan of faults: " + problem);
  plan_ = std::move(text);
  return *this;
}

Options& Options::Shrink(bool wanted) {
  shrinks_ = wanted;
  return *this;
}

Options& Options::Parse(const std::vector<std::string>& arguments) {
  for (auto argument = arguments.begin(); argument != arguments.end(); ++argument) {
    const std::string& option = *argument;
    if (option == "--no-faults") {
      NoFaults();
      continue;
    }
    if (option == "--no-shrink") {
      Shrink(false);
      continue;
    }
    if (std::next(argument) == arguments.end()) {
      Refuse(option + " is not known, or wants a value");
    }
    const std::string& value = *++argument;
    if (option == "--seeds") {
      const std::string_view text = value;
      const std::size_t dots = text.find("..");
      const bool is_one = dots == std::string_view::npos;
      const std::uint64_t first = Number(option, text.substr(0, dots));
      Seeds(first, is_one ? first : Number(option, text.substr(dots + 2)));
    } else if (option == "--virtual-seconds") {
      VirtualSeconds(Number(option, value));
    } else if (option == "--nodes") {
      Nodes(Count(option, value));
    } else if (option == "--partitions") {
      Partitions(Count(option, value));
    } else if (option == "--clients") {
      Clients(Count(option, value));
    } else if (option == "--plan") {
      Plan(ReadFile(value));
    } else {
      Refuse(option + " is not known");
    }
  }
  return *this;
}

}  // namespace kommander::testing
