// The log in a RocksDB database: the default store of a node. What is in its directory is described
// in docs/formats.md, "On disk". An application that uses RocksDB itself may lend memory to it: see
// rocksdb_memory.hpp.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include <kommander/detail/export.hpp>
#include <kommander/wal.hpp>

namespace kommander {

// Where the log lives and how much memory and how many threads it may use. What is not asked for
// here is fixed, since durability rests on it (storage/rocksdb/tuning.cpp gives the reasons): every
// batch is synced, recovery ends at the first hole and is then checked against `synced`, an error
// is never retried, and nothing is compressed, since entries live shortly.
class RocksDbWalOptions {
 public:
  RocksDbWalOptions() = default;
  explicit RocksDbWalOptions(std::string directory) : directory_(std::move(directory)) {}

  // Created with mode 0700 when missing; its parent must exist. Required.
  RocksDbWalOptions& Directory(std::string directory) {
    directory_ = std::move(directory);
    return *this;
  }
  // Blocks read from files and kept in memory, in bytes: entries for peers that lag, once they are
  // no longer among `cache_bytes_max` of a partition. Default 8 MiB; 0 keeps none.
  RocksDbWalOptions& BlockCacheBytes(std::size_t bytes) {
    block_cache_bytes_ = bytes;
    return *this;
  }
  // Newly written entries are kept in memory up to this many bytes, then go to a sorted file; two
  // or three such buffers may exist at a time. Larger: fewer, larger files, more to read back at a
  // restart, and more memory. Default 16 MiB; less than 1 MiB is taken for 1 MiB.
  RocksDbWalOptions& WriteBufferBytes(std::size_t bytes) {
    write_buffer_bytes_ = bytes;
    return *this;
  }
  // Threads that write and merge sorted files in the background. RocksDB has them in common for all
  // databases of the process, the application's too, and the largest number asked for counts.
  // Default 2; less is taken for 2.
  RocksDbWalOptions& BackgroundThreads(int threads) {
    background_threads_ = threads;
    return *this;
  }

  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }
  [[nodiscard]] std::size_t block_cache_bytes() const noexcept { return block_cache_bytes_; }
  [[nodiscard]] std::size_t write_buffer_bytes() const noexcept { return write_buffer_bytes_; }
  [[nodiscard]] int background_threads() const noexcept { return background_threads_; }

 private:
  std::string directory_;
  std::size_t block_cache_bytes_ = std::size_t{8} << 20;
  std::size_t write_buffer_bytes_ = std::size_t{16} << 20;
  int background_threads_ = 2;
};

// A log that is not yet open. Its directory is locked from Open to Close; no two logs share one.
[[nodiscard]] KOMMANDER_EXPORT std::shared_ptr<Wal> MakeRocksDbWal(RocksDbWalOptions options);

}  // namespace kommander
