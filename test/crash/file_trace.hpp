// What a program does to the files below one directory, as a list of POSIX operations, and failures
// of such operations on order. The calls are intercepted inside the process (interposer.cpp), so
// nothing under test knows of it and any storage library serves that calls libc dynamically.
//
// Not seen: mappings written to memory, files opened by stdio, operations on descriptors that were
// duplicated. What is not seen is not on the disk after a loss of power, and the storage libraries
// use it for nothing that has to be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace kommander::crash {

using FileId = std::uint32_t;  // an inode, numbered in the order of appearance
inline constexpr FileId kRootDirectory = 0;

enum class OperationKind : std::uint8_t {
  kCreateFile,     // `name` in `directory` is now `file`
  kMakeDirectory,  // likewise
  kRename,         // `name` in `directory` becomes `to_name` in `to_directory`
  kUnlink,         // `name` in `directory` is gone
  kWrite,          // `data` at `offset` of `file`
  kTruncate,       // `file` has `offset` bytes now
  kSync,           // of the contents of `file`
  kSyncDirectory,  // of the names in `file`
  kFailedSync,     // of either: what it should have synced reads well and never reaches the disk
};

struct Operation {
  OperationKind kind = OperationKind::kWrite;
  FileId file = 0;
  FileId directory = 0;
  FileId to_directory = 0;
  std::string name;
  std::string to_name;
  std::uint64_t offset = 0;
  std::string data;
};

// How an operation fails that was chosen to.
struct Fault {
  int error = 0;             // errno; 0: none, the call does half of its work and says so
  bool is_for_good = false;  // and all after it
};

class FileTrace {
 public:
  static FileTrace& Instance();

  // Records everything below `root`, given by its absolute path. What is there already has the
  // numbers in `paths`, from 1 without gaps.
  void Start(const std::string& root, std::map<std::string, FileId> paths = {});
  void Stop();
  // Forgets the operations, keeps the numbers of the files: for a recording that goes on.
  void ClearOperations();

  [[nodiscard]] std::size_t size() const;
  // Only while nobody acts below the root.
  [[nodiscard]] const std::vector<Operation>& operations() const { return operations_; }

  // The `nth` next operation that can fail, counted from 1, does.
  void FailAt(std::uint64_t nth, Fault fault);
  void Heal();
  [[nodiscard]] bool has_failed() const;
  [[nodiscard]] std::uint64_t failable() const;  // operations since Start that could have failed

  // --- For the interposer: carry the call out, note what it did; as the call of that name ---

  int Open(const char* path, int flags, unsigned mode);
  int Close(int descriptor);
  std::ptrdiff_t Write(int descriptor, const void* bytes, std::size_t size);
  std::ptrdiff_t WriteAt(int descriptor, const void* bytes, std::size_t size, std::int64_t offset);
  int Sync(int descriptor, bool is_data_only);
  int Truncate(int descriptor, std::int64_t size);
  int TruncatePath(const char* path, std::int64_t size);
  int Allocate(int descriptor, int mode, std::int64_t offset, std::int64_t size);
  int Rename(const char* from, const char* to);
  int Unlink(const char* path);
  int MakeDirectory(const char* path, unsigned mode);

 private:
  struct Place {  // a name in a directory below the root
    bool is_below = false;
    FileId directory = 0;
    std::string name;
    std::string path;  // from the root
  };

  Place Find(const char* path) const;
  const FileId* FileAt(int descriptor) const;
  bool MustFail(Fault& fault);
  Operation& Note(OperationKind kind, FileId file);
  void NoteName(OperationKind kind, FileId file, const Place& place);
  void NoteWrite(FileId file, const void* bytes, std::ptrdiff_t written, std::int64_t offset);

  mutable std::mutex mutex_;
  bool is_active_ = false;
  std::string root_;
  FileId next_file_ = 1;
  std::map<std::string, FileId> paths_;  // as the program sees them; "" is the root
  std::map<int, FileId> descriptors_;
  std::vector<Operation> operations_;
  std::uint64_t failable_ = 0;
  std::uint64_t fail_at_ = 0;  // 0: never
  Fault fault_;
  bool has_failed_ = false;
};

}  // namespace kommander::crash
