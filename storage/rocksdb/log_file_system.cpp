// WAL files with a zeroed region ahead of the end.
#include "rocksdb/log_file_system.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <kommander/detail/crash_point.hpp>

#include "mutants/mutants.hpp"

namespace kommander::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// How much is zeroed at a time: a quarter of a megabyte costs the sync that it falls to about half
// a millisecond.
constexpr std::uint64_t kZeroedBytes = std::uint64_t{256} << 10;
// Beyond so many bytes per sync, writing them twice costs more than the journal does.
constexpr std::uint64_t kSmallSyncBytes = std::uint64_t{16} << 10;
constexpr std::uint64_t kAlignmentBytes = 4096;

bool IsLog(const std::string& path) {
  constexpr std::string_view kSuffix = ".log";
  return path.size() > kSuffix.size() && path.ends_with(kSuffix);
}

class LogFile final : public rocksdb::FSWritableFile {
 public:
  LogFile(std::shared_ptr<rocksdb::FileSystem> file_system, std::string path,
          std::unique_ptr<rocksdb::FSRandomRWFile> file)
      : file_system_(std::move(file_system)), path_(std::move(path)), file_(std::move(file)) {}
  ~LogFile() override {
    if (file_) Close(IOOptions(), nullptr).PermitUncheckedError();
  }

  using rocksdb::FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    const std::uint64_t end = size_ + data.size();
    if (end > zeroed_end_) {
      const IOStatus status = Extend(end, options, debug);
      if (!status.ok()) return status;
    }
    KOMMANDER_CRASH_POINT("log.before_append");
    const IOStatus status = file_->Write(size_, data, options, debug);
    KOMMANDER_CRASH_POINT("log.after_append");
    if (status.ok()) size_ = end;
    return status;
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    const IOStatus status = file_system_->Truncate(path_, size, options, debug);
    if (status.ok()) size_ = zeroed_end_ = size;
    return status;
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    if (!file_) return IOStatus::OK();
    IOStatus status = IOStatus::OK();
    if (zeroed_end_ > size_) status = file_system_->Truncate(path_, size_, options, debug);
    const IOStatus closed = file_->Close(options, debug);
    file_.reset();
    return status.ok() ? closed : status;
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    NoteSync();
    KOMMANDER_CRASH_POINT("log.before_sync");
    if (KOMMANDER_MUTANT(log_unsynced)) return IOStatus::OK();
    return file_->Sync(options, debug);
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    NoteSync();
    return file_->Fsync(options, debug);
  }
  [[nodiscard]] bool IsSyncThreadSafe() const override { return false; }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }

 private:
  // Zeroes a region behind `end` when syncs are small.
  IOStatus Extend(std::uint64_t end, const IOOptions& options, IODebugContext* debug) {
    if (average_sync_bytes_ > kSmallSyncBytes || end - size_ > kSmallSyncBytes) {
      zeroed_end_ = end;
      return IOStatus::OK();
    }
    static constexpr std::array<char, kZeroedBytes> kZeros{};
    const std::uint64_t target = (end + kZeroedBytes - kAlignmentBytes) & ~(kAlignmentBytes - 1);
    const IOStatus status = file_->Write(end, Slice(kZeros.data(), target - end), options, debug);
    KOMMANDER_CRASH_POINT("log.zeroed");
    if (status.ok()) zeroed_end_ = target;
    return status;
  }
  void NoteSync() {
    average_sync_bytes_ = (7 * average_sync_bytes_ + (size_ - synced_size_)) / 8;
    synced_size_ = size_;
  }

  std::shared_ptr<rocksdb::FileSystem> file_system_;
  std::string path_;
  std::unique_ptr<rocksdb::FSRandomRWFile> file_;
  std::uint64_t size_ = 0;
  std::uint64_t zeroed_end_ = 0;  // what lies behind size_ up to here reads as zeros
  std::uint64_t synced_size_ = 0;
  std::uint64_t average_sync_bytes_ = 0;
};

}  // namespace

LogFileSystem::LogFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target)
    : rocksdb::FileSystemWrapper(target) {}

IOStatus LogFileSystem::NewWritableFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSWritableFile>* file,
                                        IODebugContext* debug) {
  IOStatus status = rocksdb::FileSystemWrapper::NewWritableFile(path, options, file, debug);
  if (!status.ok() || !IsLog(path)) return status;
  KOMMANDER_CRASH_POINT("log.created");
  status = (*file)->Close(options.io_options, debug);
  file->reset();
  std::unique_ptr<rocksdb::FSRandomRWFile> random_access;
  if (status.ok()) status = target_->NewRandomRWFile(path, options, &random_access, debug);
  if (status.ok()) *file = std::make_unique<LogFile>(target_, path, std::move(random_access));
  return status;
}

}  // namespace kommander::storage
