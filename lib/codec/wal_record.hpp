// The values that a store keeps on disk, whatever the store: entries, hard state, boundary record,
// commit hint, identity, metadata. Bytes: docs/formats.md, "On disk". Every record is checksummed
// together with the place where it belongs, so a record that was damaged, or that turned up under
// another key, is not accepted. What is accepted encodes to the same bytes again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <kommander/wal_recovery.hpp>

namespace kommander::codec {

// The format of every record below and of a store as a whole. A newer one is refused.
inline constexpr std::uint8_t kWalFormatVersion = 1;

using RecordBytes = std::vector<std::byte>;

// --- Entries: a fixed header, then the body as it came, so a store can write both uncopied ---

inline constexpr std::size_t kEntryRecordHeaderBytes = 32;
using EntryRecordHeader = std::array<std::byte, kEntryRecordHeaderBytes>;

// The header's checksum covers the body, which follows it on disk.
[[nodiscard]] EntryRecordHeader EncodeEntryRecordHeader(PartitionId partition,
                                                        const Entry& entry) noexcept;

// An entry that is still in its store's memory.
struct EntryRecordView {
  Term term;
  Ticket ticket;
  EntryKind kind = EntryKind::kNoop;
  ByteSpan body;
};
// None: damaged, in the wrong place, or of an unknown kind or version.
[[nodiscard]] std::optional<EntryRecordView> DecodeEntryRecord(PartitionId partition,
                                                               LogIndex index,
                                                               ByteSpan record) noexcept;

// --- State of one partition ---

[[nodiscard]] RecordBytes EncodeHardStateRecord(PartitionId partition, const HardState& state);
[[nodiscard]] std::optional<HardState> DecodeHardStateRecord(PartitionId partition,
                                                             ByteSpan record) noexcept;

[[nodiscard]] RecordBytes EncodeCommitHintRecord(PartitionId partition, LogIndex hint);
[[nodiscard]] std::optional<LogIndex> DecodeCommitHintRecord(PartitionId partition,
                                                             ByteSpan record) noexcept;

[[nodiscard]] RecordBytes EncodeApplicationRecord(PartitionId partition,
                                                  const ApplicationRecord& application);
[[nodiscard]] std::optional<ApplicationRecord> DecodeApplicationRecord(PartitionId partition,
                                                                       ByteSpan record) noexcept;

[[nodiscard]] RecordBytes EncodeBoundaryRecord(PartitionId partition,
                                               const BoundaryRecord& boundary);
[[nodiscard]] std::optional<BoundaryRecord> DecodeBoundaryRecord(PartitionId partition,
                                                                 ByteSpan record);

// --- State of the store ---

[[nodiscard]] RecordBytes EncodeIdentityRecord(const StoreIdentity& identity);
[[nodiscard]] std::optional<StoreIdentity> DecodeIdentityRecord(ByteSpan record);

// The number of the batch that wrote it; grows by one with every batch of a store.
inline constexpr std::size_t kBatchNumberRecordBytes = 16;
using BatchNumberRecord = std::array<std::byte, kBatchNumberRecordBytes>;
[[nodiscard]] BatchNumberRecord EncodeBatchNumberRecord(std::uint64_t number) noexcept;
[[nodiscard]] std::optional<std::uint64_t> DecodeBatchNumberRecord(ByteSpan record) noexcept;

// Which part of which store a file is, where a store consists of several.
struct ShardRecord {
  ShardRecord() = default;
  ShardRecord(std::uint64_t store_id, std::uint32_t shard_count, std::uint32_t shard_number)
      : store(store_id), shards(shard_count), shard(shard_number) {}
  std::uint64_t store = 0;   // drawn when the store is created
  std::uint32_t shards = 0;  // of the store
  std::uint32_t shard = 0;   // this one, from 0; in the record of the whole store: `shards`
  friend bool operator==(const ShardRecord&, const ShardRecord&) = default;
};
inline constexpr std::size_t kShardRecordBytes = 24;
using ShardRecordBytes = std::array<std::byte, kShardRecordBytes>;
[[nodiscard]] ShardRecordBytes EncodeShardRecord(const ShardRecord& shard) noexcept;
[[nodiscard]] std::optional<ShardRecord> DecodeShardRecord(ByteSpan record) noexcept;

[[nodiscard]] RecordBytes EncodeMetadataRecord(std::string_view key, ByteSpan value);
[[nodiscard]] std::optional<ByteSpan> DecodeMetadataRecord(std::string_view key,
                                                           ByteSpan record) noexcept;

// --- The side file `synced`: the number of the newest batch whose sync has returned ---

inline constexpr std::size_t kSyncedSlotBytes = 20;
inline constexpr std::size_t kSyncedSlotStrideBytes = 4096;
using SyncedSlot = std::array<std::byte, kSyncedSlotBytes>;
[[nodiscard]] SyncedSlot EncodeSyncedSlot(std::uint64_t number) noexcept;
// None: torn, never written, or damaged.
[[nodiscard]] std::optional<std::uint64_t> DecodeSyncedSlot(ByteSpan slot) noexcept;

}  // namespace kommander::codec
