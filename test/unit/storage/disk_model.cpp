// The model of a disk that loses power.
#include "disk_model.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>
#include <utility>

namespace kommander::storage {
namespace {

using rocksdb::IOStatus;
constexpr std::uint64_t kSectorBytes = 512;

std::string DirectoryOf(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().parent_path().string();
}

}  // namespace

void DiskModel::FailAt(std::uint64_t nth, IOStatus status, bool is_dead) {
  const std::lock_guard lock(mutex_);
  fail_at_ = operations_ + nth;
  failure_ = std::move(status);
  is_dead_ = is_dead;
}

void DiskModel::FailNextSyncOf(std::string suffix) {
  const std::lock_guard lock(mutex_);
  fail_sync_of_ = std::move(suffix);
}

void DiskModel::Heal() {
  const std::lock_guard lock(mutex_);
  fail_at_ = 0;
  is_dead_ = has_failed_ = false;
  fail_sync_of_.clear();
}

bool DiskModel::has_failed() const {
  const std::lock_guard lock(mutex_);
  return has_failed_;
}
std::uint64_t DiskModel::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}
std::uint64_t DiskModel::syncs_of_sorted_files() const {
  const std::lock_guard lock(mutex_);
  return syncs_of_sorted_files_;
}

IOStatus DiskModel::Begin() {
  const std::lock_guard lock(mutex_);
  ++operations_;
  if (fail_at_ == 0 || operations_ < fail_at_ || (operations_ > fail_at_ && !is_dead_)) {
    return IOStatus::OK();
  }
  has_failed_ = true;
  return failure_;
}

IOStatus DiskModel::BeginSync(const std::string& path) {
  IOStatus status = Begin();
  const std::lock_guard lock(mutex_);
  if (path.ends_with(".sst") && status.ok()) ++syncs_of_sorted_files_;
  if (status.ok() && !fail_sync_of_.empty() && path.ends_with(fail_sync_of_)) {
    fail_sync_of_.clear();
    has_failed_ = true;
    status = IOStatus::IOError("injected");
  }
  if (!status.ok()) {
    File& file = files_[path];
    file.lost.insert(file.lost.end(), file.unsynced.begin(), file.unsynced.end());
    file.unsynced.clear();
  }
  return status;
}

void DiskModel::Wrote(const std::string& path, std::uint64_t offset, std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  files_[path].unsynced.push_back({offset, size});
}

void DiskModel::Synced(const std::string& path) {
  const std::lock_guard lock(mutex_);
  files_[path].unsynced.clear();
}

void DiskModel::Created(const std::string& path) {
  const std::lock_guard lock(mutex_);
  files_.erase(path);
  name_changes_.push_back({DirectoryOf(path),
                           [this, path] {
                             ::unlink(path.c_str());
                             files_.erase(path);
                           },
                           [] {}});
}

void DiskModel::DirectorySynced(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  const auto first = std::stable_partition(
      name_changes_.begin(), name_changes_.end(),
      [&](const NameChange& change) { return change.directory != directory; });
  for (auto change = first; change != name_changes_.end(); ++change) change->forget();
  name_changes_.erase(first, name_changes_.end());
}

std::string DiskModel::TakeToTrash(const std::string& path) {
  std::string taken = trash_ + "/" + std::to_string(++trash_count_);
  return ::rename(path.c_str(), taken.c_str()) == 0 ? taken : std::string();
}

IOStatus DiskModel::Rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const std::string replaced = TakeToTrash(to);
  const File replaced_file = std::exchange(files_[to], files_[from]);
  if (::rename(from.c_str(), to.c_str()) != 0) return IOStatus::IOError("rename " + from);
  const File moved = files_[to];
  files_.erase(from);
  name_changes_.push_back({DirectoryOf(to),
                           [this, from, to, replaced, replaced_file, moved] {
                             ::rename(to.c_str(), from.c_str());
                             files_[from] = moved;
                             files_.erase(to);
                             if (replaced.empty()) return;
                             ::rename(replaced.c_str(), to.c_str());
                             files_[to] = replaced_file;
                           },
                           [replaced] { ::unlink(replaced.c_str()); }});
  return IOStatus::OK();
}

IOStatus DiskModel::Delete(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const std::string taken = TakeToTrash(path);
  if (taken.empty()) return IOStatus::PathNotFound(path);
  const File file = files_[path];
  files_.erase(path);
  name_changes_.push_back({DirectoryOf(path),
                           [this, path, taken, file] {
                             ::rename(taken.c_str(), path.c_str());
                             files_[path] = file;
                           },
                           [taken] { ::unlink(taken.c_str()); }});
  return IOStatus::OK();
}

void DiskModel::LosePower(std::mt19937_64* random) {
  const std::lock_guard lock(mutex_);
  const std::size_t kept = random == nullptr ? 0 : (*random)() % (name_changes_.size() + 1);
  for (; name_changes_.size() > kept; name_changes_.pop_back()) name_changes_.back().undo();
  for (const NameChange& change : name_changes_) change.forget();
  name_changes_.clear();
  for (const auto& [path, file] : files_) {
    for (auto range = file.unsynced.rbegin(); range != file.unsynced.rend(); ++range) {
      Revert(path, *range, random);
    }
    for (auto range = file.lost.rbegin(); range != file.lost.rend(); ++range) {
      Revert(path, *range, nullptr);
    }
  }
  files_.clear();
}

// Bytes that never reached the disk read as zeros, or are behind the end: all files are appended
// to, or were zeroed before.
void DiskModel::Revert(const std::string& path, const Range& range, std::mt19937_64* random) {
  const int file = ::open(path.c_str(), O_WRONLY);
  if (file < 0) return;
  static constexpr std::array<char, kSectorBytes> kZeros{};
  const std::uint64_t end = range.offset + range.size;
  const bool is_tail = ::lseek(file, 0, SEEK_END) <= static_cast<off_t>(end);
  for (std::uint64_t at = range.offset; at < end;) {
    const std::uint64_t next = std::min(end, (at / kSectorBytes + 1) * kSectorBytes);
    const bool is_lost = random == nullptr || (*random)() % 2 == 0;
    if (is_lost) {
      [[maybe_unused]] const ssize_t ignored =
          ::pwrite(file, kZeros.data(), next - at, static_cast<off_t>(at));
    }
    at = next;
  }
  if (random == nullptr && is_tail) {
    [[maybe_unused]] const int ignored = ::ftruncate(file, static_cast<off_t>(range.offset));
  }
  ::close(file);
}

}  // namespace kommander::storage
