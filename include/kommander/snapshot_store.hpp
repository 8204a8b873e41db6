// Where a node keeps snapshots: complete ones, each partition's by their index, and what is being
// written. A snapshot is a stream of bytes; what is in it, and which ones are still needed, is not
// the store's matter: mostly one, two while the newer one is not in the log yet, or while an older
// one is still being sent.
//
// Contract. Calls block; the I/O scheduler makes them, for one draft or one index one at a time,
// for different ones from different threads. When Publish returns success the snapshot survives the
// loss of power, beside those that are there. Errors are RaftErrc; nothing throws. A failure of
// this store fails no partition: its snapshot is not taken, or not received.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <kommander/detail/export.hpp>
#include <kommander/errors.hpp>
#include <kommander/ids.hpp>
#include <kommander/payload.hpp>
#include <kommander/snapshot_info.hpp>

namespace kommander {

class KOMMANDER_EXPORT SnapshotStore {
 public:
  // What is being written of a partition: at most one that this node takes itself and one that it
  // receives.
  enum class Draft : std::uint8_t { kTaken, kReceived };

  virtual ~SnapshotStore() = default;

  // Opens or creates the store for a node and removes drafts of earlier lives, and what is damaged
  // so that List does not name it. `detail` receives one line for a person when it fails, and only
  // then. WalForeign: it is another node's.
  virtual error_code Open(NodeId node, Incarnation incarnation, std::string& detail) = 0;

  // The complete ones, in the order of their index.
  virtual error_code List(PartitionId partition, std::vector<SnapshotInfo>& infos) = 0;
  // Bytes of a complete one from `offset` on, at most so many; fewer only at its end.
  // SnapshotMissing: there is none with this index.
  virtual error_code Read(PartitionId partition, LogIndex index, std::uint64_t offset,
                          std::size_t bytes_max, Payload& bytes) = 0;

  // Reads a complete one whole. SnapshotCorrupted: its bytes have not the checksum that it was
  // published with.
  virtual error_code Verify(PartitionId partition, LogIndex index) = 0;

  // Begins a draft anew.
  virtual error_code Begin(PartitionId partition, Draft draft) = 0;
  virtual error_code Append(PartitionId partition, Draft draft, ByteSpan bytes) = 0;
  // Makes the draft a complete snapshot, in the place of one with the same index. `info` has index
  // and term, and receives bytes and checksum. SnapshotCorrupted: the checksum is not `expected`.
  // When it fails the draft is gone; after SnapshotFailed the snapshot may be there all the same.
  virtual error_code Publish(PartitionId partition, Draft draft, SnapshotInfo& info,
                             const std::optional<Sha256>& expected) = 0;
  virtual void Discard(PartitionId partition, Draft draft) noexcept = 0;
  // The complete one with this index; it may be gone already.
  virtual error_code Remove(PartitionId partition, LogIndex index) = 0;
  // Nothing is kept of the partition any more.
  virtual error_code Delete(PartitionId partition) = 0;
  // Bytes free on the volume of the store; none where that means nothing. From any thread.
  virtual std::optional<std::uint64_t> FreeBytes() const noexcept { return std::nullopt; }
  virtual void Close() noexcept = 0;
};

}  // namespace kommander
