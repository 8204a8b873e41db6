// Who is a member when: the configurations in a log, each in force from the moment when its entry
// is appended (thesis 4.1), and the bytes of such an entry.
#pragma once

#include <optional>
#include <vector>

#include <kommander/configuration.hpp>
#include <kommander/ids.hpp>
#include <kommander/payload.hpp>

namespace kommander::raft {

// The body of a kConfiguration entry, little-endian: three lists in the order voters, outgoing
// voters, learners, each as
//   u16 count | count x u32 node id, ascending
// and nothing after them.
[[nodiscard]] Payload EncodeConfiguration(const Configuration& configuration);
// None when the bytes are not exactly that.
[[nodiscard]] std::optional<Configuration> DecodeConfiguration(ByteSpan bytes);

// A target of a change: at least one voter, nobody both voter and learner, id 0 nowhere, not joint.
[[nodiscard]] bool IsValidTarget(const Configuration& target) noexcept;
// What is appended first on the way from `current` to `target`: a joint configuration when voters
// change, else the target itself. A voter that becomes a learner is in both lists while joint.
[[nodiscard]] Configuration FirstStep(const Configuration& current, const Configuration& target);
// What follows a committed joint configuration.
[[nodiscard]] Configuration LeaveJoint(const Configuration& joint);

class ConfigurationHistory {
 public:
  ConfigurationHistory(LogIndex index, Configuration configuration);

  // In force now: the newest in the log.
  [[nodiscard]] const Configuration& active() const noexcept { return all_.back().configuration; }
  [[nodiscard]] LogIndex active_index() const noexcept { return all_.back().index; }
  // In force at `index`.
  [[nodiscard]] const Configuration& At(LogIndex index) const noexcept;
  // Whether `node` votes in the configuration in force at `committed` or in a later one.
  [[nodiscard]] bool MayLead(NodeId node, LogIndex committed) const noexcept;
  // The index of the entry that At speaks of.
  [[nodiscard]] LogIndex IndexAt(LogIndex index) const noexcept;

  void Append(LogIndex index, Configuration configuration);
  // The entries from `from` on go, and an earlier configuration is in force again. True: it
  // differs.
  bool TruncateFrom(LogIndex from);
  void CompactTo(LogIndex index);
  void Reset(LogIndex index, Configuration configuration);

 private:
  struct Version {
    LogIndex index;
    Configuration configuration;
  };
  std::vector<Version> all_;  // ascending; the first is at or below the boundary
};

}  // namespace kommander::raft
