// POSIX calls around a store's directory.
#include "common/store_directory.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>

#include <kommander/detail/crash_point.hpp>

#include "mutants/mutants.hpp"

namespace kommander::storage {
namespace {

constexpr mode_t kPrivateDirectory = 0700;
constexpr mode_t kPrivateFile = 0600;

std::string ErrnoText(int error) { return std::generic_category().message(error); }

error_code Unavailable(std::string& detail, const std::string& what, const std::string& path) {
  detail = what + " " + path + ": " + ErrnoText(errno);
  return RaftErrc::WalUnavailable;
}

// The directory of which `path` is an entry.
std::string ParentOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// Makes the directory and what is missing above it. It is there only once the names of all above it
// are on disk, so of one that was there before its own name remains to be synced: whoever made it
// may have been killed in between.
error_code MakeDirectory(const std::string& path, std::string& detail) {
  struct stat status;
  const std::string parent = ParentOf(path);
  if (::stat(path.c_str(), &status) == 0) {
    // A parent that this process may not read was made by somebody else.
    if (SyncDirectory(parent) || errno == EACCES) return {};
    return Unavailable(detail, "cannot sync the parent of", path);
  }
  if (errno != ENOENT) return Unavailable(detail, "cannot look at the directory", path);
  if (const error_code error = MakeDirectory(parent, detail)) return error;
  if (::mkdir(path.c_str(), kPrivateDirectory) != 0 && errno != EEXIST) {
    return Unavailable(detail, "cannot create the directory", path);
  }
  if (!SyncDirectory(parent)) return Unavailable(detail, "cannot sync the parent of", path);
  return {};
}

}  // namespace

void FileDescriptor::Reset() noexcept {
  if (is_open()) ::close(Release());
}

bool SyncDirectory(const std::string& path) noexcept {
  if (KOMMANDER_MUTANT(directory_unsynced)) return true;
  const FileDescriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return directory.is_open() && ::fsync(directory.get()) == 0;
}

error_code StoreDirectory::Open(const std::string& path, std::string& detail) {
  path_ = path;
  while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
  if (path_.empty()) {
    detail = "no directory was given for the log";
    return RaftErrc::WalUnavailable;
  }
  if (const error_code error = MakeDirectory(path_, detail)) return error;
  const std::string lock_path = PathOf("lock");
  lock_ = FileDescriptor(
      ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kPrivateFile));
  if (!lock_.is_open()) return Unavailable(detail, "cannot create the lock file", lock_path);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return {};
  const bool is_locked = errno == EWOULDBLOCK;
  const error_code error = Unavailable(detail, "cannot lock", lock_path);
  lock_.Reset();
  if (!is_locked) return error;
  detail = "the log in " + path_ + " is open already, here or in another process";
  return RaftErrc::WalLocked;
}

error_code StoreDirectory::MakeSubdirectory(const std::string& name, std::string& detail) const {
  const std::string path = PathOf(name);
  if (::mkdir(path.c_str(), kPrivateDirectory) != 0 && errno != EEXIST) {
    return Unavailable(detail, "cannot create the directory", path);
  }
  KOMMANDER_CRASH_POINT("store.directory_made");
  if (!SyncDirectory(path_)) return Unavailable(detail, "cannot sync the directory", path_);
  return {};
}

bool StoreDirectory::HasEntries(const std::string& subdirectory) const {
  std::error_code error;
  const std::filesystem::directory_iterator entries(PathOf(subdirectory), error);
  return !error && entries != std::filesystem::directory_iterator();
}

bool StoreDirectory::HasFile(const std::string& name) const {
  struct stat status;
  return ::stat(PathOf(name).c_str(), &status) == 0;
}

std::optional<std::uint64_t> StoreDirectory::FreeBytes() const noexcept {
  struct statvfs status;
  if (path_.empty() || ::statvfs(path_.c_str(), &status) != 0) return std::nullopt;
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

void StoreDirectory::Close() noexcept { lock_.Reset(); }

}  // namespace kommander::storage
