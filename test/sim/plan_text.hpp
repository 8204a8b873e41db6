// Plans of faults as text: what a failing seed prints is what a replay reads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fault_plan.hpp"

namespace kommander::sim {

// A line of its own for every fault, after one that names the columns.
[[nodiscard]] std::string PrintPlan(const std::vector<Fault>& plan);

// Blank lines and those that begin with # are skipped. False: `problem` says which line is wrong.
[[nodiscard]] bool ParsePlan(std::string_view text, std::vector<Fault>& plan, std::string& problem);

}  // namespace kommander::sim
