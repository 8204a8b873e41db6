// Named places where a process can be made to die, for tests that look for what a crash exactly
// there would lose. Built with -Dcrash_points=true, a process that is started with
// KOMMANDER_CRASH_AT=name:n gets SIGKILL at its n-th passage of the point of that name. Any other
// build has none: the macro is empty.
#pragma once

#ifdef KOMMANDER_CRASH_POINTS

#include <atomic>
#include <cstdlib>
#include <signal.h>
#include <string_view>
#include <unistd.h>

namespace kommander::detail {

// One per place in the code. Threads may pass it at once.
class CrashPoint {
 public:
  explicit CrashPoint(std::string_view name) noexcept {
    const char* const setting = std::getenv("KOMMANDER_CRASH_AT");
    const std::string_view chosen = setting == nullptr ? std::string_view() : setting;
    const std::size_t colon = chosen.find(':');
    if (colon == chosen.npos || chosen.substr(0, colon) != name) return;
    left_ = std::strtoll(setting + colon + 1, nullptr, 10);
  }
  void Pass() noexcept {
    if (left_.load(std::memory_order_relaxed) <= 0 || left_.fetch_sub(1) != 1) return;
    ::kill(::getpid(), SIGKILL);
    while (true) ::pause();
  }

 private:
  std::atomic<long long> left_{0};  // passages; 0: it is not this point
};

}  // namespace kommander::detail

#define KOMMANDER_CRASH_POINT(name)                               \
  do {                                                            \
    static ::kommander::detail::CrashPoint kommander_point(name); \
    kommander_point.Pass();                                       \
  } while (false)

#else

#define KOMMANDER_CRASH_POINT(name) static_cast<void>(0)

#endif
