// The records of a store. Whatever a disk returns is either refused or has one spelling. The
// checksum would keep a fuzzer out, so most inputs are sealed before they are read.
#include "codec/wal_record.hpp"

#include "choices.hpp"
#include "codec/crc32c.hpp"
#include "codec/little_endian.hpp"
#include "target.hpp"

namespace kommander::fuzz {
namespace {

using codec::RecordBytes;

constexpr PartitionId kPartition{3};
constexpr LogIndex kIndex{12};
constexpr std::string_view kKey = "pins";

std::uint32_t PartitionChecksum() {
  std::array<std::byte, 4> place;
  codec::Store(place.data(), kPartition.value());
  return codec::Crc32c(place);
}

void Seal(RecordBytes& record, std::uint32_t place) {
  if (record.size() < 4) return;
  codec::Store(record.data(), codec::ExtendCrc32c(place, ByteSpan(record).subspan(4)));
}

// Its lists ascend, as everybody who reads one relies on.
bool IsSorted(const Configuration& c) {
  return c == Configuration(c.voters, c.learners, c.outgoing_voters);
}

bool Same(ByteSpan a, ByteSpan b) { return AsText(a) == AsText(b); }

// --- Bytes -> values -> bytes ---

void DecodeEntry(RecordBytes record, bool seal) {
  if (seal && record.size() >= codec::kEntryRecordHeaderBytes) {
    std::array<std::byte, 12> place;
    codec::ByteWriter writer(place.data());
    writer.Put(kPartition.value());
    writer.Put(kIndex.value());
    Seal(record, codec::Crc32c(place));
  }
  const auto view = codec::DecodeEntryRecord(kPartition, kIndex, record);
  if (!view) return;
  const Entry entry(view->term, kIndex, view->kind, view->ticket, Payload(view->body));
  const auto header = codec::EncodeEntryRecordHeader(kPartition, entry);
  FUZZ_REQUIRE(Same(header, ByteSpan(record).first(header.size())));
  FUZZ_REQUIRE(!codec::DecodeEntryRecord(kPartition, kIndex.Next(), record));
  FUZZ_REQUIRE(!codec::DecodeEntryRecord(PartitionId(4), kIndex, record));
}

void DecodeOfPartition(std::size_t type, const RecordBytes& record) {
  if (type == 1) {
    const auto state = codec::DecodeHardStateRecord(kPartition, record);
    FUZZ_REQUIRE(!state || Same(codec::EncodeHardStateRecord(kPartition, *state), record));
  } else if (type == 2) {
    const auto hint = codec::DecodeCommitHintRecord(kPartition, record);
    FUZZ_REQUIRE(!hint || Same(codec::EncodeCommitHintRecord(kPartition, *hint), record));
  } else if (type == 8) {
    const auto application = codec::DecodeApplicationRecord(kPartition, record);
    FUZZ_REQUIRE(!application ||
                 Same(codec::EncodeApplicationRecord(kPartition, *application), record));
  } else {
    const auto boundary = codec::DecodeBoundaryRecord(kPartition, record);
    FUZZ_REQUIRE(!boundary || Same(codec::EncodeBoundaryRecord(kPartition, *boundary), record));
    FUZZ_REQUIRE(!boundary || IsSorted(boundary->configuration));
  }
}

void DecodeOfStore(std::size_t type, RecordBytes record, bool seal) {
  if (type == 4) {
    const auto identity = codec::DecodeIdentityRecord(record);
    FUZZ_REQUIRE(!identity || Same(codec::EncodeIdentityRecord(*identity), record));
    FUZZ_REQUIRE(!identity || IsSorted(identity->system_configuration));
  } else if (type == 5) {
    const auto value = codec::DecodeMetadataRecord(kKey, record);
    FUZZ_REQUIRE(!value || Same(codec::EncodeMetadataRecord(kKey, *value), record));
  } else if (type == 6) {
    const auto number = codec::DecodeBatchNumberRecord(record);
    FUZZ_REQUIRE(!number || Same(codec::EncodeBatchNumberRecord(*number), record));
  } else if (type == 9) {
    const auto shard = codec::DecodeShardRecord(record);
    FUZZ_REQUIRE(!shard || Same(codec::EncodeShardRecord(*shard), record));
  } else {
    // The checksum of a slot is its last field; what follows is another slot's page.
    record.resize(codec::kSyncedSlotBytes);
    const std::size_t covered = record.size() - 4;
    const auto checksum = codec::Crc32c(ByteSpan(record).first(covered));
    if (seal) codec::Store(record.data() + covered, checksum);
    const auto number = codec::DecodeSyncedSlot(record);
    FUZZ_REQUIRE(!number || Same(codec::EncodeSyncedSlot(*number), record));
  }
}

void RunBytes(Choices& choices) {
  const std::size_t type = choices.Below(10);
  const bool seal = choices.Byte() != 0xff;
  const ByteSpan rest = choices.rest();
  RecordBytes record(rest.begin(), rest.end());
  if (type == 0) return DecodeEntry(std::move(record), seal);
  const bool of_partition = type <= 3 || type == 8;
  if (seal && of_partition) Seal(record, PartitionChecksum());
  if (seal && type == 5) Seal(record, codec::Crc32c(AsBytes(kKey)));
  if (seal && (type == 4 || type == 6 || type == 9)) Seal(record, 0);
  if (of_partition) return DecodeOfPartition(type, record);
  DecodeOfStore(type, std::move(record), seal);
}

// --- Values -> bytes -> values ---

void RunValues(Choices& choices) {
  BoundaryRecord boundary;
  boundary.index = LogIndex(choices.Number());
  boundary.term = Term(choices.Number());
  boundary.digest = choices.Number();
  boundary.configuration = choices.Configuration();
  boundary.ledger = Payload(choices.Bytes(20));
  boundary.system = Payload(choices.Bytes(20));
  const RecordBytes boundary_bytes = codec::EncodeBoundaryRecord(kPartition, boundary);
  FUZZ_REQUIRE(codec::DecodeBoundaryRecord(kPartition, boundary_bytes) == boundary);
  FUZZ_REQUIRE(!codec::DecodeBoundaryRecord(PartitionId(4), boundary_bytes));

  StoreIdentity identity;
  identity.node = NodeId(choices.Number32());
  identity.incarnation = Incarnation(choices.Number());
  identity.system_configuration = choices.Configuration();
  identity.cluster_id = choices.Text(40);
  RecordBytes identity_bytes = codec::EncodeIdentityRecord(identity);
  FUZZ_REQUIRE(codec::DecodeIdentityRecord(identity_bytes) == identity);

  const HardState state{Term(choices.Number()), NodeId(choices.Number32())};
  const RecordBytes state_bytes = codec::EncodeHardStateRecord(kPartition, state);
  FUZZ_REQUIRE(codec::DecodeHardStateRecord(kPartition, state_bytes) == state);

  // One damaged bit is always seen.
  const std::size_t bit = choices.Number() % (8 * identity_bytes.size());
  identity_bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  FUZZ_REQUIRE(!codec::DecodeIdentityRecord(identity_bytes));
}

void Run(ByteSpan input) {
  Choices choices(input);
  choices.Coin() ? RunValues(choices) : RunBytes(choices);
}

std::vector<std::string> Seeds() {
  const auto seed = [](char type, ByteSpan record) {
    return std::string{'\0', type, '\0'} + std::string(AsText(record));
  };
  const Configuration members({NodeId(1), NodeId(2)}, {NodeId(4)}, {NodeId(1), NodeId(3)});
  BoundaryRecord boundary;
  boundary.index = LogIndex(9);
  boundary.term = Term(2);
  boundary.configuration = members;
  boundary.ledger = Payload("\1");
  StoreIdentity identity;
  identity.cluster_id = "harbour";
  identity.node = NodeId(1);
  identity.incarnation = Incarnation(5);
  identity.system_configuration = members;
  const Entry entry(Term(2), kIndex, EntryKind::kApplication, Ticket(5, 1, NodeId(1)),
                    Payload("x"));
  const auto entry_header = codec::EncodeEntryRecordHeader(kPartition, entry);
  return {seed(0, entry_header) + "x",
          seed(1, codec::EncodeHardStateRecord(kPartition, {Term(3), NodeId(1)})),
          seed(2, codec::EncodeCommitHintRecord(kPartition, kIndex)),
          seed(3, codec::EncodeBoundaryRecord(kPartition, boundary)),
          seed(4, codec::EncodeIdentityRecord(identity)),
          seed(5, codec::EncodeMetadataRecord(kKey, AsBytes("value"))),
          seed(6, codec::EncodeBatchNumberRecord(17)),
          seed(7, codec::EncodeSyncedSlot(17)),
          seed(9, codec::EncodeShardRecord({17, 4, 2})),
          seed(8, codec::EncodeApplicationRecord(kPartition, {kIndex, LogIndex(3)})),
          {1, 9, 2, 5, 2, 1, 2, 1, 4, 2, 1, 3, 1, 1, 3, 5, 1, 1, 0, 0, 2, 'a', 'b', 3, 1, 77}};
}

}  // namespace

constexpr Target kWalRecordTarget{"wal_record", &Run, &Seeds};

}  // namespace kommander::fuzz
