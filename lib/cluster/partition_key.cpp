// From a key to its partition (partition_map.hpp).
#ifndef __clang_analyzer__  // which takes it that a view of 32 bytes may be nowhere
#define XXH_INLINE_ALL
#endif
#include <algorithm>
#include <limits>
#include <xxhash.h>

#include <kommander/partition_map.hpp>

namespace kommander {

std::uint32_t PartitionHash(std::string_view text) noexcept {
  const auto low = static_cast<std::int32_t>(XXH64(text.data(), text.size(), 0));
  if (low == std::numeric_limits<std::int32_t>::min()) return kHashMax;
  return static_cast<std::uint32_t>(low < 0 ? -low : low);
}

std::string_view PartitionPrefix(std::string_view key) noexcept {
  return key.substr(0, std::min(key.rfind('/'), key.size()));
}

std::optional<PartitionId> PartitionMap::PartitionOf(std::uint32_t hash) const noexcept {
  const auto found = std::lower_bound(records_.begin(), records_.end(), hash,
                                      [](const PartitionRecord& record, std::uint32_t wanted) {
                                        return record.hash_last < wanted;
                                      });
  if (found == records_.end() || hash < found->hash_first) return std::nullopt;
  return found->id;
}

Generation PartitionMap::GenerationOf(PartitionId partition) const noexcept {
  const auto found = std::lower_bound(
      records_.begin(), records_.end(), partition,
      [](const PartitionRecord& record, PartitionId wanted) { return record.id < wanted; });
  return found != records_.end() && found->id == partition ? found->generation : Generation();
}

}  // namespace kommander
