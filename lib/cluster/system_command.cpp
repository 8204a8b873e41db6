#include "cluster/system_command.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "codec/little_endian.hpp"

namespace kommander::cluster {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kInitialise = 1;
constexpr std::uint8_t kPin = 2;
constexpr std::uint8_t kAddMember = 3;
constexpr std::uint8_t kSetSetting = 4;
constexpr std::uint8_t kRemoveSetting = 5;
// 6 is a state: system_state.cpp.

constexpr std::size_t kHeaderBytes = 2;
constexpr std::size_t kCountBytes = 4;
constexpr std::size_t kMemberBytes = 12;
constexpr std::size_t kNodeBytes = 4;
constexpr std::size_t kPartitionBytes = 24;
constexpr std::size_t kVersionBytes = 8;
constexpr std::size_t kNameLengthBytes = 1;
// As the expected version of a setting: whatever it is. No entry has that index.
constexpr std::uint64_t kAnyVersion = ~std::uint64_t{0};

// A buffer of exactly this size, filled by one writer.
template <class Fill>
Payload Encode(std::size_t size, std::uint8_t kind, const Fill& fill) {
  auto buffer = std::make_shared_for_overwrite<std::byte[]>(size);
  codec::ByteWriter writer(buffer.get());
  writer.Put(kVersion);
  writer.Put(kind);
  fill(writer);
  const ByteSpan bytes(buffer.get(), size);
  return Payload(std::shared_ptr<const void>(std::move(buffer)), bytes);
}

// A count of items that take at least `item_bytes` each: never more than can follow.
std::size_t GetCount(codec::ByteReader& reader, std::size_t item_bytes) {
  const auto count = reader.Get<std::uint32_t>();
  if (count <= reader.remaining() / item_bytes) return count;
  reader.Fail();
  return 0;
}

std::vector<RosterMember> GetMembers(codec::ByteReader& reader) {
  std::vector<RosterMember> members;
  const std::size_t count = GetCount(reader, kMemberBytes);
  members.reserve(count);
  NodeId previous;
  for (std::size_t i = 0; i < count; ++i) {
    const NodeId node(reader.Get<std::uint32_t>());
    const Incarnation incarnation(reader.Get<std::uint64_t>());
    if (node <= previous) reader.Fail();
    previous = node;
    members.emplace_back(node, incarnation);
  }
  if (members.empty()) reader.Fail();
  return members;
}

std::vector<PartitionRecord> GetPartitions(codec::ByteReader& reader) {
  std::vector<PartitionRecord> partitions;
  const std::size_t count = GetCount(reader, kPartitionBytes);
  partitions.reserve(count);
  for (std::size_t i = 0; i < count && reader.ok(); ++i) {
    PartitionRecord& record = partitions.emplace_back();
    record.id = PartitionId(reader.Get<std::uint32_t>());
    record.generation = Generation(reader.Get<std::uint64_t>());
    record.hash_first = reader.Get<std::uint32_t>();
    record.hash_last = reader.Get<std::uint32_t>();
    const std::size_t voters = GetCount(reader, kNodeBytes);
    record.voters.reserve(voters);
    for (std::size_t v = 0; v < voters; ++v) {
      record.voters.emplace_back(reader.Get<std::uint32_t>());
    }
  }
  return partitions;
}

std::optional<SystemCommand> GetInitialise(codec::ByteReader& reader) {
  InitialiseCommand command;
  command.members = GetMembers(reader);
  command.partitions = GetPartitions(reader);
  if (!reader.AtEnd()) return std::nullopt;
  if (!command.partitions.empty() && !IsWellFormed(command.partitions)) return std::nullopt;
  const auto is_member = [&](NodeId node) {
    return std::any_of(command.members.begin(), command.members.end(),
                       [&](const RosterMember& member) { return member.node == node; });
  };
  for (const PartitionRecord& record : command.partitions) {
    if (!std::all_of(record.voters.begin(), record.voters.end(), is_member)) return std::nullopt;
  }
  return command;
}

std::optional<SystemCommand> GetPin(codec::ByteReader& reader) {
  PinCommand command;
  command.node = NodeId(reader.Get<std::uint32_t>());
  command.incarnation = Incarnation(reader.Get<std::uint64_t>());
  if (!reader.AtEnd() || !command.node || !command.incarnation) return std::nullopt;
  return command;
}

std::optional<SystemCommand> GetAddMember(codec::ByteReader& reader) {
  AddMemberCommand command;
  command.node = NodeId(reader.Get<std::uint32_t>());
  if (!reader.AtEnd() || !command.node) return std::nullopt;
  return command;
}

std::uint64_t ToWord(std::optional<LogIndex> expected) noexcept {
  return expected ? expected->value() : kAnyVersion;
}

std::optional<LogIndex> GetExpected(codec::ByteReader& reader) {
  const auto word = reader.Get<std::uint64_t>();
  return word == kAnyVersion ? std::nullopt : std::optional(LogIndex(word));
}

std::optional<SystemCommand> GetSetSetting(codec::ByteReader& reader) {
  SetSettingCommand command;
  command.expected = GetExpected(reader);
  const auto name_bytes = reader.Get<std::uint8_t>();
  command.name = AsText(reader.GetBytes(name_bytes));
  const ByteSpan value = reader.GetBytes(reader.remaining());
  const bool is_right =
      reader.AtEnd() && IsSettingName(command.name) && value.size() <= kClusterSettingValueBytesMax;
  if (!is_right) return std::nullopt;
  command.value = Payload(value);
  return command;
}

std::optional<SystemCommand> GetRemoveSetting(codec::ByteReader& reader) {
  RemoveSettingCommand command;
  command.expected = GetExpected(reader);
  const std::string_view name = AsText(reader.GetBytes(reader.remaining()));
  if (!reader.AtEnd() || !IsSettingName(name)) return std::nullopt;
  command.name = name;
  return command;
}

}  // namespace

