// The bytes of a snapshot, between the application's coroutines and the store: each block is
// written or read by the I/O scheduler, off every strand, while the coroutine waits.
//
// A snapshot's stream begins with the length of the boundary record (u32), then that record as
// docs/formats.md has it, then the application's bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include <kommander/snapshot_store.hpp>
#include <kommander/state_machine.hpp>
#include <kommander/write_unit.hpp>

#include "runtime/node_services.hpp"

namespace kommander::runtime {

// What a snapshot's stream begins with.
[[nodiscard]] std::vector<std::byte> EncodeSnapshotHead(PartitionId partition,
                                                        const BoundaryRecord& boundary);
// How long the head is, by its first four bytes; none: too few bytes, or more than a head may have.
[[nodiscard]] std::optional<std::size_t> SnapshotHeadBytes(ByteSpan start) noexcept;
// None: not such a head.
[[nodiscard]] std::optional<BoundaryRecord> DecodeSnapshotHead(PartitionId partition,
                                                               ByteSpan head);

// Blocking work of the store, waited for. When the scheduler does not take it: its error.
[[nodiscard]] boost::asio::awaitable<error_code> RunFileTask(std::shared_ptr<NodeServices> services,
                                                             std::function<error_code()> task);

// DiskFull: no more of a draft may be written. It may take half of what is kept free for the log
// (RaftConfiguration::FreeBytesMin), since a snapshot is what lets the log be cut.
[[nodiscard]] error_code CheckRoom(const SnapshotStore& store, std::uint64_t free_bytes_min);

// Writes a draft in blocks.
class DraftSink final : public SnapshotSink {
 public:
  DraftSink(std::shared_ptr<NodeServices> services, PartitionId partition) noexcept
      : services_(std::move(services)), partition_(partition) {}
  boost::asio::awaitable<void> Write(Payload bytes) override;
  // What is left of a block.
  boost::asio::awaitable<void> Flush();

 private:
  static constexpr std::size_t kBlockBytes = 256u << 10;
  const std::shared_ptr<NodeServices> services_;
  const PartitionId partition_;
  std::vector<std::byte> block_;
};

// Reads a complete snapshot's application bytes.
class StoredSource final : public SnapshotSource {
 public:
  StoredSource(std::shared_ptr<NodeServices> services, PartitionId partition, LogIndex index,
               std::uint64_t offset) noexcept
      : services_(std::move(services)), partition_(partition), index_(index), offset_(offset) {}
  boost::asio::awaitable<Payload> Read() override;

 private:
  static constexpr std::size_t kBlockBytes = 256u << 10;
  const std::shared_ptr<NodeServices> services_;
  const PartitionId partition_;
  const LogIndex index_;
  std::uint64_t offset_;
};

// The head of a complete snapshot, read from the store; blocking.
struct SnapshotHead {
  error_code error;
  BoundaryRecord boundary;
  std::uint64_t bytes = 0;  // of the head: the application's begin there
};
// What a store has of a partition at a start.
struct StoredSnapshot {
  SnapshotInfo info;
  BoundaryRecord boundary;
  std::uint64_t offset = 0;  // of the application's bytes
};
[[nodiscard]] SnapshotHead ReadSnapshotHead(SnapshotStore& store, PartitionId partition,
                                            LogIndex index);

}  // namespace kommander::runtime
