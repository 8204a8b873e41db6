// The directory of a RocksDB log: what is made, what is refused, what RocksDB may do in it.
#include <algorithm>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "../../conformance/temporary_directory.hpp"
#include "../../conformance/wal_conformance.hpp"
#include "../../conformance/wal_model.hpp"
#include "catch.hpp"
#include "codec/wal_record.hpp"
#include "store_files.hpp"

namespace kommander::storage {
namespace {

using conformance::MakeCreation;
using conformance::MakeEntry;
using conformance::MakeIdentity;
using conformance::MakeUnit;
using conformance::TemporaryDirectory;
using conformance::WriteOne;
namespace fs = std::filesystem;

TEST_CASE("rocksdb store: directories that cannot be used", "[rocksdb]") {
  TemporaryDirectory directory;
  std::string detail;
  SECTION("none given") { CHECK(TryOpen("", detail) == RaftErrc::WalUnavailable); }
  SECTION("below a file") {
    WriteFile(directory.PathOf("file"), "x");
    CHECK(TryOpen(directory.PathOf("file/a/b"), detail) == RaftErrc::WalUnavailable);
  }
  SECTION("a file in its place") {
    WriteFile(directory.PathOf("file"), "x");
    CHECK(TryOpen(directory.PathOf("file"), detail) == RaftErrc::WalUnavailable);
  }
  SECTION("not writable") {
    if (::geteuid() == 0) return;  // nothing is unwritable to root
    fs::create_directory(directory.PathOf("wal"));
    fs::permissions(directory.PathOf("wal"), fs::perms::owner_read | fs::perms::owner_exec);
    CHECK(TryOpen(directory.PathOf("wal"), detail) == RaftErrc::WalUnavailable);
  }
  CHECK_FALSE(detail.empty());
  CHECK(detail.find('\n') == std::string::npos);
}

TEST_CASE("rocksdb store: what is missing above its directory is made", "[rocksdb]") {
  TemporaryDirectory directory;
  std::string detail;
  CHECK_FALSE(TryOpen(directory.PathOf("a/b/c//"), detail));
  INFO(detail);
  CHECK(fs::exists(directory.PathOf("a/b/c/synced")));
}

TEST_CASE("rocksdb store: everything in it is private", "[rocksdb]") {
  TemporaryDirectory directory;
  std::string detail;
  REQUIRE(TryOpen(directory.PathOf("wal/"), detail) == error_code());
  struct stat status;
  for (const char* name : {"wal", "wal/db"}) {
    REQUIRE(::stat(directory.PathOf(name).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
  }
}

// Its writer asserts after an error, so a full disk would end the process.
TEST_CASE("rocksdb store: RocksDB keeps no diary", "[rocksdb]") {
  TemporaryDirectory directory;
  std::string detail;
  REQUIRE(TryOpen(directory.PathOf("wal"), detail) == error_code());
  REQUIRE(TryOpen(directory.PathOf("wal"), detail) == error_code());
  for (const auto& entry : fs::directory_iterator(directory.PathOf("wal/db"))) {
    CHECK(entry.path().filename().string().rfind("LOG", 0) != 0);
  }
}

// A loss of power may leave the newest record of a manifest that was appended to with a hole in it,
// and RocksDB refuses that: so none is appended to once CURRENT names it.
TEST_CASE("rocksdb store: a manifest in use is never written to", "[rocksdb]") {
  TemporaryDirectory directory;
  RocksDbWal wal(SmallOptions(directory.PathOf("wal")));
  std::optional<StoreIdentity> identity;
  std::string detail;
  REQUIRE(wal.Open(identity, detail) == error_code());
  const std::string current = directory.PathOf("wal/db/CURRENT");
  const std::string name_before = ReadFile(current);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    WriteUnit unit = i == 1 ? MakeCreation(1) : MakeUnit(1);
    unit.entries = {MakeEntry(i, 1)};
    WriteOne(wal, unit);
    const std::string name = ReadFile(current);
    const std::string path =
        directory.PathOf("wal/db/" + name.substr(0, name.find_last_not_of('\n') + 1));
    const std::string contents = ReadFile(path);
    REQUIRE_FALSE(contents.empty());
    REQUIRE(wal.database().db().DisableFileDeletions().ok());
    REQUIRE(wal.database().db().Flush({}, wal.database().log()).ok());
    CHECK(ReadFile(current) != name);
    CHECK(ReadFile(path) == contents);
    REQUIRE(wal.database().db().EnableFileDeletions(true).ok());
  }
  CHECK(ReadFile(current) != name_before);
}

TEST_CASE("rocksdb store: an interrupted creation is taken up again", "[rocksdb]") {
  TemporaryDirectory directory;
  const std::string store = directory.PathOf("wal");
  std::string detail;
  SECTION("an empty directory") { fs::create_directory(store); }
  SECTION("only `synced`") {
    REQUIRE(TryOpen(store, detail) == error_code());
    fs::remove_all(store + "/db");
    const codec::SyncedSlot slot = codec::EncodeSyncedSlot(0);
    std::string bytes(8192, '\0');
    std::copy_n(reinterpret_cast<const char*>(slot.data()), slot.size(), bytes.begin());
    WriteFile(store + "/synced", bytes);
  }
  SECTION("no identity and `synced` damaged") {
    REQUIRE(TryOpen(store, detail) == error_code());
    WriteFile(store + "/synced", "");
  }
  REQUIRE(TryOpen(store, detail, [](Wal& wal) {
            REQUIRE(wal.Create(MakeIdentity()) == error_code());
          }) == error_code());
  CHECK(TryOpen(store, detail) == error_code());
}

}  // namespace
}  // namespace kommander::storage
