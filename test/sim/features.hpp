// What a run has seen of the contract beyond plain writes and reads: a feature that nobody used was
// not tested.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kommander::sim {

enum class Feature : std::uint8_t {
  kPrepared,           // proposals that wait for a decision
  kDecided,            // decisions that were answered, the same one again among them
  kOverruled,          // decisions that came after the opposite one
  kSessionWrites,      // answered attempts
  kSessionRepeats,     // of those, beyond the first one of each write
  kForwarded,          // writes that succeeded through a node that did not lead
  kCheckpoints,        // that callers asked for
  kLogCuts,            // logs that became shorter
  kSnapshotsTaken,     // images that an application gave
  kSnapshotsImported,  // by an application, at a start or received
  kLogsReplaced,       // by a snapshot that was received
};
inline constexpr std::size_t kFeatures = 11;
using FeatureCounts = std::array<std::uint64_t, kFeatures>;

constexpr std::string_view ToString(Feature feature) noexcept {
  constexpr std::string_view kNames[kFeatures] = {
      "prepared",    "decided",  "overruled", "session-writes", "repeats",      "forwarded",
      "checkpoints", "log-cuts", "snapshots", "imports",        "logs-replaced"};
  return kNames[static_cast<std::size_t>(feature)];
}

constexpr void Count(FeatureCounts& counts, Feature feature, std::uint64_t times = 1) noexcept {
  counts[static_cast<std::size_t>(feature)] += times;
}

constexpr void Add(FeatureCounts& sum, const FeatureCounts& counts) noexcept {
  for (std::size_t i = 0; i < kFeatures; ++i) sum[i] += counts[i];
}

}  // namespace kommander::sim