std::size_t InitialiseBytes(std::size_t members, std::size_t partitions) noexcept {
  return kHeaderBytes + kCountBytes + members * kMemberBytes + kCountBytes +
         partitions * (kPartitionBytes + members * kNodeBytes);
}

Payload EncodeInitialise(const std::vector<RosterMember>& members,
                         const std::vector<PartitionRecord>& partitions) {
  std::vector<RosterMember> sorted_members = members;
  std::sort(sorted_members.begin(), sorted_members.end(),
            [](const auto& a, const auto& b) { return a.node < b.node; });
  std::vector<PartitionRecord> sorted_partitions = partitions;
  std::sort(sorted_partitions.begin(), sorted_partitions.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  std::size_t size = InitialiseBytes(members.size(), 0);
  for (PartitionRecord& record : sorted_partitions) {
    std::sort(record.voters.begin(), record.voters.end());
    size += kPartitionBytes + record.voters.size() * kNodeBytes;
  }
  return Encode(size, kInitialise, [&](codec::ByteWriter& writer) {
    writer.Put(static_cast<std::uint32_t>(sorted_members.size()));
    for (const RosterMember& member : sorted_members) {
      writer.Put(member.node.value());
      writer.Put(member.incarnation.value());
    }
    writer.Put(static_cast<std::uint32_t>(sorted_partitions.size()));
    for (const PartitionRecord& record : sorted_partitions) {
      writer.Put(record.id.value());
      writer.Put(record.generation.value());
      writer.Put(record.hash_first);
      writer.Put(record.hash_last);
      writer.Put(static_cast<std::uint32_t>(record.voters.size()));
      for (NodeId voter : record.voters) writer.Put(voter.value());
    }
  });
}

Payload EncodePin(NodeId node, Incarnation incarnation) {
  return Encode(kHeaderBytes + kMemberBytes, kPin, [&](codec::ByteWriter& writer) {
    writer.Put(node.value());
    writer.Put(incarnation.value());
  });
}

Payload EncodeAddMember(NodeId node) {
  return Encode(kHeaderBytes + kNodeBytes, kAddMember,
                [&](codec::ByteWriter& writer) { writer.Put(node.value()); });
}

Payload EncodeSetSetting(std::string_view name, ByteSpan value, std::optional<LogIndex> expected) {
  const std::size_t size =
      kHeaderBytes + kVersionBytes + kNameLengthBytes + name.size() + value.size();
  return Encode(size, kSetSetting, [&](codec::ByteWriter& writer) {
    writer.Put(ToWord(expected));
    writer.Put(static_cast<std::uint8_t>(name.size()));
    writer.PutBytes(AsBytes(name));
    writer.PutBytes(value);
  });
}

Payload EncodeRemoveSetting(std::string_view name, std::optional<LogIndex> expected) {
  return Encode(kHeaderBytes + kVersionBytes + name.size(), kRemoveSetting,
                [&](codec::ByteWriter& writer) {
                  writer.Put(ToWord(expected));
                  writer.PutBytes(AsBytes(name));
                });
}

std::optional<SystemCommand> DecodeSystemCommand(ByteSpan bytes) {
  codec::ByteReader reader(bytes);
  if (reader.Get<std::uint8_t>() != kVersion) return std::nullopt;
  switch (reader.Get<std::uint8_t>()) {
    case kInitialise: return GetInitialise(reader);
    case kPin: return GetPin(reader);
    case kAddMember: return GetAddMember(reader);
    case kSetSetting: return GetSetSetting(reader);
    case kRemoveSetting: return GetRemoveSetting(reader);
    default: return std::nullopt;
  }
}

bool IsCallersCommand(ByteSpan bytes) {
  const std::optional<SystemCommand> command = DecodeSystemCommand(bytes);
  if (!command) return false;
  if (const auto* set = std::get_if<SetSettingCommand>(&*command)) {
    return IsClusterSettingName(set->name);
  }
  const auto* remove = std::get_if<RemoveSettingCommand>(&*command);
  return remove != nullptr && IsClusterSettingName(remove->name);
}

}  // namespace kommander::cluster
