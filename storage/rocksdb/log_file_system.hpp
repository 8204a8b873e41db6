// The file system under RocksDB, with another way to write WAL files. Appending makes a file
// longer, and then each fdatasync must also commit the journal of the file system for the new
// length: half of its time. So small appends go into a region that was filled with zeros before;
// such a sync writes data and nothing else. RocksDB reads zeros behind the last record as the end.
#pragma once

#include <memory>
#include <string>

#include <rocksdb/file_system.h>

namespace kommander::storage {

class LogFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit LogFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target);
  [[nodiscard]] const char* Name() const override { return "kommander.LogFileSystem"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
};

}  // namespace kommander::storage
