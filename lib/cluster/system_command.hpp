// What the system partition replicates: commands that build the roster, the partition map and the
// cluster's settings. One command is the payload of one log entry with the type kSystemType. Bytes:
// docs/protocol.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <kommander/ids.hpp>
#include <kommander/payload.hpp>

#include "cluster/partition_map.hpp"
#include "cluster/roster.hpp"
#include "cluster/settings.hpp"

namespace kommander::cluster {

// Applications may not use it, on any partition.
inline constexpr std::string_view kSystemType = "_RaftSystem";

// The first command of a cluster: who belongs to it and how the hash values are shared out.
struct InitialiseCommand {
  std::vector<RosterMember> members;        // ascending, not empty
  std::vector<PartitionRecord> partitions;  // IsWellFormed, or empty: the system partition alone
};
// A member was seen for the first time.
struct PinCommand {
  NodeId node;
  Incarnation incarnation;
};
// A node belongs to the cluster from now on; its pin is filled when it is seen.
struct AddMemberCommand {
  NodeId node;
};
// A setting gets this value, or is removed, if it has the version that is expected: 0: it is not
// there; none: whatever it is.
struct SetSettingCommand {
  std::string name;  // IsSettingName
  Payload value;     // at most kClusterSettingValueBytesMax
  std::optional<LogIndex> expected;
};
struct RemoveSettingCommand {
  std::string name;
  std::optional<LogIndex> expected;
};
using SystemCommand = std::variant<InitialiseCommand, PinCommand, AddMemberCommand,
                                   SetSettingCommand, RemoveSettingCommand>;

// Sorts what it is given; a list that names something twice decodes to nothing.
[[nodiscard]] Payload EncodeInitialise(const std::vector<RosterMember>& members,
                                       const std::vector<PartitionRecord>& partitions);
[[nodiscard]] Payload EncodePin(NodeId node, Incarnation incarnation);
[[nodiscard]] Payload EncodeAddMember(NodeId node);
// `name` is IsSettingName, `value` within its bound.
[[nodiscard]] Payload EncodeSetSetting(std::string_view name, ByteSpan value,
                                       std::optional<LogIndex> expected);
[[nodiscard]] Payload EncodeRemoveSetting(std::string_view name, std::optional<LogIndex> expected);

// The size of an initialise command for so many partitions, all members voting in each.
[[nodiscard]] std::size_t InitialiseBytes(std::size_t members, std::size_t partitions) noexcept;

// None for anything but a well-formed command of a known version, with no byte left over. Allocates
// no more than the bytes can hold.
[[nodiscard]] std::optional<SystemCommand> DecodeSystemCommand(ByteSpan bytes);

// Whether it is a command that an application may ask for, on this node or on another one: it sets
// or removes a setting that is not the library's own.
[[nodiscard]] bool IsCallersCommand(ByteSpan bytes);

}  // namespace kommander::cluster
