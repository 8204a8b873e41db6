// Where true chance enters: incarnations and the seeds of generators, nothing else.
#pragma once

#include <cstdint>

namespace kommander::platform {

// 64 bits from the operating system's random source. Throws std::exception when it has none.
[[nodiscard]] std::uint64_t DrawEntropyBits();

}  // namespace kommander::platform
