// Cutting a plan of faults down to what a failure needs.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "fault_plan.hpp"

namespace kommander::sim {

struct ShrunkPlan {
  std::vector<Fault> plan;
  std::size_t runs = 0;
  bool is_minimal = false;  // without any single one of its faults the failure is gone
};

// Leaves out ever smaller parts of `plan`, which fails, for as long as what is left still `fails`;
// asks at most `runs_max` times.
[[nodiscard]] ShrunkPlan ShrinkPlan(std::vector<Fault> plan, std::size_t runs_max,
                                    const std::function<bool(const std::vector<Fault>&)>& fails);

}  // namespace kommander::sim
