// The write-ahead log of a node: one durable store for all of its partitions.
//
// Contract. Calls block; the I/O scheduler makes them. A store consists of one or more file sets,
// each with its own sync (see FileSets). Of one file set there is one writing call at a time, with
// reads beside it from other threads, so an implementation guards nothing against a second writer
// of the same set but must allow Read while Write runs; calls that concern different sets run
// beside each other. When Write returns success everything in it is synced: it survives the loss of
// power. After a failed Write that file set is `Failed`: every later Write to it returns
// StorageFailed and no sync is tried again, since pages may be clean and not on disk; the other
// sets go on. Errors are RaftErrc; nothing throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <kommander/detail/export.hpp>
#include <kommander/errors.hpp>
#include <kommander/wal_recovery.hpp>
#include <kommander/write_unit.hpp>

namespace kommander {

// Counters since the store was opened, readable from any thread at any time.
struct WalStatistics {
  WalStatistics() = default;
  WalStatistics(std::uint64_t sync_count, std::uint64_t byte_count, std::uint64_t batch_count,
                std::uint64_t unit_count)
      : syncs(sync_count), bytes_written(byte_count), batches(batch_count), units(unit_count) {}
  std::uint64_t syncs = 0;          // of data that a caller waited for
  std::uint64_t bytes_written = 0;  // handed to the operating system
  std::uint64_t batches = 0;        // calls of Write
  std::uint64_t units = 0;
};

class KOMMANDER_EXPORT Wal {
 public:
  virtual ~Wal() = default;

  // Opens or creates the store and answers whose it is; none on a new store. Checks that no
  // acknowledged write is missing (WalCorrupted), the format (WalNewerFormat) and that nobody else
  // has it open (WalLocked). `detail` receives one line for a person when it fails, and only then.
  virtual error_code Open(std::optional<StoreIdentity>& identity, std::string& detail) = 0;

  // How many file sets the store has, a constant from Open on and at least 1. Partition p lives in
  // set p mod FileSets(), identity and metadata in the set of partition 0. A call of Write names
  // units of one set only. A file set fails as a whole and alone.
  [[nodiscard]] virtual std::size_t FileSets() const noexcept { return 1; }
  [[nodiscard]] std::size_t FileSetOf(PartitionId partition) const noexcept {
    return partition.value() % FileSets();
  }

  // Gives a new store its identity; synced on return. A store that has one: WalForeign.
  virtual error_code Create(const StoreIdentity& identity) = 0;

  // The partitions that have a boundary record, ascending.
  virtual error_code ListPartitions(std::vector<PartitionId>& partitions) = 0;

  // PartitionNotFound when it was never created. WalCorrupted concerns this partition alone. What
  // is reported has been written and synced anew since the store was opened: after a failed sync
  // and a restart, what can be read may still not be on disk.
  virtual error_code Recover(PartitionId partition, RecoveredPartition& recovered) = 0;

  // Stores units of different partitions (at most one each) with one sync. A partition is created
  // by a unit with a boundary record. Atomic per partition; on failure any subset may have been
  // written. When a unit does not follow what is stored (a partition that does not exist, a hole
  // or an overlap of entries, a boundary that goes back) nothing of the call is written: that is
  // InvalidArgument, and the store goes on.
  virtual error_code Write(std::span<const WriteUnit* const> units) = 0;

  // Entries first..last, cut after the entry that brings the sum of SizeBytes() to `bytes_max`; at
  // least one. An index outside of the log: PartitionNotFound is never used, the result is empty.
  // WalCorrupted, for damage, ends this partition on this node; after any other error the node
  // asks again, and gives the partition up after eight in a row.
  virtual error_code Read(PartitionId partition, LogIndex first, LogIndex last,
                          std::size_t bytes_max, std::vector<Entry>& entries) = 0;

  // Removes everything of a partition; synced on return. One that does not exist is no error.
  virtual error_code DeletePartition(PartitionId partition) = 0;

  // Small named values of the library (pins, settings); a write is synced on return.
  virtual error_code GetMetadata(std::string_view key, std::optional<Payload>& value) = 0;
  virtual error_code PutMetadata(std::string_view key, const Payload& value) = 0;

  // Bytes free on the volume of the store, the least where file sets lie on several; none where
  // that means nothing. Called beside anything else.
  virtual std::optional<std::uint64_t> FreeBytes() const noexcept { return std::nullopt; }

  virtual WalStatistics Statistics() const noexcept = 0;

  // Releases files and locks. Nothing is called afterwards.
  virtual void Close() noexcept = 0;
};

}  // namespace kommander
