// The user partitions: which hash values each one holds and who votes in it. Part of the system
// partition's state; user partitions start from here, never from a node's own configuration.
#pragma once

#include <cstdint>
#include <vector>

#include <kommander/ids.hpp>
#include <kommander/partition_map.hpp>

namespace kommander::cluster {

using kommander::kHashMax;
using kommander::PartitionRecord;

// `count` partitions (at most kPartitionIdMax) with the ids 1..count and generation 1, which share
// out [0, kHashMax] so that every hash value has one and sizes differ by at most one.
[[nodiscard]] std::vector<PartitionRecord> CutEvenly(std::uint32_t count,
                                                     const std::vector<NodeId>& voters);

// What every map owes: ids ascending, not 0 and at most kPartitionIdMax, generations not 0, ranges
// that follow one another from 0 to kHashMax without gap, voters ascending, there, and not 0.
[[nodiscard]] bool IsWellFormed(const std::vector<PartitionRecord>& partitions) noexcept;

}  // namespace kommander::cluster
