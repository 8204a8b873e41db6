// Every call is carried out by the kernel under one lock, so that the list has one order.
#include "file_trace.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace kommander::crash {
namespace {

using Lock = std::unique_lock<std::mutex>;

// libc's wrappers are the interposer's own names, so the kernel is called by number.
template <class... Arguments>
long Call(long number, Arguments... arguments) {
  return ::syscall(number, arguments...);
}

int Fail(int error) {
  errno = error;
  return -1;
}

}  // namespace

FileTrace& FileTrace::Instance() {
  // Never destroyed: files are closed until the very end of the process.
  static FileTrace& instance = *new FileTrace;
  return instance;
}

void FileTrace::Start(const std::string& root, std::map<std::string, FileId> paths) {
  const Lock lock(mutex_);
  root_ = std::filesystem::path(root).lexically_normal().string();
  is_active_ = true;
  paths_ = std::move(paths);
  paths_[""] = kRootDirectory;
  next_file_ = static_cast<FileId>(paths_.size());
  descriptors_.clear();
  operations_.clear();
  failable_ = fail_at_ = 0;
  has_failed_ = false;
}

void FileTrace::Stop() {
  const Lock lock(mutex_);
  is_active_ = false;
  fail_at_ = 0;
}

void FileTrace::ClearOperations() {
  const Lock lock(mutex_);
  operations_.clear();
}

std::size_t FileTrace::size() const {
  const Lock lock(mutex_);
  return operations_.size();
}

void FileTrace::FailAt(std::uint64_t nth, Fault fault) {
  const Lock lock(mutex_);
  fail_at_ = failable_ + nth;
  fault_ = fault;
}

void FileTrace::Heal() {
  const Lock lock(mutex_);
  fail_at_ = 0;
}

bool FileTrace::has_failed() const {
  const Lock lock(mutex_);
  return has_failed_;
}

std::uint64_t FileTrace::failable() const {
  const Lock lock(mutex_);
  return failable_;
}

FileTrace::Place FileTrace::Find(const char* path) const {
  Place place;
  if (!is_active_ || path == nullptr || path[0] != '/') return place;
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  if (normal.size() < root_.size() || normal.compare(0, root_.size(), root_) != 0) return place;
  if (normal.size() > root_.size() && normal[root_.size()] != '/') return place;
  place.is_below = true;
  if (normal.size() == root_.size()) return place;
  place.path = normal.substr(root_.size() + 1);
  const std::size_t slash = place.path.rfind('/');
  const bool is_nested = slash != std::string::npos;
  const auto parent = paths_.find(is_nested ? place.path.substr(0, slash) : "");
  place.is_below = parent != paths_.end();
  if (place.is_below) place.directory = parent->second;
  place.name = is_nested ? place.path.substr(slash + 1) : place.path;
  return place;
}

const FileId* FileTrace::FileAt(int descriptor) const {
  if (!is_active_) return nullptr;
  const auto found = descriptors_.find(descriptor);
  return found == descriptors_.end() ? nullptr : &found->second;
}

bool FileTrace::MustFail(Fault& fault) {
  ++failable_;
  if (fail_at_ == 0 || failable_ < fail_at_) return false;
  if (failable_ > fail_at_ && !fault_.is_for_good) return false;
  has_failed_ = true;
  fault = fault_;
  return true;
}

Operation& FileTrace::Note(OperationKind kind, FileId file) {
  Operation& operation = operations_.emplace_back();
  operation.kind = kind;
  operation.file = file;
  return operation;
}

void FileTrace::NoteName(OperationKind kind, FileId file, const Place& place) {
  Operation& operation = Note(kind, file);
  operation.directory = place.directory;
  operation.name = place.name;
}

void FileTrace::NoteWrite(FileId file, const void* bytes, std::ptrdiff_t written,
                          std::int64_t offset) {
  if (written <= 0) return;
  Operation& operation = Note(OperationKind::kWrite, file);
  operation.offset = static_cast<std::uint64_t>(offset);
  operation.data.assign(static_cast<const char*>(bytes), static_cast<std::size_t>(written));
}

int FileTrace::Open(const char* path, int flags, unsigned mode) {
  const Lock lock(mutex_);
  const Place place = Find(path);
  const bool is_known = place.is_below && paths_.contains(place.path);
  if (place.is_below && (flags & O_CREAT) != 0 && !is_known) {
    Fault fault;
    if (MustFail(fault) && fault.error != 0) return Fail(fault.error);
  }
  const int descriptor = static_cast<int>(Call(SYS_openat, AT_FDCWD, path, flags, mode));
  if (descriptor < 0 || !place.is_below) return descriptor;
  if (!is_known) {
    // Whatever stdio made is not known and not followed.
    if ((flags & O_CREAT) == 0) return descriptor;
    paths_[place.path] = next_file_;
    NoteName(OperationKind::kCreateFile, next_file_++, place);
  }
  const FileId file = paths_[place.path];
  descriptors_[descriptor] = file;
  if ((flags & O_TRUNC) != 0 && is_known) Note(OperationKind::kTruncate, file);
  return descriptor;
}

int FileTrace::Close(int descriptor) {
  const Lock lock(mutex_);
  descriptors_.erase(descriptor);
  return static_cast<int>(Call(SYS_close, descriptor));
}

