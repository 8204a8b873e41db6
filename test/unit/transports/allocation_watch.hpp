// The largest single allocation of the process since it was last asked for.
#pragma once

#include <cstddef>

namespace kommander::testing {

void ForgetAllocations() noexcept;
[[nodiscard]] std::size_t LargestAllocation() noexcept;

}  // namespace kommander::testing
