// An application's state as the library can move it: entries in spans instead of one by one, and
// the whole of it as a snapshot. Instead of OnLogRestored and OnReplicationReceived.
//
// All calls for one partition come on its delivery strand, one at a time; those for different
// partitions may overlap. Partition 0 comes too, with the application's own types and with
// snapshots. An exception counts as a failure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <boost/asio/awaitable.hpp>

#include <kommander/detail/export.hpp>
#include <kommander/ids.hpp>
#include <kommander/payload.hpp>
#include <kommander/raft_log.hpp>

namespace kommander {

// Takes the bytes of a snapshot that is being made.
class KOMMANDER_EXPORT SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;
  // Ends when there is room for more. Throws boost::system::system_error when the snapshot cannot
  // be kept, or is not wanted any more.
  virtual boost::asio::awaitable<void> Write(Payload bytes) = 0;
};

// Gives the bytes of a snapshot back.
class KOMMANDER_EXPORT SnapshotSource {
 public:
  virtual ~SnapshotSource() = default;
  // The next ones; empty at the end. Throws boost::system::system_error when they cannot be read.
  virtual boost::asio::awaitable<Payload> Read() = 0;
};

// A state that does not change any more, though the state machine goes on: copied, or shared until
// it is written to. Freed once it is written out.
class KOMMANDER_EXPORT SnapshotImage {
 public:
  virtual ~SnapshotImage() = default;
  // On the partition's delivery strand, in turns with Apply: others run at each co_await, so write
  // in pieces.
  virtual boost::asio::awaitable<void> Write(SnapshotSink& sink) = 0;
};

// It is kept by snapshots (UseSnapshots), or keeps itself and says so (AppliedIndex and
// OnDurableIndex). With neither, checkpoints remove nothing from the log, and a restart applies all
// of it again.
class KOMMANDER_EXPORT StateMachine {
 public:
  virtual ~StateMachine() = default;

  // Up to where the state of the partition that is here already, from an earlier life, goes; asked
  // once, at the start, on the node's executor, unless OnDurableIndex is. None, the default:
  // nothing is here, the newest snapshot is imported and what comes after it is applied. An
  // exception counts as none.
  [[nodiscard]] virtual std::optional<LogIndex> AppliedIndex(PartitionId partition) {
    (void)partition;
    return std::nullopt;
  }
  // The next payloads, in order. False: OnReplicationError is told each of them, and the order goes
  // on. Must not block.
  virtual bool Apply(std::span<const RaftLog> logs) = 0;
  // The state right now; quick, since nothing is applied meanwhile. Null: none can be had now.
  virtual std::shared_ptr<SnapshotImage> Capture(PartitionId partition) = 0;
  // Replaces the state of the partition. False: it could not, and the partition stands still until
  // a restart, which imports again.
  virtual boost::asio::awaitable<bool> Import(PartitionId partition, SnapshotSource& source) = 0;
};

}  // namespace kommander
