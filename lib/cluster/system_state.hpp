// The system partition's state machine: roster, partition map and settings, built from its log. A
// value, so that it can be published to other threads as an immutable copy.
#pragma once

#include <cstdint>
#include <vector>

#include <kommander/ids.hpp>
#include <kommander/payload.hpp>

#include "cluster/partition_map.hpp"
#include "cluster/roster.hpp"
#include "cluster/settings.hpp"

namespace kommander::cluster {

class SystemState {
 public:
  enum class Change : std::uint8_t {
    kNone,
    kInitialised,
    kPinned,
    kMemberAdded,
    kSettingChanged,
    // Nothing has changed, which whoever asked for it has to be told.
    kTooManySettings,
    kSettingIsAnother,
  };
  [[nodiscard]] static bool IsChange(Change change) noexcept {
    return change != Change::kNone && change < Change::kTooManySettings;
  }

  // Deterministic and total: the same commands in the same order give the same state on every node.
  // An unknown or malformed command, a second initialise, a pin of a stranger or over another pin,
  // adding a known node, a setting beyond kClusterSettingsMax or over another version than the
  // expected one, and anything before the initialise change nothing. `index`: the command's entry.
  Change Apply(ByteSpan command, LogIndex index);

  // All of it, from which Restore makes the same; empty: nothing is known yet.
  [[nodiscard]] Payload Serialize() const;
  // Replaces the state. False: not such bytes, and nothing has changed.
  [[nodiscard]] bool Restore(ByteSpan bytes);

  [[nodiscard]] const Roster& roster() const noexcept { return roster_; }
  // Ascending by id.
  [[nodiscard]] const std::vector<PartitionRecord>& partitions() const noexcept {
    return partitions_;
  }
  // Ascending by name.
  [[nodiscard]] const std::vector<ClusterSetting>& settings() const noexcept {
    return settings_.all();
  }
  friend bool operator==(const SystemState&, const SystemState&) = default;

 private:
  Roster roster_;
  std::vector<PartitionRecord> partitions_;
  Settings settings_;
};

}  // namespace kommander::cluster
