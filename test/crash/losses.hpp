// The ways in which a disk loses what was not synced, and the ways in which it may cheat.
#pragma once

#include <string>

#include "disk_image.hpp"
#include "verdict.hpp"

namespace kommander::crash {

// A way in which the power may fail.
struct Variant {
  const char* name;
  Loss loss;
  bool needs_write = false;  // the newest operation was one
};

inline constexpr Variant kVariants[] = {
    {"nothing unsynced", {Loss::Names::kNone, Loss::Contents::kNone, 0}},
    {"everything", {Loss::Names::kAll, Loss::Contents::kAll, 0}},
    {"contents without names", {Loss::Names::kNone, Loss::Contents::kAll, 0}},
    {"names without contents", {Loss::Names::kAll, Loss::Contents::kNone, 0}},
    {"some writes", {Loss::Names::kSome, Loss::Contents::kSomeWrites, 0}},
    {"some sectors", {Loss::Names::kSome, Loss::Contents::kSomeSectors, 0}},
    {"some sectors, again", {Loss::Names::kAll, Loss::Contents::kSomeSectors, 0}},
    {"torn at 512", {Loss::Names::kAll, Loss::Contents::kTornLast, 512}, true},
    {"torn at 4096", {Loss::Names::kAll, Loss::Contents::kTornLast, 4096}, true},
    {"torn at a byte", {Loss::Names::kAll, Loss::Contents::kTornLast, 1}, true},
    {"holed", {Loss::Names::kAll, Loss::Contents::kHoledLast, 0}, true},
    {"holed, again", {Loss::Names::kAll, Loss::Contents::kHoledLast, 0}, true},
};

inline constexpr Loss kSomeSectors{Loss::Names::kSome, Loss::Contents::kSomeSectors, 0};

[[nodiscard]] inline bool IsSync(const Operation& operation) noexcept {
  return operation.kind == OperationKind::kSync || operation.kind == OperationKind::kSyncDirectory;
}

// On a disk that ignores what a control takes away.
inline void ApplyUnder(const MatrixOptions& options, DiskImage& disk, const Operation& operation) {
  if (options.control == "no-syncs" && operation.kind == OperationKind::kSync) return;
  if (options.control == "no-directory-syncs" && operation.kind == OperationKind::kSyncDirectory) {
    return;
  }
  disk.Apply(operation);
}

}  // namespace kommander::crash
