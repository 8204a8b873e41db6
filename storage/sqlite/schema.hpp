// The tables of a shard, and how those of an older version become those of this one. The version is
// the database's `user_version`. Whatever the version, the table `store` has the shard's record and
// the batch number under their names: an open looks at them before it changes anything.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kommander/ids.hpp>

namespace kommander::storage {

// Step n makes version n + 1 of version n, in SQL; version 0 is an empty database. A step that was
// released is never changed.
using SchemaSteps = std::vector<std::string>;
[[nodiscard]] const SchemaSteps& ReleasedSteps();

// The database's `application_id`: "KMSQ".
inline constexpr std::int64_t kApplicationId = 0x4b4d5351;

// Names in the table `store`. A name of metadata begins with `kMetadataTag`.
inline constexpr char kBatchNumberName = 'n';
inline constexpr char kIdentityName = 'i';
inline constexpr char kShardName = 's';
inline constexpr char kMetadataTag = 'm';

// Kinds in the table `partitions`: the types of their records, see docs/formats.md.
inline constexpr std::int64_t kHardStateKind = 1;
inline constexpr std::int64_t kCommitHintKind = 2;
inline constexpr std::int64_t kBoundaryKind = 3;
inline constexpr std::int64_t kApplicationKind = 7;

// SQLite's integers have a sign. No log gets there.
inline constexpr std::uint64_t kIndexMax = ~std::uint64_t{0} >> 1;
[[nodiscard]] inline std::int64_t AsInteger(LogIndex index) noexcept {
  return static_cast<std::int64_t>(index.value() < kIndexMax ? index.value() : kIndexMax);
}
[[nodiscard]] inline std::int64_t AsInteger(PartitionId partition) noexcept {
  return static_cast<std::int64_t>(partition.value());
}

}  // namespace kommander::storage
