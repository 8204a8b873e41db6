// The three parts of the crash matrix. Each prints what it did, and answers what that came to.
#pragma once

#include "backends.hpp"
#include "verdict.hpp"

namespace kommander::crash {

// The power fails at every point of a script, in every way.
[[nodiscard]] Result RunPowerLoss(const Backend& backend, const MatrixOptions& options);
// A call of the operating system fails, each in turn.
[[nodiscard]] Result RunIoErrors(const Backend& backend, const MatrixOptions& options);
// A bit is wrong, in each part of each file.
[[nodiscard]] Result RunBitFlips(const Backend& backend, const MatrixOptions& options);

// The same for the store of snapshots in files; wrong bits are its conformance tests' matter.
[[nodiscard]] Result RunSnapshotPowerLoss(const MatrixOptions& options);
[[nodiscard]] Result RunSnapshotIoErrors(const MatrixOptions& options);

}  // namespace kommander::crash
