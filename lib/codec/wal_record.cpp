// Encoding and decoding of what is on disk. A record other than an entry is an envelope {checksum,
// version, type, zero, zero} and its fields; the checksum also covers the place (see Seal).
#include "codec/wal_record.hpp"

#include <span>
#include <string>
#include <utility>

#include "codec/crc32c.hpp"
#include "codec/little_endian.hpp"

namespace kommander::codec {
namespace {

constexpr std::size_t kChecksumBytes = 4;
constexpr std::size_t kEnvelopeBytes = 8;
constexpr std::uint32_t kSyncedMagic = 0x59534d4b;  // "KMSY"

// The numbers are on disk: never reuse one.
enum class RecordType : std::uint8_t {
  kHardState = 1,
  kCommitHint = 2,
  kBoundary = 3,
  kIdentity = 4,
  kMetadata = 5,
  kBatchNumber = 6,
  kApplication = 7,
  kShard = 8,
};

std::uint32_t ChecksumOfPartition(PartitionId partition) noexcept {
  std::array<std::byte, 4> place;
  Store(place.data(), partition.value());
  return Crc32c(place);
}

// Starts a record; the caller fills the rest and seals it.
ByteWriter BeginAt(std::byte* record, RecordType type) noexcept {
  ByteWriter writer(record + kChecksumBytes);
  writer.Put(kWalFormatVersion);
  writer.Put(static_cast<std::uint8_t>(type));
  writer.Put(std::uint16_t{0});
  return writer;
}

ByteWriter Begin(RecordBytes& record, RecordType type, std::size_t body_bytes) {
  record.resize(kEnvelopeBytes + body_bytes);
  return BeginAt(record.data(), type);
}

void Seal(std::span<std::byte> record, std::uint32_t place_checksum) noexcept {
  const ByteSpan covered = ByteSpan(record).subspan(kChecksumBytes);
  Store(record.data(), ExtendCrc32c(place_checksum, covered));
}

// A reader at the first field, or one that has failed.
ByteReader Unseal(ByteSpan record, RecordType type, std::uint32_t place_checksum) noexcept {
  ByteReader reader(record);
  const auto checksum = reader.Get<std::uint32_t>();
  const auto version = reader.Get<std::uint8_t>();
  const auto stored_type = reader.Get<std::uint8_t>();
  const auto zero = reader.Get<std::uint16_t>();
  if (!reader.ok()) return reader;
  if (version != kWalFormatVersion || stored_type != static_cast<std::uint8_t>(type) || zero != 0 ||
      checksum != ExtendCrc32c(place_checksum, record.subspan(kChecksumBytes))) {
    reader.Fail();
  }
  return reader;
}

std::size_t ConfigurationBytes(const Configuration& configuration) noexcept {
  const std::size_t nodes = configuration.voters.size() + configuration.outgoing_voters.size() +
                            configuration.learners.size();
  return 3 * sizeof(std::uint32_t) + nodes * sizeof(NodeId::Value);
}

void PutNodes(ByteWriter& writer, const std::vector<NodeId>& nodes) noexcept {
  writer.Put(static_cast<std::uint32_t>(nodes.size()));
  for (const NodeId node : nodes) writer.Put(node.value());
}

void PutConfiguration(ByteWriter& writer, const Configuration& configuration) noexcept {
  PutNodes(writer, configuration.voters);
  PutNodes(writer, configuration.outgoing_voters);
  PutNodes(writer, configuration.learners);
}

// Ascending and without duplicates, as Configuration keeps its lists.
std::vector<NodeId> GetNodes(ByteReader& reader) {
  std::vector<NodeId> nodes;
  const auto count = reader.Get<std::uint32_t>();
  if (count > reader.remaining() / sizeof(NodeId::Value)) reader.Fail();
  if (!reader.ok()) return nodes;
  nodes.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const NodeId node(reader.Get<std::uint32_t>());
    if (!nodes.empty() && node <= nodes.back()) reader.Fail();
    nodes.push_back(node);
  }
  return nodes;
}

Configuration GetConfiguration(ByteReader& reader) {
  Configuration configuration;
  configuration.voters = GetNodes(reader);
  configuration.outgoing_voters = GetNodes(reader);
  configuration.learners = GetNodes(reader);
  return configuration;
}

bool IsKnownKind(std::uint8_t kind) noexcept {
  return kind <= static_cast<std::uint8_t>(kEntryKindLast);
}

// Checksum of an entry: its place, the header after the checksum, the body.
std::uint32_t ChecksumOfEntry(PartitionId partition, LogIndex index, ByteSpan header,
                              ByteSpan body) noexcept {
  std::array<std::byte, 12 + kEntryRecordHeaderBytes - kChecksumBytes> bytes;
  ByteWriter writer(bytes.data());
  writer.Put(partition.value());
  writer.Put(index.value());
  writer.PutBytes(header.subspan(kChecksumBytes));
  return ExtendCrc32c(Crc32c(bytes), body);
}

}  // namespace

