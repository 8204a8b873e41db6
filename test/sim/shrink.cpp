#include "shrink.hpp"

#include <algorithm>
#include <utility>

namespace kommander::sim {

ShrunkPlan ShrinkPlan(std::vector<Fault> plan, std::size_t runs_max,
                      const std::function<bool(const std::vector<Fault>&)>& fails) {
  ShrunkPlan best;
  best.plan = std::move(plan);
  std::size_t part = best.plan.size();
  while (part > 0) {
    bool has_shrunk = false;
    for (std::size_t at = 0; at < best.plan.size();) {
      if (best.runs == runs_max) return best;
      std::vector<Fault> candidate = best.plan;
      const auto begin = candidate.begin() + static_cast<std::ptrdiff_t>(at);
      const auto count = std::min(part, candidate.size() - at);
      candidate.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
      ++best.runs;
      if (fails(candidate)) {
        best.plan = std::move(candidate);
        has_shrunk = true;
      } else {
        at += part;
      }
    }
    // One fault less may make others needless that were needed before.
    part = part == 1 && has_shrunk ? 1 : part / 2;
  }
  best.is_minimal = true;
  return best;
}

}  // namespace kommander::sim
