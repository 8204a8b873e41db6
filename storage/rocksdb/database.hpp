// One RocksDB database: opened with the checks that its own recovery does not make, tuned as a log,
// and failed for good by its first error. Knows nothing of what is stored in it but the format, the
// batch number and whether there is an identity.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <rocksdb/db.h>

#include <kommander/rocksdb_memory.hpp>

#include "common/store_directory.hpp"
#include "common/synced_file.hpp"

namespace kommander::storage {

class BatchChain;

class Database {
 public:
  // `file_system` is for tests that inject faults; none: the system's own.
  Database(const RocksDbWalOptions& options, RocksDbMemory lent,
           std::shared_ptr<rocksdb::FileSystem> file_system);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Everything that it will report has been written and synced anew when it returns.
  error_code Open(std::string& detail);
  void Close() noexcept;

  // Empties the batch and puts its number in front; see BatchChain.
  void Begin(rocksdb::WriteBatch& batch) const noexcept;
  // Writes and syncs a batch that was begun here. Any failure is for good.
  error_code Commit(rocksdb::WriteBatch& batch) noexcept;

  [[nodiscard]] bool has_failed() const noexcept { return failed_->load(); }
  [[nodiscard]] rocksdb::DB& db() const noexcept { return *db_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* log() const noexcept { return log_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* state() const noexcept { return state_; }
  [[nodiscard]] bool is_open() const noexcept { return db_ != nullptr; }
  [[nodiscard]] std::optional<std::uint64_t> FreeBytes() const noexcept {
    return directory_.FreeBytes();
  }
  [[nodiscard]] std::uint64_t syncs() const noexcept { return syncs_.load(); }
  [[nodiscard]] std::uint64_t BytesWritten() const noexcept;

 private:
  // What a look without writing finds.
  struct Contents {
    bool has_identity = false;
    std::uint64_t number = 0;
  };
  struct Handles {
    std::unique_ptr<rocksdb::DB> db;
    std::vector<rocksdb::ColumnFamilyHandle*> families;  // log, state
  };

  error_code OpenLocked(std::string& detail);
  error_code Prepare(Contents& contents, std::string& detail);
  error_code Look(Contents& contents, std::string& detail);
  error_code Inspect(const Handles& handles, const BatchChain& chain, Contents& contents,
                     std::string& detail) const;
  error_code CheckSynced(const Contents& contents, std::string& detail);
  error_code OpenForWriting(const Contents& contents, std::string& detail);
  error_code SyncAnew(std::string& detail);
  void Release() noexcept;
  static void CloseHandles(Handles& handles) noexcept;

  RocksDbWalOptions options_;
  RocksDbMemory lent_;
  std::shared_ptr<rocksdb::FileSystem> file_system_;
  std::unique_ptr<rocksdb::Env> env_;  // over file_system_
  std::shared_ptr<std::atomic<bool>> failed_ = std::make_shared<std::atomic<bool>>(false);
  StoreDirectory directory_;
  SyncedFile synced_;
  std::shared_ptr<rocksdb::Statistics> statistics_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* log_ = nullptr;
  rocksdb::ColumnFamilyHandle* state_ = nullptr;
  std::uint64_t number_ = 0;  // of the newest batch
  std::atomic<std::uint64_t> syncs_{0};
};

}  // namespace kommander::storage