EntryRecordHeader EncodeEntryRecordHeader(PartitionId partition, const Entry& entry) noexcept {
  EntryRecordHeader header;
  ByteWriter writer(header.data() + kChecksumBytes);
  writer.Put(kWalFormatVersion);
  writer.Put(static_cast<std::uint8_t>(entry.kind));
  writer.Put(std::uint16_t{0});
  writer.Put(entry.term.value());
  writer.Put(entry.ticket.physical_ms());
  writer.Put(entry.ticket.counter());
  writer.Put(entry.ticket.node().value());
  Store(header.data(), ChecksumOfEntry(partition, entry.index, header, entry.body.bytes()));
  return header;
}

std::optional<EntryRecordView> DecodeEntryRecord(PartitionId partition, LogIndex index,
                                                 ByteSpan record) noexcept {
  if (record.size() < kEntryRecordHeaderBytes) return std::nullopt;
  ByteReader reader(record);
  const auto checksum = reader.Get<std::uint32_t>();
  const auto version = reader.Get<std::uint8_t>();
  const auto kind = reader.Get<std::uint8_t>();
  const auto zero = reader.Get<std::uint16_t>();
  EntryRecordView view;
  view.term = Term(reader.Get<std::uint64_t>());
  const auto physical_ms = reader.Get<std::uint64_t>();
  const auto counter = reader.Get<std::uint32_t>();
  const NodeId node(reader.Get<std::uint32_t>());
  view.ticket = Ticket(physical_ms, counter, node);
  view.kind = static_cast<EntryKind>(kind);
  view.body = record.subspan(kEntryRecordHeaderBytes);
  const ByteSpan header = record.first(kEntryRecordHeaderBytes);
  if (version != kWalFormatVersion || !IsKnownKind(kind) || zero != 0 ||
      checksum != ChecksumOfEntry(partition, index, header, view.body)) {
    return std::nullopt;
  }
  return view;
}

RecordBytes EncodeHardStateRecord(PartitionId partition, const HardState& state) {
  RecordBytes record;
  ByteWriter writer = Begin(record, RecordType::kHardState, 12);
  writer.Put(state.term.value());
  writer.Put(state.vote.value());
  Seal(record, ChecksumOfPartition(partition));
  return record;
}

std::optional<HardState> DecodeHardStateRecord(PartitionId partition, ByteSpan record) noexcept {
  ByteReader reader = Unseal(record, RecordType::kHardState, ChecksumOfPartition(partition));
  HardState state;
  state.term = Term(reader.Get<std::uint64_t>());
  state.vote = NodeId(reader.Get<std::uint32_t>());
  if (!reader.AtEnd()) return std::nullopt;
  return state;
}

RecordBytes EncodeCommitHintRecord(PartitionId partition, LogIndex hint) {
  RecordBytes record;
  ByteWriter writer = Begin(record, RecordType::kCommitHint, 8);
  writer.Put(hint.value());
  Seal(record, ChecksumOfPartition(partition));
  return record;
}

std::optional<LogIndex> DecodeCommitHintRecord(PartitionId partition, ByteSpan record) noexcept {
  ByteReader reader = Unseal(record, RecordType::kCommitHint, ChecksumOfPartition(partition));
  const LogIndex hint(reader.Get<std::uint64_t>());
  if (!reader.AtEnd()) return std::nullopt;
  return hint;
}

RecordBytes EncodeApplicationRecord(PartitionId partition, const ApplicationRecord& application) {
  RecordBytes record;
  ByteWriter writer = Begin(record, RecordType::kApplication, 16);
  writer.Put(application.floor.value());
  writer.Put(application.import_pending.value());
  Seal(record, ChecksumOfPartition(partition));
  return record;
}

std::optional<ApplicationRecord> DecodeApplicationRecord(PartitionId partition,
                                                         ByteSpan record) noexcept {
  ByteReader reader = Unseal(record, RecordType::kApplication, ChecksumOfPartition(partition));
  ApplicationRecord application;
  application.floor = LogIndex(reader.Get<std::uint64_t>());
  application.import_pending = LogIndex(reader.Get<std::uint64_t>());
  if (!reader.AtEnd()) return std::nullopt;
  return application;
}

RecordBytes EncodeBoundaryRecord(PartitionId partition, const BoundaryRecord& boundary) {
  RecordBytes record;
  const std::size_t bytes = 28 + ConfigurationBytes(boundary.configuration) +
                            boundary.ledger.size() + boundary.system.size();
  ByteWriter writer = Begin(record, RecordType::kBoundary, bytes);
  writer.Put(boundary.index.value());
  writer.Put(boundary.term.value());
  writer.Put(boundary.digest);
  PutConfiguration(writer, boundary.configuration);
  writer.Put(static_cast<std::uint32_t>(boundary.ledger.size()));
  writer.PutBytes(boundary.ledger.bytes());
  writer.PutBytes(boundary.system.bytes());
  Seal(record, ChecksumOfPartition(partition));
  return record;
}

