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
  kAwaitedElsewhere,   // of those, that were to be applied where they were written
  kSessionsElsewhere,  // opened or closed through a node that did not lead
  kMixedBatches,       // both parts of which were answered
  kMixedDecided,       // decisions about the part of such a batch that waits for one
  kGenerationsMet,     // writes that succeeded and expected the partition's generation
  kGenerationsMissed,  // and that were refused because they expected another one
  kCheckpoints,        // that callers asked for
  kHolds,              // of entries in a log
  kHoldsFelt,          // of those, that kept what would have been removed
  kLogCuts,            // logs that became shorter
  kSnapshotsTaken,     // images that an application gave
  kSnapshotsImported,  // by an application, at a start or received
  kLogsReplaced,       // by a snapshot that was received
};
inline constexpr std::size_t kFeatures = 19;
using FeatureCounts = std::array<std::uint64_t, kFeatures>;

constexpr std::string_view ToString(Feature feature) noexcept {
  constexpr std::string_view kNames[kFeatures] = {
      "prepared",      "decided",       "overruled",         "session-writes",
      "repeats",       "forwarded",     "awaited-elsewhere", "sessions-elsewhere",
      "mixed-batches", "mixed-decided", "generations-met",   "generations-missed",
      "checkpoints",   "holds",         "holds-felt",        "log-cuts",
      "snapshots",     "imports",       "logs-replaced"};
  return kNames[static_cast<std::size_t>(feature)];
}

constexpr void Count(FeatureCounts& counts, Feature feature, std::uint64_t times = 1) noexcept {
  counts[static_cast<std::size_t>(feature)] += times;
}

constexpr void Add(FeatureCounts& sum, const FeatureCounts& counts) noexcept {
  for (std::size_t i = 0; i < kFeatures; ++i) sum[i] += counts[i];
}

}  // namespace kommander::sim
