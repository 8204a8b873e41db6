// The judgement over a part of the crash matrix; it has a test of its own.
#include "verdict.hpp"

#include <algorithm>

namespace kommander::crash {

bool IsWell(const Result& result, const MatrixOptions& options, std::size_t whole_cases_min) {
  if (!result.is_complete) return false;
  if (!options.control.empty()) return result.problems > 0;
  const std::size_t wanted = options.is_whole ? std::max<std::size_t>(whole_cases_min, 1) : 1;
  return result.problems == 0 && result.cases >= wanted;
}

}  // namespace kommander::crash
