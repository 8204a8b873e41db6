#include "manager/store.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "codec/little_endian.hpp"
#include "raft/recovery.hpp"

namespace kommander {
namespace {

// docs/formats.md: u32 count, then u32 node and u64 incarnation of each, ascending by node.
constexpr std::string_view kPinsKey = "pins";
constexpr std::string_view kAdmittedKey = "admitted";  // one byte, 1; absent: no
constexpr std::size_t kPinsHeaderBytes = 4;
constexpr std::size_t kPinBytes = 12;

error_code ReadPins(Wal& wal, Pins& pins) {
  std::optional<Payload> value;
  if (const error_code error = wal.GetMetadata(kPinsKey, value)) return error;
  if (!value) return {};
  return DecodePins(value->bytes(), pins) ? error_code() : error_code(RaftErrc::WalCorrupted);
}

error_code ReadAdmitted(Wal& wal, bool& admitted) {
  std::optional<Payload> value;
  const error_code error = wal.GetMetadata(kAdmittedKey, value);
  admitted = value.has_value();
  return error;
}

WriteUnit CreationUnit(PartitionId partition, Configuration configuration) {
  WriteUnit unit;
  unit.partition = partition;
  unit.unit = UnitId(1);
  unit.boundary.emplace();
  unit.boundary->configuration = std::move(configuration);
  return unit;
}

Configuration InitialConfiguration(const RaftConfiguration& configuration) {
  std::vector<NodeId> voters;
  for (const NodeAddress& member : configuration.initial_members()) voters.push_back(member.id);
  return Configuration(std::move(voters));
}

error_code CreateStore(Wal& wal, const RaftConfiguration& configuration, Incarnation fresh,
                       OpenedStore& opened) {
  if (configuration.initial_members().empty()) {
    opened.detail = "the store is new: InitialMembers must name the nodes of the cluster";
    return RaftErrc::InvalidConfiguration;
  }
  opened.identity.cluster_id = configuration.cluster_id();
  opened.identity.node = configuration.id();
  opened.identity.incarnation = fresh;
  opened.identity.system_configuration = InitialConfiguration(configuration);
  if (const error_code error = wal.Create(opened.identity)) return error;
  return {};
}

// The system partition is made on a start that finds nothing after the identity: a crash may have
// come between the two. Where there is more, it has been there, and is lost.
error_code EnsureSystemPartition(Wal& wal, std::vector<PartitionId>& ids, OpenedStore& opened) {
  for (const PartitionId id : ids) {
    if (id == kSystemPartition) return {};
  }
  if (!ids.empty() || opened.admitted || !opened.pins.empty()) {
    opened.detail = "the system partition is missing";
    return RaftErrc::WalCorrupted;
  }
  const WriteUnit unit = CreationUnit(kSystemPartition, opened.identity.system_configuration);
  const WriteUnit* const units[] = {&unit};
  if (const error_code error = wal.Write(units)) return error;
  ids.insert(ids.begin(), kSystemPartition);
  return {};
}

// One damaged partition refuses the store: a node that joined without it would count as a member
// of a group in which it is not, and nobody would know before a second disk fails.
error_code Recover(Wal& wal, const std::vector<PartitionId>& ids, OpenedStore& opened) {
  for (const PartitionId id : ids) {
    const std::string name = "partition " + std::to_string(id.value());
    RecoveredPartition recovered;
    if (const error_code error = wal.Recover(id, recovered)) {
      opened.detail = name + " cannot be recovered: " + error.message();
      return error;
    }
    if (const auto damage = raft::FindDamage(recovered)) {
      opened.detail = name + " is damaged: " + *damage;
      return RaftErrc::WalCorrupted;
    }
    opened.partitions.push_back({id, std::move(recovered), {}});
  }
  return {};
}

// What cannot be read is not there: whoever needs it says so. Only a store that is somebody else's,
// or cannot be opened, ends the start.
error_code OpenSnapshots(SnapshotStore& snapshots, OpenedStore& opened) {
  const StoreIdentity& identity = opened.identity;
  if (const error_code error = snapshots.Open(identity.node, identity.incarnation, opened.detail)) {
    return error;
  }
  for (OpenedStore::Partition& partition : opened.partitions) {
    std::vector<SnapshotInfo> infos;
    if (snapshots.List(partition.id, infos)) continue;
    for (const SnapshotInfo& info : infos) {
      runtime::SnapshotHead head = runtime::ReadSnapshotHead(snapshots, partition.id, info.index);
      if (head.error) continue;
      partition.snapshots.push_back({info, std::move(head.boundary), head.bytes});
    }
  }
  return {};
}

}  // namespace

OpenedStore OpenStore(Wal& wal, SnapshotStore* snapshots, const RaftConfiguration& configuration,
                      Incarnation fresh) {
  OpenedStore opened;
  std::optional<StoreIdentity> identity;
  opened.error = wal.Open(identity, opened.detail);
  if (opened.error) return opened;
  opened.file_sets = wal.FileSets();
  if (opened.file_sets == 0) {  // partition p would be in set p mod 0
    opened.error = RaftErrc::WalUnavailable;
    opened.detail = "the log says that it has no file set: Wal::FileSets() is at least 1";
    return opened;
  }
  if (!identity) {
    opened.error = CreateStore(wal, configuration, fresh, opened);
  } else if (identity->cluster_id != configuration.cluster_id() ||
             identity->node != configuration.id()) {
    opened.error = RaftErrc::WalForeign;
    opened.detail = "the store belongs to node " + std::to_string(identity->node.value()) +
                    " of cluster \"" + identity->cluster_id + "\"";
  } else {
    opened.identity = *std::move(identity);
  }
  std::vector<PartitionId> ids;
  if (!opened.error) opened.error = wal.ListPartitions(ids);
  if (!opened.error) opened.error = ReadPins(wal, opened.pins);
  if (!opened.error) opened.error = ReadAdmitted(wal, opened.admitted);
  if (!opened.error) opened.error = EnsureSystemPartition(wal, ids, opened);
  if (!opened.error) opened.error = Recover(wal, ids, opened);
  if (!opened.error && snapshots != nullptr) opened.error = OpenSnapshots(*snapshots, opened);
  if (opened.error && opened.detail.empty()) opened.detail = opened.error.message();
  return opened;
}

OpenedStore CreatePartitions(Wal& wal,
                             const std::vector<std::pair<PartitionId, Configuration>>& partitions) {
  OpenedStore opened;
  std::vector<WriteUnit> units;
  std::vector<PartitionId> ids;
  for (const auto& [id, configuration] : partitions) {
    ids.push_back(id);
    // What else is wrong with one that exists is said when it is recovered below.
    RecoveredPartition existing;
    if (wal.Recover(id, existing) == RaftErrc::PartitionNotFound) {
      units.push_back(CreationUnit(id, configuration));
    }
  }
  std::vector<const WriteUnit*> pointers;
  for (const WriteUnit& unit : units) pointers.push_back(&unit);
  if (!opened.error && !pointers.empty()) opened.error = wal.Write(pointers);
  if (!opened.error) opened.error = Recover(wal, ids, opened);
  if (opened.error && opened.detail.empty()) opened.detail = opened.error.message();
  return opened;
}

Payload EncodePins(const Pins& pins) {
  std::vector<std::byte> bytes(kPinsHeaderBytes + pins.size() * kPinBytes);
  codec::ByteWriter writer(bytes.data());
  writer.Put(static_cast<std::uint32_t>(pins.size()));
  for (const auto& [node, incarnation] : pins) {
    writer.Put(node.value());
    writer.Put(incarnation.value());
  }
  return Payload(std::move(bytes));
}

bool DecodePins(ByteSpan bytes, Pins& pins) {
  codec::ByteReader reader(bytes);
  const auto count = reader.Get<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    const NodeId node(reader.Get<std::uint32_t>());
    if (!pins.empty() && node <= pins.rbegin()->first) return false;
    pins[node] = Incarnation(reader.Get<std::uint64_t>());
  }
  return reader.AtEnd();
}

error_code WritePins(Wal& wal, const Pins& pins) {
  return wal.PutMetadata(kPinsKey, EncodePins(pins));
}

error_code WriteAdmitted(Wal& wal) {
  return wal.PutMetadata(kAdmittedKey, Payload(std::string(1, '\1')));
}

}  // namespace kommander
