// The suite over the store of files, and what the suite leaves to a store that has files: damage,
// what a crash leaves, strangers' names, a disk that fails.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/resource.h>

#include <kommander/file_snapshots.hpp>

#include "catch.hpp"
#include "snapshot_conformance.hpp"
#include "temporary_directory.hpp"

namespace kommander::conformance {
namespace {

using Draft = SnapshotStore::Draft;
constexpr PartitionId kPartition{5};
constexpr std::uint64_t kHeaderBytes = 128;  // docs/formats.md, "Snapshots"

class FilePlace final : public SnapshotPlace {
 public:
  std::shared_ptr<SnapshotStore> Attach() override { return MakeFileSnapshots(path()); }
  [[nodiscard]] std::string path() const { return directory_.PathOf("snapshots"); }

 private:
  TemporaryDirectory directory_;
};

struct OpenFiles {
  [[nodiscard]] std::string PathOf(const std::string& name) const {
    return static_cast<const FilePlace&>(store.place()).path() + "/" + name;
  }
  OpenSnapshots store;
};

void FlipBit(const std::string& path, std::uint64_t offset) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(offset));
  char byte = 0;
  REQUIRE(file.get(byte));
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(static_cast<char>(byte ^ 1));
  REQUIRE(file.flush());
}

TEST_CASE("file snapshots: a flipped bit is found, wherever it is", "[snapshots]") {
  OpenFiles files;
  constexpr std::uint64_t kBytes = 300;
  const std::vector<std::byte> bytes = MakeBytes(kBytes, 1);
  const std::string path = files.PathOf("p5-9.snapshot");
  for (std::uint64_t at = 0; at < kHeaderBytes + kBytes; at += 5) {
    CAPTURE(at);
    const SnapshotInfo info = PublishOne(*files.store, kPartition, 9, bytes);
    FlipBit(path, at);
    files.store.Restart();
    const std::vector<SnapshotInfo> listed = ListOf(*files.store, kPartition);
    // Behind the fields and their checksum the head is zeros that say nothing.
    if (at < 76) {
      CHECK(listed.empty());
      CHECK_FALSE(std::filesystem::exists(path));
    } else {
      CHECK(listed == std::vector{info});
      const error_code expected =
          at < kHeaderBytes ? error_code() : error_code(RaftErrc::SnapshotCorrupted);
      CHECK(files.store->Verify(kPartition, LogIndex(9)) == expected);
    }
  }
}

TEST_CASE("file snapshots: a file that is too short or too long is not one", "[snapshots]") {
  OpenFiles files;
  const std::uint64_t size = GENERATE(0u, 1u, 127u, 128u, 227u, 229u);
  (void)PublishOne(*files.store, kPartition, 9, MakeBytes(100, 1));
  const SnapshotInfo good = PublishOne(*files.store, kPartition, 10, MakeBytes(100, 1));
  std::filesystem::resize_file(files.PathOf("p5-9.snapshot"), size);
  CHECK(ListOf(*files.store, kPartition) == std::vector{good});
  files.store.Restart();
  CHECK(ListOf(*files.store, kPartition) == std::vector{good});
  CHECK_FALSE(std::filesystem::exists(files.PathOf("p5-9.snapshot")));
}

TEST_CASE("file snapshots: one under another's name is not that one", "[snapshots]") {
  OpenFiles files;
  const SnapshotInfo good = PublishOne(*files.store, kPartition, 9, MakeBytes(100, 1));
  const std::string path = files.PathOf("p5-9.snapshot");
  for (const char* name : {"p5-10.snapshot", "p6-9.snapshot"}) {
    std::filesystem::copy_file(path, files.PathOf(name));
  }
  CHECK(ListOf(*files.store, kPartition) == std::vector{good});
  CHECK(ListOf(*files.store, PartitionId(6)).empty());
}

TEST_CASE("file snapshots: what else lies there stays and is not taken for one", "[snapshots]") {
  OpenFiles files;
  const SnapshotInfo good = PublishOne(*files.store, kPartition, 9, MakeBytes(100, 1));
  const std::string names[] = {"p5-09.tmp", "notes.txt", "p5-9.snapshot.old", "p5-"};
  for (const std::string& name : names) {
    std::filesystem::copy_file(files.PathOf("p5-9.snapshot"), files.PathOf(name));
  }
  files.store.Restart();
  CHECK(ListOf(*files.store, kPartition) == std::vector{good});
  for (const std::string& name : names) CHECK(std::filesystem::exists(files.PathOf(name)));
}

TEST_CASE("file snapshots: a draft that a crash left is removed at the next start", "[snapshots]") {
  OpenFiles files;
  for (const char* name : {"p5.taken", "p7.received"}) {
    std::ofstream(files.PathOf(name)) << "half of a snapshot";
  }
  files.store.Restart();
  CHECK_FALSE(std::filesystem::exists(files.PathOf("p5.taken")));
  CHECK_FALSE(std::filesystem::exists(files.PathOf("p7.received")));
}

TEST_CASE("file snapshots: the directory is private and of one store at a time", "[snapshots]") {
  FilePlace place;
  std::string detail;
  const auto first = place.Attach();
  REQUIRE(first->Open(kOwner, kDisk, detail) == error_code());
  const auto permissions = std::filesystem::status(place.path()).permissions();
  CHECK(permissions == std::filesystem::perms::owner_all);
  const auto second = place.Attach();
  CHECK(second->Open(kOwner, kDisk, detail) == RaftErrc::WalLocked);
  CHECK_FALSE(detail.empty());
  first->Close();
  detail.clear();
  CHECK(second->Open(kOwner, kDisk, detail) == error_code());
  second->Close();
}

// Files of this process may not grow beyond so many bytes: what is written after fails.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit limit{bytes, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() {
    (void)::setrlimit(RLIMIT_FSIZE, &before_);
    (void)std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST_CASE("file snapshots: a disk without room fails the draft and nothing else", "[snapshots]") {
  OpenFiles files;
  const SnapshotInfo good = PublishOne(*files.store, kPartition, 9, MakeBytes(100, 1));
  REQUIRE(files.store->Begin(kPartition, Draft::kTaken) == error_code());
  {
    const FileSizeLimit limit(10'000);
    CHECK(files.store->Append(kPartition, Draft::kTaken, MakeBytes(9'000, 2)) == error_code());
    CHECK(files.store->Append(kPartition, Draft::kTaken, MakeBytes(9'000, 2)) ==
          RaftErrc::SnapshotFailed);
  }
  files.store->Discard(kPartition, Draft::kTaken);
  CHECK_FALSE(std::filesystem::exists(files.PathOf("p5.taken")));
  CHECK(ListOf(*files.store, kPartition) == std::vector{good});
  CHECK(files.store->Verify(kPartition, LogIndex(9)) == error_code());
  (void)PublishOne(*files.store, kPartition, 11, MakeBytes(20'000, 3));
}

}  // namespace

std::unique_ptr<SnapshotPlace> MakeSnapshotPlace() { return std::make_unique<FilePlace>(); }

}  // namespace kommander::conformance
