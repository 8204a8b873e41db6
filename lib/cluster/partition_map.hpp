// The user partitions: which hash values each one holds and who votes in it. Part of the system
// partition's state; user partitions start from here, never from a node's own configuration.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <kommander/ids.hpp>

namespace kommander::cluster {

// Keys are hashed to 31 bits.
inline constexpr std::uint32_t kHashMax = 0x7fffffff;

struct PartitionRecord {
  PartitionRecord() = default;
  PartitionRecord(PartitionId record_id, Generation record_generation, std::uint32_t first,
                  std::uint32_t last, std::vector<NodeId> record_voters)
      : id(record_id),
        generation(record_generation),
        hash_first(first),
        hash_last(last),
        voters(std::move(record_voters)) {}
  friend bool operator==(const PartitionRecord&, const PartitionRecord&) = default;
  PartitionId id;
  Generation generation;
  std::uint32_t hash_first = 0;  // both ends belong to the partition
  std::uint32_t hash_last = 0;
  std::vector<NodeId> voters;  // ascending
};

// `count` partitions (at most kPartitionIdMax) with the ids 1..count and generation 1, which share
// out [0, kHashMax] so that every hash value has one and sizes differ by at most one.
[[nodiscard]] std::vector<PartitionRecord> CutEvenly(std::uint32_t count,
                                                     const std::vector<NodeId>& voters);

// What every map owes: ids ascending, not 0 and at most kPartitionIdMax, generations not 0, ranges
// that follow one another from 0 to kHashMax without gap, voters ascending, there, and not 0.
[[nodiscard]] bool IsWellFormed(const std::vector<PartitionRecord>& partitions) noexcept;

}  // namespace kommander::cluster
