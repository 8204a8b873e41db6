// Files and directories that tell the model what happens to them.
#include "fault_file_system.hpp"

#include <filesystem>
#include <utility>

namespace kommander::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class WritableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WritableFile(std::shared_ptr<DiskModel> disk, std::string path,
               std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)),
        disk_(std::move(disk)),
        path_(std::move(path)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    const IOStatus failure = disk_->Begin();
    // A write that fails may have gone half of the way.
    const Slice part(data.data(), failure.ok() ? data.size() : data.size() / 2);
    const IOStatus status = FSWritableFileOwnerWrapper::Append(part, options, debug);
    if (status.ok()) {
      disk_->Wrote(path_, size_, part.size());
      size_ += part.size();
    }
    return failure.ok() ? status : failure;
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus failure = disk_->BeginSync(path_);
    if (!failure.ok()) return failure;
    const IOStatus status = FSWritableFileOwnerWrapper::Flush(options, debug);
    if (status.ok()) disk_->Synced(path_);
    return status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Sync(options, debug);
  }
  // A file that was written to its end is known to have no more than that.
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus failure = disk_->Begin();
    const IOStatus status = FSWritableFileOwnerWrapper::Close(options, debug);
    return failure.ok() ? status : failure;
  }

 private:
  std::shared_ptr<DiskModel> disk_;
  std::string path_;
  std::uint64_t size_ = 0;
};

class RandomFile final : public rocksdb::FSRandomRWFileOwnerWrapper {
 public:
  RandomFile(std::shared_ptr<DiskModel> disk, std::string path,
             std::unique_ptr<rocksdb::FSRandomRWFile> file)
      : FSRandomRWFileOwnerWrapper(std::move(file)),
        disk_(std::move(disk)),
        path_(std::move(path)) {}

  IOStatus Write(std::uint64_t offset, const Slice& data, const IOOptions& options,
                 IODebugContext* debug) override {
    const IOStatus failure = disk_->Begin();
    const Slice part(data.data(), failure.ok() ? data.size() : data.size() / 2);
    const IOStatus status = FSRandomRWFileOwnerWrapper::Write(offset, part, options, debug);
    if (status.ok()) disk_->Wrote(path_, offset, part.size());
    return failure.ok() ? status : failure;
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    IOStatus status = disk_->BeginSync(path_);
    if (status.ok()) disk_->Synced(path_);
    return status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Sync(options, debug);
  }

 private:
  std::shared_ptr<DiskModel> disk_;
  std::string path_;
};

class Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::shared_ptr<DiskModel> disk, const std::string& path,
            std::unique_ptr<rocksdb::FSDirectory> directory)
      : FSDirectoryWrapper(std::move(directory)), disk_(std::move(disk)) {
    path_ = (std::filesystem::path(path) / "x").lexically_normal().parent_path().string();
  }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    IOStatus status = disk_->Begin();
    if (status.ok()) disk_->DirectorySynced(path_);
    return status;
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

 private:
  std::shared_ptr<DiskModel> disk_;
  std::string path_;
};

}  // namespace

FaultFileSystem::FaultFileSystem(std::shared_ptr<DiskModel> disk)
    : rocksdb::FileSystemWrapper(rocksdb::FileSystem::Default()), disk_(std::move(disk)) {}

IOStatus FaultFileSystem::NewWritableFile(const std::string& path,
                                          const rocksdb::FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* file,
                                          IODebugContext* debug) {
  IOStatus failure = disk_->Begin();
  if (!failure.ok()) return failure;
  IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
  if (!status.ok()) return status;
  disk_->Created(path);
  *file = std::make_unique<WritableFile>(disk_, path, std::move(*file));
  return status;
}

IOStatus FaultFileSystem::NewRandomRWFile(const std::string& path,
                                          const rocksdb::FileOptions& options,
                                          std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                          IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::NewRandomRWFile(path, options, file, debug);
  if (status.ok()) *file = std::make_unique<RandomFile>(disk_, path, std::move(*file));
  return status;
}

IOStatus FaultFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                       std::unique_ptr<rocksdb::FSDirectory>* directory,
                                       IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::NewDirectory(path, options, directory, debug);
  if (status.ok()) *directory = std::make_unique<Directory>(disk_, path, std::move(*directory));
  return status;
}

IOStatus FaultFileSystem::RenameFile(const std::string& from, const std::string& to,
                                     const IOOptions&, IODebugContext*) {
  IOStatus status = disk_->Begin();
  return status.ok() ? disk_->Rename(from, to) : status;
}

IOStatus FaultFileSystem::DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) {
  IOStatus status = disk_->Begin();
  return status.ok() ? disk_->Delete(path) : status;
}

}  // namespace kommander::storage
