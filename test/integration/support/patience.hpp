// How long a test waits for something that must happen before it calls the wait endless. Never
// reached when all is well, so it is generous: sanitizers on a busy machine are slow.
#pragma once

#include <chrono>
#include <thread>

namespace kommander::test {

inline constexpr std::chrono::seconds kPatience{90};

// Asks until the answer is yes, giving way to other threads in between: for what has no event to
// wait for. False when it never was.
template <class Condition>
[[nodiscard]] bool Eventually(const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace kommander::test
