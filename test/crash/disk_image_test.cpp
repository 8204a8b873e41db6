#include "disk_image.hpp"

#include <random>
#include <string>

#include "catch.hpp"

namespace kommander::crash {
namespace {

using Names = Loss::Names;
using Bytes = Loss::Contents;

constexpr FileId kFile = 1;
constexpr FileId kOther = 2;

Operation Name(OperationKind kind, FileId file, const std::string& name,
               const std::string& to_name = "") {
  Operation operation;
  operation.kind = kind;
  operation.file = file;
  operation.name = name;
  operation.to_name = to_name;
  return operation;
}
Operation Write(FileId file, std::uint64_t offset, const std::string& data) {
  Operation operation;
  operation.file = file;
  operation.offset = offset;
  operation.data = data;
  return operation;
}
Operation Truncate(FileId file, std::uint64_t size) {
  Operation operation = Write(file, size, "");
  operation.kind = OperationKind::kTruncate;
  return operation;
}
Operation Sync(FileId file, OperationKind kind = OperationKind::kSync) {
  Operation operation;
  operation.kind = kind;
  operation.file = file;
  return operation;
}
Operation SyncNames() { return Sync(kRootDirectory, OperationKind::kSyncDirectory); }

using Files = std::map<std::string, std::string>;

Files After(const DiskImage& disk, Names names, Bytes bytes, std::uint64_t tear_bytes = 0,
            std::uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  return disk.LosePower({names, bytes, tear_bytes}, random).files;
}

DiskImage Made(std::initializer_list<Operation> operations) {
  DiskImage disk;
  for (const Operation& operation : operations) disk.Apply(operation);
  return disk;
}

TEST_CASE("disk image: names and contents are synced apart", "[crash]") {
  DiskImage disk = Made({Name(OperationKind::kCreateFile, kFile, "a"), Write(kFile, 0, "one")});
  CHECK(After(disk, Names::kNone, Bytes::kAll).empty());
  CHECK(After(disk, Names::kAll, Bytes::kNone) == Files{{"a", ""}});
  disk.Apply(Sync(kFile));
  CHECK(After(disk, Names::kNone, Bytes::kNone).empty());
  disk.Apply(SyncNames());
  CHECK(After(disk, Names::kNone, Bytes::kNone) == Files{{"a", "one"}});
  disk.Apply(Write(kFile, 3, "two"));
  CHECK(After(disk, Names::kNone, Bytes::kNone) == Files{{"a", "one"}});
  CHECK(After(disk, Names::kNone, Bytes::kAll) == Files{{"a", "onetwo"}});
  disk.Apply(Truncate(kFile, 1));
  CHECK(After(disk, Names::kNone, Bytes::kAll) == Files{{"a", "o"}});
}

TEST_CASE("disk image: a rename keeps the old name until the directory is synced", "[crash]") {
  DiskImage disk =
      Made({Name(OperationKind::kCreateFile, kFile, "a"), Write(kFile, 0, "old"), Sync(kFile),
            Name(OperationKind::kCreateFile, kOther, "b"), Write(kOther, 0, "new"), Sync(kOther),
            SyncNames(), Name(OperationKind::kRename, kOther, "b", "a")});
  CHECK(After(disk, Names::kNone, Bytes::kAll) == Files{{"a", "old"}, {"b", "new"}});
  CHECK(After(disk, Names::kAll, Bytes::kAll) == Files{{"a", "new"}});
  disk.Apply(Name(OperationKind::kUnlink, kOther, "a"));
  CHECK(After(disk, Names::kAll, Bytes::kAll).empty());
  disk.Apply(SyncNames());
  CHECK(After(disk, Names::kNone, Bytes::kAll).empty());
}

// The older of two new names survives first, so the younger one is never there alone.
TEST_CASE("disk image: names survive in their order", "[crash]") {
  const DiskImage disk = Made({Name(OperationKind::kCreateFile, kFile, "a"),
                               Name(OperationKind::kCreateFile, kOther, "b")});
  std::map<std::size_t, int> counts;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    const Files files = After(disk, Names::kSome, Bytes::kAll, 0, seed);
    ++counts[files.size()];
    CHECK((files.empty() || files.contains("a")));
  }
  CHECK(counts.size() == 3);
}

TEST_CASE("disk image: what a failed sync has lost stays lost", "[crash]") {
  const DiskImage disk =
      Made({Name(OperationKind::kCreateFile, kFile, "a"), SyncNames(), Write(kFile, 0, "lost"),
            Sync(kFile, OperationKind::kFailedSync), Write(kFile, 4, "kept"), Sync(kFile)});
  CHECK(After(disk, Names::kAll, Bytes::kAll) == Files{{"a", std::string(4, '\0') + "kept"}});
}

TEST_CASE("disk image: the newest write is torn at a unit of the file, or holed", "[crash]") {
  const std::string data(3000, 'x');
  const DiskImage disk = Made({Name(OperationKind::kCreateFile, kFile, "a"), SyncNames(),
                               Write(kFile, 0, std::string(100, 'o')), Write(kFile, 100, data)});
  std::map<std::size_t, int> sizes;
  bool has_hole = false;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    const std::size_t size = After(disk, Names::kAll, Bytes::kTornLast, 512, seed)["a"].size();
    ++sizes[size];
    CHECK((size == 100 || (size % 512 == 0 && size < 3100)));
    const std::string holed = After(disk, Names::kAll, Bytes::kHoledLast, 0, seed)["a"];
    CHECK(holed.substr(0, 100) == std::string(100, 'o'));
    const std::size_t zero = holed.find('\0');
    has_hole = has_hole || (zero != holed.npos && holed.find('x', zero) != holed.npos);
  }
  CHECK(sizes.size() == 7);  // nothing, or one to six sectors
  CHECK(has_hole);
}

TEST_CASE("disk image: begins where another one ended", "[crash]") {
  const DiskImage disk = Made({Name(OperationKind::kMakeDirectory, kFile, "d"), SyncNames()});
  std::mt19937_64 random(1);
  Survivors survivors = disk.LosePower({}, random);
  survivors.files["d/a"] = "one";
  std::map<std::string, FileId> paths;
  DiskImage next(survivors, paths);
  REQUIRE(paths.contains("d/a"));
  next.Apply(Write(paths["d/a"], 3, "two"));
  CHECK(After(next, Names::kNone, Bytes::kNone) == Files{{"d/a", "one"}});
  next.Apply(Sync(paths["d/a"]));
  CHECK(After(next, Names::kNone, Bytes::kNone) == Files{{"d/a", "onetwo"}});
}

}  // namespace
}  // namespace kommander::crash
