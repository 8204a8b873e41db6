// What is asked of a part of the crash matrix, what it came to, and whether that is well.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace kommander::crash {

struct MatrixOptions {
  bool is_whole = false;  // everything, rather than a share that fits a test run
  std::uint64_t seed = 1;
  // Takes away what makes a log durable, to see that the matrix notices: "early-answers": a call
  // counts as answered when it begins; "no-syncs", "no-directory-syncs": the disk ignores them.
  std::string control;
};

struct Result {
  // The log did all of the script on a sound disk, and the part all that it does: only then do the
  // numbers mean something.
  bool is_complete = false;
  std::size_t cases = 0;     // images, failing calls, wrong bits
  std::size_t problems = 0;  // of them, or beside them
};

// A whole matrix has at least so many images of a disk that lost its power.
inline constexpr std::size_t kWholeImages = 4'800;

// Whether a part showed what it is for: nothing bad in enough cases; or, as a control, that it
// notices a log without what it rests on. That the script failed shows neither.
[[nodiscard]] bool IsWell(const Result& result, const MatrixOptions& options,
                          std::size_t whole_cases_min);

}  // namespace kommander::crash
