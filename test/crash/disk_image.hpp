// A disk as operations leave it: what is on it for certain, what may be, and what a restart finds
// when the power fails. It promises no more than POSIX does:
// - bytes and lengths may be lost, in any part, until a sync of their file has returned;
// - a failed sync leaves them readable, but no later sync brings them to the disk;
// - names may be lost until a sync of their directory has returned. Of names that were not synced,
//   the older ones survive first, as in every file system with a journal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "file_trace.hpp"

namespace kommander::crash {

// What becomes of that which was not synced.
struct Loss {
  enum class Names : std::uint8_t { kNone, kSome, kAll };  // survive
  enum class Contents : std::uint8_t {
    kNone,         // survive
    kSomeWrites,   // each write, whole
    kSomeSectors,  // each sector of each write; a lost one may leave zeros behind
    kTornLast,     // all, but of the newest write only the first so many units of `tear_bytes`
    kHoledLast,    // all, but of the newest write any of its sectors
    kAll,
  };
  Names names = Names::kNone;
  Contents contents = Contents::kNone;
  std::uint64_t tear_bytes = 0;
};

// Files and directories, by their path from the root.
struct Survivors {
  std::set<std::string> directories;
  std::map<std::string, std::string> files;

  [[nodiscard]] std::uint64_t Hash() const;
  // Into an empty directory.
  void WriteTo(const std::string& root) const;
};

class DiskImage {
 public:
  DiskImage() = default;
  // Everything in it is on the disk. `paths` receives the numbers that operations are to use.
  DiskImage(const Survivors& survivors, std::map<std::string, FileId>& paths);

  void Apply(const Operation& operation);

  [[nodiscard]] Survivors LosePower(const Loss& loss, std::mt19937_64& random) const;
  // The newest operation was a write, and how long it was.
  [[nodiscard]] std::uint64_t newest_write_bytes() const noexcept { return newest_write_bytes_; }
  [[nodiscard]] std::size_t unsynced_names() const noexcept { return name_changes_.size(); }

 private:
  struct Change {
    std::uint64_t number = 0;
    std::uint64_t offset = 0;
    std::string data;
    bool is_truncation = false;  // to `offset`
    bool is_lost = false;        // its sync has failed
  };
  struct File {
    std::string synced;
    std::vector<Change> changes;  // not synced, oldest first
  };
  using Names = std::map<FileId, std::map<std::string, FileId>>;  // by directory

  static void ApplyName(Names& names, const Operation& operation);
  static void ApplyChange(std::string& contents, const Change& change);
  static void ApplySectors(std::string& contents, const Change& change, std::mt19937_64& random);
  [[nodiscard]] std::string ContentsOf(FileId file, const Loss& loss,
                                       std::mt19937_64& random) const;
  void Gather(const Names& names, FileId directory, const std::string& path, const Loss& loss,
              std::mt19937_64& random, Survivors& survivors) const;

  std::map<FileId, File> files_;
  std::set<FileId> directories_{kRootDirectory};
  Names names_;                          // synced
  std::vector<Operation> name_changes_;  // not synced, oldest first
  std::uint64_t newest_change_ = 0;
  std::uint64_t newest_write_bytes_ = 0;  // 0: the newest operation was none
};

}  // namespace kommander::crash
