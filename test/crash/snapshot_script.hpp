// What the store of snapshots is asked to do while its disk is watched, and what it may hold after
// it, however far it came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <kommander/snapshot_store.hpp>

namespace kommander::crash {

struct SnapshotStep {
  enum class Kind : std::uint8_t { kPublish, kAbandon, kDiscard, kRemove, kDelete, kReopen };
  Kind kind = Kind::kPublish;
  PartitionId partition;
  SnapshotStore::Draft draft = SnapshotStore::Draft::kTaken;
  LogIndex index;
  std::vector<std::byte> bytes;
  SnapshotInfo info;  // once published
};

[[nodiscard]] std::vector<SnapshotStep> MakeSnapshotScript(std::uint64_t seed, std::size_t steps);

// Makes the calls of a step, any but kReopen.
[[nodiscard]] error_code Run(SnapshotStore& store, const SnapshotStep& step);

// By partition and index, whatever may be there.
class PossibleSnapshots {
 public:
  // It succeeded; or it was under way, or failed, and may have been done all the same.
  void Done(const SnapshotStep& step) { Take(step, true); }
  void Maybe(const SnapshotStep& step) { Take(step, false); }

  // What a store holds and may not, or the other way round; empty: nothing. All that it lists has
  // the bytes that were published.
  [[nodiscard]] std::string Judge(SnapshotStore& store) const;
  // What it holds, and nothing else.
  [[nodiscard]] static PossibleSnapshots Of(SnapshotStore& store);

 private:
  using Place = std::pair<PartitionId, LogIndex>;
  using Found = std::optional<SnapshotInfo>;
  void Take(const SnapshotStep& step, bool is_certain);
  std::map<Place, std::vector<Found>> possible_;
};

}  // namespace kommander::crash