std::ptrdiff_t FileTrace::Write(int descriptor, const void* bytes, std::size_t size) {
  const Lock lock(mutex_);
  const FileId* file = FileAt(descriptor);
  Fault fault;
  const bool must_fail = file != nullptr && MustFail(fault);
  if (must_fail && fault.error != 0) return Fail(fault.error);
  const std::size_t part = must_fail ? (size + 1) / 2 : size;
  const std::ptrdiff_t written = Call(SYS_write, descriptor, bytes, part);
  if (file != nullptr) {
    NoteWrite(*file, bytes, written, Call(SYS_lseek, descriptor, 0, SEEK_CUR) - written);
  }
  return written;
}

std::ptrdiff_t FileTrace::WriteAt(int descriptor, const void* bytes, std::size_t size,
                                  std::int64_t offset) {
  const Lock lock(mutex_);
  const FileId* file = FileAt(descriptor);
  Fault fault;
  const bool must_fail = file != nullptr && MustFail(fault);
  if (must_fail && fault.error != 0) return Fail(fault.error);
  const std::size_t part = must_fail ? (size + 1) / 2 : size;
  const std::ptrdiff_t written = Call(SYS_pwrite64, descriptor, bytes, part, offset);
  if (file != nullptr) NoteWrite(*file, bytes, written, offset);
  return written;
}

int FileTrace::Sync(int descriptor, bool is_data_only) {
  const Lock lock(mutex_);
  const FileId* file = FileAt(descriptor);
  Fault fault;
  if (file != nullptr && MustFail(fault) && fault.error != 0) {
    Note(OperationKind::kFailedSync, *file);
    return Fail(fault.error);
  }
  const long result = Call(is_data_only ? SYS_fdatasync : SYS_fsync, descriptor);
  if (file == nullptr || result != 0) return static_cast<int>(result);
  struct stat status;
  const bool is_directory = ::fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
  Note(is_directory ? OperationKind::kSyncDirectory : OperationKind::kSync, *file);
  return 0;
}

int FileTrace::Truncate(int descriptor, std::int64_t size) {
  const Lock lock(mutex_);
  const FileId* file = FileAt(descriptor);
  Fault fault;
  if (file != nullptr && MustFail(fault) && fault.error != 0) return Fail(fault.error);
  const long result = Call(SYS_ftruncate, descriptor, size);
  if (file != nullptr && result == 0) {
    Note(OperationKind::kTruncate, *file).offset = static_cast<std::uint64_t>(size);
  }
  return static_cast<int>(result);
}

int FileTrace::TruncatePath(const char* path, std::int64_t size) {
  const Lock lock(mutex_);
  const Place place = Find(path);
  const auto found = place.is_below ? paths_.find(place.path) : paths_.end();
  Fault fault;
  if (found != paths_.end() && MustFail(fault) && fault.error != 0) return Fail(fault.error);
  const long result = Call(SYS_truncate, path, size);
  if (found != paths_.end() && result == 0) {
    Note(OperationKind::kTruncate, found->second).offset = static_cast<std::uint64_t>(size);
  }
  return static_cast<int>(result);
}

int FileTrace::Allocate(int descriptor, int mode, std::int64_t offset, std::int64_t size) {
  const Lock lock(mutex_);
  const FileId* file = FileAt(descriptor);
  Fault fault;
  if (file != nullptr && MustFail(fault) && fault.error != 0) return Fail(fault.error);
  const long result = Call(SYS_fallocate, descriptor, mode, offset, size);
  // Longer by zeros, unless the length is to stay; then nothing that can be read has changed.
  struct stat status;
  if (file != nullptr && result == 0 && mode == 0 && ::fstat(descriptor, &status) == 0) {
    Note(OperationKind::kTruncate, *file).offset = static_cast<std::uint64_t>(status.st_size);
  }
  return static_cast<int>(result);
}

int FileTrace::Rename(const char* from, const char* to) {
  const Lock lock(mutex_);
  const Place source = Find(from);
  const Place target = Find(to);
  const auto found = source.is_below ? paths_.find(source.path) : paths_.end();
  const bool is_known = found != paths_.end() && target.is_below;
  Fault fault;
  if (is_known && MustFail(fault) && fault.error != 0) return Fail(fault.error);
  const long result = Call(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0u);
  if (!is_known || result != 0) return static_cast<int>(result);
  const FileId file = found->second;
  paths_.erase(found);
  paths_[target.path] = file;
  NoteName(OperationKind::kRename, file, source);
  operations_.back().to_directory = target.directory;
  operations_.back().to_name = target.name;
  return 0;
}

int FileTrace::Unlink(const char* path) {
  const Lock lock(mutex_);
  const Place place = Find(path);
  const auto found = place.is_below ? paths_.find(place.path) : paths_.end();
  Fault fault;
  if (found != paths_.end() && MustFail(fault) && fault.error != 0) return Fail(fault.error);
  const long result = Call(SYS_unlinkat, AT_FDCWD, path, 0);
  if (found == paths_.end() || result != 0) return static_cast<int>(result);
  NoteName(OperationKind::kUnlink, found->second, place);
  paths_.erase(found);
  return 0;
}

int FileTrace::MakeDirectory(const char* path, unsigned mode) {
  const Lock lock(mutex_);
  const Place place = Find(path);
  const bool is_new = place.is_below && !paths_.contains(place.path);
  Fault fault;
  if (is_new && MustFail(fault) && fault.error != 0) return Fail(fault.error);
  const long result = Call(SYS_mkdirat, AT_FDCWD, path, mode);
  if (!is_new || result != 0) return static_cast<int>(result);
  paths_[place.path] = next_file_;
  NoteName(OperationKind::kMakeDirectory, next_file_++, place);
  return 0;
}

}  // namespace kommander::crash
