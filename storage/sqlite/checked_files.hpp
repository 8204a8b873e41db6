// The file system under one SQLite connection, with what SQLite leaves to its host:
// - a checksum in every page of the database: SQLite has none, and a wrong bit in a page may hide
//   rows without a word. It is made when a page goes to the file and checked when it comes from it;
//   the journal has checksums of its own.
// - a look that leaves no trace: until writing is allowed nothing in the directory can be changed.
// - an end after the first failure: no write and no sync is tried again, also not by SQLite.
// - no shared memory, no rollback journal, no deletion: a store needs none of them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <sqlite3.h>
#include <string>

namespace kommander::storage {

inline constexpr std::size_t kPageBytes = 4096;
// At the end of each page, out of SQLite's sight: the checksum, of the number and the rest of it.
inline constexpr std::size_t kPageChecksumBytes = 4;

class CheckedFiles {
 public:
  CheckedFiles();
  // With every file closed.
  ~CheckedFiles();
  CheckedFiles(const CheckedFiles&) = delete;
  CheckedFiles& operator=(const CheckedFiles&) = delete;

  // By which sqlite3_open_v2 finds it.
  [[nodiscard]] const char* name() const noexcept { return name_.c_str(); }

  void AllowWriting() noexcept { may_write_ = true; }
  [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }
  void Fail() noexcept { has_failed_ = true; }

  [[nodiscard]] std::uint64_t syncs() const noexcept { return syncs_; }
  [[nodiscard]] std::uint64_t bytes_written() const noexcept { return bytes_written_; }
  void ResetCounters() noexcept { syncs_ = bytes_written_ = 0; }

  // Whether a page, as it is in a file, is whole. One of zeros was never written.
  [[nodiscard]] static bool IsWhole(const std::byte* page, std::uint32_t number) noexcept;

 private:
  struct File;
  struct Calls;

  std::string name_;
  sqlite3_vfs* base_;
  sqlite3_vfs vfs_;
  std::array<std::byte, kPageBytes> page_{};  // on its way to the file
  bool may_write_ = false;
  std::atomic<bool> has_failed_{false};
  std::atomic<std::uint64_t> syncs_{0};
  std::atomic<std::uint64_t> bytes_written_{0};
};

}  // namespace kommander::storage
