// One shard on the disk: its database, its journal, its side file `synced`. Made, looked at without
// a change, opened, and failed for good by its first error. Knows nothing of what is stored in it
// but the version of the tables, the batch number and which shard it is. Not thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include <kommander/errors.hpp>

#include "codec/wal_record.hpp"
#include "common/store_directory.hpp"
#include "common/synced_file.hpp"
#include "sqlite/connection.hpp"
#include "sqlite/schema.hpp"
#include "sqlite/statement.hpp"

namespace kommander::storage {

// The names of a shard's files.
[[nodiscard]] std::string DatabaseName(std::uint32_t shard);
[[nodiscard]] std::string JournalName(std::uint32_t shard);
[[nodiscard]] std::string SyncedName(std::uint32_t shard);

class ShardFile {
 public:
  struct Limits {
    std::size_t cache_bytes = 0;
    std::size_t checkpoint_bytes = 0;
  };

  ShardFile(const StoreDirectory& directory, const SchemaSteps& steps, Limits limits)
      : directory_(directory), steps_(steps), limits_(limits) {}
  ~ShardFile() { Close(); }
  ShardFile(const ShardFile&) = delete;
  ShardFile& operator=(const ShardFile&) = delete;

  // Of the steps of an open, either the first or the second, and then the third. `detail` receives
  // one line when one fails.

  // Makes the files; none of them exists.
  error_code Make(const codec::ShardRecord& record, std::string& detail);
  // Checks that this is the shard, in a format that is known, with no acknowledged batch missing.
  // Changes nothing.
  error_code Look(const codec::ShardRecord& record, std::string& detail);
  // Brings the tables up to date. Everything in them has been written and synced anew when it
  // returns.
  error_code OpenForWriting(std::string& detail);
  void Close() noexcept;

  // A batch: begun, filled by statements on the connection, committed and synced. Any failure, by
  // Fail too, is for good.
  error_code Begin() noexcept;
  error_code Commit() noexcept;
  error_code Fail() noexcept;

  [[nodiscard]] Connection& connection() noexcept { return connection_; }
  // From any thread.
  [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }
  [[nodiscard]] std::uint64_t syncs() const noexcept { return connection_.files().syncs(); }
  [[nodiscard]] std::uint64_t BytesWritten() const noexcept;

 private:
  error_code Refuse(RaftErrc errc, std::string& detail, const std::string& why) const;
  error_code RefuseFor(int result, std::string& detail) const;
  error_code LookAtFiles(std::string& detail);
  error_code LookAtVersion(std::string& detail);
  error_code LookAtRecords(const codec::ShardRecord& record, std::string& detail);
  error_code LookAtFreePages(std::string& detail);
  [[nodiscard]] int ReadRecord(char name, codec::RecordBytes& record);
  [[nodiscard]] int WriteRecord(char name, ByteSpan record);
  [[nodiscard]] int MakeTables(const codec::ShardRecord& record);
  [[nodiscard]] int BringUpToDate();
  [[nodiscard]] int PutNumber(std::uint64_t number);

  const StoreDirectory& directory_;
  const SchemaSteps& steps_;
  const Limits limits_;
  std::uint32_t shard_ = 0;
  std::int64_t version_ = 0;
  std::uint64_t number_ = 0;  // of the newest batch
  Connection connection_;
  SyncedFile synced_;
  Statement begin_;
  Statement commit_;
  Statement put_number_;
  std::atomic<bool> has_failed_{false};
  std::atomic<std::uint64_t> notes_{0};  // in `synced`
};

}  // namespace kommander::storage
