// A log as a map of maps, written without thought for speed: what a Wal is compared with.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <kommander/wal.hpp>

namespace kommander::conformance {

struct ModelPartition {
  BoundaryRecord boundary;
  HardState hard_state;
  LogIndex commit_hint;
  ApplicationRecord application;
  std::map<std::uint64_t, Entry> entries;

  [[nodiscard]] std::uint64_t Last() const;
  void Apply(const WriteUnit& unit);
};

using WalModel = std::map<PartitionId, ModelPartition>;

// Recovers and reads one partition. Empty when it holds exactly what the model does.
[[nodiscard]] std::string PartitionDifference(Wal& wal, PartitionId id,
                                              const ModelPartition& model);

// Recovers and reads everything. Empty when the log holds exactly what the model does.
[[nodiscard]] std::string FirstDifference(Wal& wal, const WalModel& model);

}  // namespace kommander::conformance
