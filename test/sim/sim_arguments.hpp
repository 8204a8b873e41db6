// What kommander-sim was asked for, and how that is said again for one seed.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "fault_plan.hpp"
#include "simulation.hpp"

namespace kommander::sim {

struct Arguments {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t virtual_seconds = 60;
  std::uint32_t nodes = 0;
  std::uint32_t partitions = 0;
  std::uint32_t jobs = 0;
  bool no_faults = false;
  bool stranger = false;
  bool liar = false;
  bool verbose = false;
  bool no_shrink = false;
  std::uint64_t require_faults = 0;
  std::uint64_t require_speed = 0;
  std::uint64_t watchdog_seconds = 300;
  std::string trace;
  std::string plan_file;
  std::optional<std::vector<Fault>> plan;
  std::optional<FaultKind> abort_after;         // for the test of what a dying worker leaves
  std::FILE* trace_file = nullptr;              // open before the first worker is
  std::atomic<std::uint64_t>* pulse = nullptr;  // of the worker that this is
};

void AddOptions(CLI::App& app, Arguments& arguments, std::string& seeds);
// Of the file that was named; false: it cannot be used, and why has been printed.
bool ReadPlan(Arguments& arguments);
[[nodiscard]] SimulationOptions OptionsOf(const Arguments& arguments, std::uint64_t seed);
void PrintReplay(const Arguments& arguments, std::uint64_t seed);

}  // namespace kommander::sim
