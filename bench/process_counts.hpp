// What a bench program that links this costs its process: counts that do not depend on the machine.
#pragma once

#include <cstdint>

namespace kommander::bench {

// Calls of operator new since the start of the process.
[[nodiscard]] std::uint64_t AllocationCount() noexcept;

// Voluntary and involuntary, of all threads of the process since its start.
[[nodiscard]] std::uint64_t ContextSwitchCount() noexcept;

}  // namespace kommander::bench