std::optional<BoundaryRecord> DecodeBoundaryRecord(PartitionId partition, ByteSpan record) {
  ByteReader reader = Unseal(record, RecordType::kBoundary, ChecksumOfPartition(partition));
  BoundaryRecord boundary;
  boundary.index = LogIndex(reader.Get<std::uint64_t>());
  boundary.term = Term(reader.Get<std::uint64_t>());
  boundary.digest = reader.Get<std::uint64_t>();
  boundary.configuration = GetConfiguration(reader);
  boundary.ledger = Payload(reader.GetBytes(reader.Get<std::uint32_t>()));
  if (!reader.ok()) return std::nullopt;
  boundary.system = Payload(reader.GetBytes(reader.remaining()));
  return boundary;
}

RecordBytes EncodeIdentityRecord(const StoreIdentity& identity) {
  RecordBytes record;
  const std::size_t bytes =
      12 + ConfigurationBytes(identity.system_configuration) + identity.cluster_id.size();
  ByteWriter writer = Begin(record, RecordType::kIdentity, bytes);
  writer.Put(identity.node.value());
  writer.Put(identity.incarnation.value());
  PutConfiguration(writer, identity.system_configuration);
  writer.PutBytes(AsBytes(identity.cluster_id));
  Seal(record, 0);
  return record;
}

std::optional<StoreIdentity> DecodeIdentityRecord(ByteSpan record) {
  ByteReader reader = Unseal(record, RecordType::kIdentity, 0);
  StoreIdentity identity;
  identity.node = NodeId(reader.Get<std::uint32_t>());
  identity.incarnation = Incarnation(reader.Get<std::uint64_t>());
  identity.system_configuration = GetConfiguration(reader);
  if (!reader.ok()) return std::nullopt;
  identity.cluster_id = std::string(AsText(reader.GetBytes(reader.remaining())));
  return identity;
}

BatchNumberRecord EncodeBatchNumberRecord(std::uint64_t number) noexcept {
  BatchNumberRecord record;
  BeginAt(record.data(), RecordType::kBatchNumber).Put(number);
  Seal(record, 0);
  return record;
}

std::optional<std::uint64_t> DecodeBatchNumberRecord(ByteSpan record) noexcept {
  ByteReader reader = Unseal(record, RecordType::kBatchNumber, 0);
  const auto number = reader.Get<std::uint64_t>();
  if (!reader.AtEnd()) return std::nullopt;
  return number;
}

ShardRecordBytes EncodeShardRecord(const ShardRecord& shard) noexcept {
  ShardRecordBytes record;
  ByteWriter writer = BeginAt(record.data(), RecordType::kShard);
  writer.Put(shard.store);
  writer.Put(shard.shards);
  writer.Put(shard.shard);
  Seal(record, 0);
  return record;
}

std::optional<ShardRecord> DecodeShardRecord(ByteSpan record) noexcept {
  ByteReader reader = Unseal(record, RecordType::kShard, 0);
  ShardRecord shard;
  shard.store = reader.Get<std::uint64_t>();
  shard.shards = reader.Get<std::uint32_t>();
  shard.shard = reader.Get<std::uint32_t>();
  if (!reader.AtEnd()) return std::nullopt;
  return shard;
}

RecordBytes EncodeMetadataRecord(std::string_view key, ByteSpan value) {
  RecordBytes record;
  ByteWriter writer = Begin(record, RecordType::kMetadata, value.size());
  writer.PutBytes(value);
  Seal(record, Crc32c(AsBytes(key)));
  return record;
}

std::optional<ByteSpan> DecodeMetadataRecord(std::string_view key, ByteSpan record) noexcept {
  ByteReader reader = Unseal(record, RecordType::kMetadata, Crc32c(AsBytes(key)));
  if (!reader.ok()) return std::nullopt;
  return reader.GetBytes(reader.remaining());
}

SyncedSlot EncodeSyncedSlot(std::uint64_t number) noexcept {
  SyncedSlot slot;
  ByteWriter writer(slot.data());
  writer.Put(kSyncedMagic);
  writer.Put(std::uint32_t{kWalFormatVersion});
  writer.Put(number);
  writer.Put(Crc32c(ByteSpan(slot).first(kSyncedSlotBytes - kChecksumBytes)));
  return slot;
}

std::optional<std::uint64_t> DecodeSyncedSlot(ByteSpan slot) noexcept {
  if (slot.size() < kSyncedSlotBytes) return std::nullopt;
  slot = slot.first(kSyncedSlotBytes);
  ByteReader reader(slot);
  const auto magic = reader.Get<std::uint32_t>();
  const auto version = reader.Get<std::uint32_t>();
  const auto number = reader.Get<std::uint64_t>();
  const auto checksum = reader.Get<std::uint32_t>();
  if (magic != kSyncedMagic || version != kWalFormatVersion ||
      checksum != Crc32c(slot.first(kSyncedSlotBytes - kChecksumBytes))) {
    return std::nullopt;
  }
  return number;
}

}  // namespace kommander::codec
