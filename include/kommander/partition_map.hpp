// Which partition holds which keys, as the system partition says: a value, the same on every node
// once it has applied the same commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <kommander/detail/export.hpp>
#include <kommander/ids.hpp>

namespace kommander {

// Keys are hashed to 31 bits.
inline constexpr std::uint32_t kHashMax = 0x7fffffff;

// One partition, the keys it holds and the nodes that hold it.
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
  Generation generation;         // grows with every change of the record
  std::uint32_t hash_first = 0;  // both ends belong to the partition
  std::uint32_t hash_last = 0;
  std::vector<NodeId> voters;  // ascending
};

class KOMMANDER_EXPORT PartitionMap {
 public:
  PartitionMap() = default;
  // Ids and ranges ascend together, and the ranges cover 0..kHashMax without gap.
  explicit PartitionMap(std::vector<PartitionRecord> records) : records_(std::move(records)) {}

  // Empty: not known yet.
  [[nodiscard]] const std::vector<PartitionRecord>& records() const noexcept { return records_; }
  // None: not known yet, or beyond kHashMax.
  [[nodiscard]] std::optional<PartitionId> PartitionOf(std::uint32_t hash) const noexcept;
  // 0: no such partition.
  [[nodiscard]] Generation GenerationOf(PartitionId partition) const noexcept;
  friend bool operator==(const PartitionMap&, const PartitionMap&) = default;

 private:
  std::vector<PartitionRecord> records_;
};

// The hash of the whole text: the low 32 bits of xxHash64 (seed 0), read as a signed number,
// without their sign; of the least one, which has no such value, kHashMax.
[[nodiscard]] KOMMANDER_EXPORT std::uint32_t PartitionHash(std::string_view text) noexcept;
// The part of a key that decides where it goes: up to the last '/', or all of it where there is
// none. Keys of one folder share a partition.
[[nodiscard]] KOMMANDER_EXPORT std::string_view PartitionPrefix(std::string_view key) noexcept;

}  // namespace kommander
