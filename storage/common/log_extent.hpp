// Where a partition's log begins and ends, and what a write unit makes of that: the one place that
// knows which units follow what is stored. Shared by every backend.
#pragma once

#include <algorithm>
#include <optional>

#include <kommander/write_unit.hpp>

namespace kommander::storage {

// Entries are (boundary, last]; none when they are equal.
struct LogExtent {
  LogIndex boundary;
  LogIndex last;
  friend bool operator==(const LogExtent&, const LogExtent&) = default;
};

// What is left of a log before the unit's own entries are appended. None: the unit cannot follow,
// since it creates no partition where there is none, or moves the boundary back.
[[nodiscard]] inline std::optional<LogExtent> ExtentBeforeAppend(
    const std::optional<LogExtent>& before, const WriteUnit& unit) noexcept {
  if (!before && !unit.boundary) return std::nullopt;
  LogExtent extent = before.value_or(LogExtent());
  if (unit.boundary) {
    if (unit.boundary->index < extent.boundary) return std::nullopt;
    extent.boundary = unit.boundary->index;
    extent.last = unit.drop_log ? extent.boundary : std::max(extent.last, extent.boundary);
  }
  if (unit.truncate_from) {
    extent.last = std::min(extent.last, std::max(unit.truncate_from->Previous(), extent.boundary));
  }
  return extent;
}

// The log after the whole unit. None: it cannot follow, or its entries leave a hole.
[[nodiscard]] inline std::optional<LogExtent> ExtentAfter(const std::optional<LogExtent>& before,
                                                          const WriteUnit& unit) noexcept {
  std::optional<LogExtent> extent = ExtentBeforeAppend(before, unit);
  if (!extent) return std::nullopt;
  for (const Entry& entry : unit.entries) {
    if (entry.index != extent->last.Next()) return std::nullopt;
    extent->last = entry.index;
  }
  return extent;
}

}  // namespace kommander::storage
