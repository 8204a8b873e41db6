// Cutting down the plan of a seed that ended its process: nobody in there is left to do it, so each
// candidate is run in a process of its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

#include "fault_plan.hpp"
#include "shrink.hpp"

namespace kommander::sim {

struct PostMortemLimits {
  std::size_t runs_max = 200;
  std::chrono::seconds run_max{60};  // a process that takes longer is ended, and did not fail
};

struct PostMortem {
  bool is_repeated = false;  // the whole plan ended its process in the same way once more
  ShrunkPlan shrunk;         // if so
};

// `status`: how the first process ended, as waitpid tells it. The same signal or exit code is the
// same end. `run` is called in the forked processes, which have nothing to say to anybody.
[[nodiscard]] PostMortem ShrinkDeadly(std::vector<Fault> plan, int status,
                                      const PostMortemLimits& limits,
                                      const std::function<void(const std::vector<Fault>&)>& run);

}  // namespace kommander::sim
