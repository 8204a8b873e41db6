// The three parts of the crash matrix. Each prints what it did and answers whether all was well.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "backends.hpp"

namespace kommander::crash {

struct MatrixOptions {
  bool is_whole = false;  // everything, rather than a share that fits a test run
  std::uint64_t seed = 1;
  // Takes away what makes a log durable, to see that the matrix notices: "early-answers": a call
  // counts as answered when it begins; "no-syncs", "no-directory-syncs": the disk ignores them.
  std::string control;
};

// The power fails at every point of a script, in every way.
[[nodiscard]] bool RunPowerLoss(const Backend& backend, const MatrixOptions& options);
// A call of the operating system fails, each in turn.
[[nodiscard]] bool RunIoErrors(const Backend& backend, const MatrixOptions& options);
// A bit is wrong, in each part of each file.
[[nodiscard]] bool RunBitFlips(const Backend& backend, const MatrixOptions& options);

}  // namespace kommander::crash
