// How long a test waits for something that must happen before it calls the wait endless. Never
// reached when all is well, so it is generous: sanitizers on a busy machine are slow.
#pragma once

#include <chrono>

namespace kommander::test {

inline constexpr std::chrono::seconds kPatience{90};

}  // namespace kommander::test
