// What a disk would hold if the power failed now, kept beside files of the real file system; and
// operations that fail on order. The model is stricter than most disks:
// - written bytes may be lost, sector by sector, until a sync of their file has succeeded;
// - a failed sync leaves the bytes readable, but no later sync brings them to the disk;
// - a new, renamed or deleted name may be undone until a sync of its directory has succeeded.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include <rocksdb/io_status.h>

namespace kommander::storage {

class DiskModel {
 public:
  // Files that are deleted go to `trash`, an existing directory of the same file system.
  explicit DiskModel(std::string trash) : trash_(std::move(trash)) {}

  // --- Failures ---

  // The `nth` next operation, counted from 1, fails with `status`; with `is_dead` all after it too.
  void FailAt(std::uint64_t nth, rocksdb::IOStatus status, bool is_dead);
  // As FailAt(1), but counts syncs of files whose name ends with `suffix`, and fails once.
  void FailNextSyncOf(std::string suffix);
  void Heal();
  [[nodiscard]] bool has_failed() const;
  [[nodiscard]] std::uint64_t operations() const;
  [[nodiscard]] std::uint64_t syncs_of_sorted_files() const;

  // --- Called by the file system before and after it acts ---

  rocksdb::IOStatus Begin();
  rocksdb::IOStatus BeginSync(const std::string& path);
  void Wrote(const std::string& path, std::uint64_t offset, std::uint64_t size);
  void Synced(const std::string& path);
  void Created(const std::string& path);
  void DirectorySynced(const std::string& directory);
  // Act and note how to undo it.
  rocksdb::IOStatus Rename(const std::string& from, const std::string& to);
  rocksdb::IOStatus Delete(const std::string& path);

  // --- Loss of power: with every store over these files closed ---

  // Everything not synced is gone, or, with `random`, any part of it.
  void LosePower(std::mt19937_64* random);

 private:
  struct Range {
    std::uint64_t offset;
    std::uint64_t size;
  };
  struct File {
    std::vector<Range> unsynced;
    std::vector<Range> lost;  // their sync has failed
  };
  struct NameChange {
    std::string directory;
    std::function<void()> undo;
    std::function<void()> forget;
  };

  std::string TakeToTrash(const std::string& path);
  static void Revert(const std::string& path, const Range& range, std::mt19937_64* random);

  mutable std::mutex mutex_;
  std::string trash_;
  std::uint64_t trash_count_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t fail_at_ = 0;  // 0: never
  rocksdb::IOStatus failure_;
  bool is_dead_ = false;
  bool has_failed_ = false;
  std::string fail_sync_of_;
  std::uint64_t syncs_of_sorted_files_ = 0;
  std::map<std::string, File> files_;
  std::vector<NameChange> name_changes_;  // not yet synced, oldest first
};

}  // namespace kommander::storage
