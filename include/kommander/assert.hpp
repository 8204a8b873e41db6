// Broken invariants: conditions that no input, fault or operating error can cause, only a defect of
// this library. Checked in release builds too, because going on would put the user's data at risk.
#pragma once

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include <kommander/detail/export.hpp>

namespace kommander {

// What is known of a broken invariant. The texts live as long as the program.
struct AssertFailure {
  AssertFailure(const char* failed_condition, const char* broken_rule, const char* source_file,
                int source_line)
      : condition(failed_condition), message(broken_rule), file(source_file), line(source_line) {}
  const char* condition;
  const char* message;
  const char* file;
  int line;
};

// Called once per failure, on the thread that found it. It may throw or end the process; when it
// returns, the process is aborted.
using AssertHandler = void (*)(const AssertFailure&);

namespace detail {

KOMMANDER_EXPORT inline std::atomic<AssertHandler> assert_handler{nullptr};

[[noreturn]] inline void FailAssert(const char* condition, const char* message, const char* file,
                                    int line) {
  if (const AssertHandler handler = assert_handler.load()) {
    handler(AssertFailure{condition, message, file, line});
  }
  std::fprintf(stderr, "kommander: broken invariant: %s (%s) at %s:%d\n", message, condition, file,
               line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace detail

// Replaces the handler; null restores the default, which prints to stderr and aborts. Returns the
// one before. Thread-safe.
inline AssertHandler SetAssertHandler(AssertHandler handler) noexcept {
  return detail::assert_handler.exchange(handler);
}

}  // namespace kommander

// The message says which rule is broken, in the words of the documentation.
#define KOMMANDER_ASSERT(condition, message) \
  (static_cast<bool>(condition)              \
       ? static_cast<void>(0)                \
       : ::kommander::detail::FailAssert(#condition, message, __FILE__, __LINE__))
