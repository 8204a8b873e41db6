#include "cluster/partition_map.hpp"

#include <algorithm>
#include <functional>

namespace kommander::cluster {

std::vector<PartitionRecord> CutEvenly(std::uint32_t count, const std::vector<NodeId>& voters) {
  constexpr std::uint64_t kHashes = std::uint64_t{kHashMax} + 1;
  std::vector<NodeId> sorted = voters;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::vector<PartitionRecord> partitions;
  partitions.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto first = static_cast<std::uint32_t>(i * kHashes / count);
    const auto last = static_cast<std::uint32_t>((i + 1) * kHashes / count - 1);
    partitions.emplace_back(PartitionId(static_cast<std::uint32_t>(i + 1)), Generation(1), first,
                            last, sorted);
  }
  return partitions;
}

bool IsWellFormed(const std::vector<PartitionRecord>& partitions) noexcept {
  std::uint32_t previous_id = 0;
  std::uint64_t next_hash = 0;
  for (const PartitionRecord& record : partitions) {
    if (record.id.value() <= previous_id || record.id.value() > kPartitionIdMax) return false;
    if (!record.generation) return false;
    if (record.hash_first != next_hash || record.hash_last < record.hash_first) return false;
    if (record.voters.empty() || !record.voters.front()) return false;
    // Strictly ascending: nobody is named twice.
    const auto& voters = record.voters;
    if (std::adjacent_find(voters.begin(), voters.end(), std::greater_equal<>()) != voters.end()) {
      return false;
    }
    previous_id = record.id.value();
    next_hash = std::uint64_t{record.hash_last} + 1;
  }
  return next_hash == std::uint64_t{kHashMax} + 1;
}

}  // namespace kommander::cluster
