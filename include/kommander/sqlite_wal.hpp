// The log in SQLite files: for machines that have SQLite and nothing larger. What is in its
// directory is described in docs/formats.md, "On disk, SQLite". Whoever wants to look into one with
// SQLite's own tools takes a copy: they write pages without the checksums that the log asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <kommander/detail/export.hpp>
#include <kommander/wal.hpp>

namespace kommander {

// Where the log lives, over how many files it is spread, and how much memory it may use. What is
// out of range is refused when the log is opened: InvalidConfiguration.
class SqliteWalOptions {
 public:
  SqliteWalOptions() = default;
  explicit SqliteWalOptions(std::string directory) : directory_(std::move(directory)) {}

  // Created with mode 0700 when missing, parents too. Required.
  SqliteWalOptions& Directory(std::string directory) {
    directory_ = std::move(directory);
    return *this;
  }
  // Files that the partitions are spread over: partition p is in file p mod `shards`. Each has a
  // writer, a sync and a failure of its own (Wal::FileSets), so more of them write in parallel and
  // lose less by an error, and each sync then covers fewer partitions. Chosen for good when the
  // store is created; another number is refused later. Default 4, 1 to 64.
  SqliteWalOptions& Shards(std::uint32_t shards) {
    shards_ = shards;
    return *this;
  }
  // Pages kept in memory, in bytes, over all shards. They serve reads, and a write needs the pages
  // that it changes. Default 8 MiB, 64 KiB per shard to 64 GiB.
  SqliteWalOptions& CacheBytes(std::size_t bytes) {
    cache_bytes_ = bytes;
    return *this;
  }
  // A write appends pages to the journal of its shard; once the journal has this many bytes, its
  // pages go to the shard's file and it begins anew. The write that meets this waits for it. A
  // longer journal writes a page that changes often fewer times, and is more to read at a start.
  // Default 4 MiB, 64 KiB to 1 GiB.
  SqliteWalOptions& CheckpointBytes(std::size_t bytes) {
    checkpoint_bytes_ = bytes;
    return *this;
  }

  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }
  [[nodiscard]] std::uint32_t shards() const noexcept { return shards_; }
  [[nodiscard]] std::size_t cache_bytes() const noexcept { return cache_bytes_; }
  [[nodiscard]] std::size_t checkpoint_bytes() const noexcept { return checkpoint_bytes_; }

 private:
  std::string directory_;
  std::uint32_t shards_ = 4;
  std::size_t cache_bytes_ = std::size_t{8} << 20;
  std::size_t checkpoint_bytes_ = std::size_t{4} << 20;
};

// A log that is not yet open. Its directory is locked from Open to Close; no two logs share one.
// Reads of a shard wait for its writes. An index beyond 2^63 - 1 cannot be stored: InvalidArgument.
[[nodiscard]] KOMMANDER_EXPORT std::shared_ptr<Wal> MakeSqliteWal(SqliteWalOptions options);

}  // namespace kommander
