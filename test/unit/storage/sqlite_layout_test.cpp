// Which files make a SQLite log: shards that are swapped, missing or of something else, a creation
// that was interrupted, tables of another version.
#include <filesystem>
#include <string>
#include <sys/stat.h>

#include "../../conformance/temporary_directory.hpp"
#include "sqlite_files.hpp"

namespace kommander::storage {
namespace {

using conformance::FirstDifference;
using conformance::MakeCreation;
using conformance::MakeEntries;
using conformance::MakeIdentity;
using conformance::TemporaryDirectory;
using conformance::WalModel;
using conformance::WriteOne;
namespace fs = std::filesystem;

// A closed store with a partition in each shard.
class MadeStore {
 public:
  MadeStore() {
    std::string detail;
    REQUIRE(TryOpen(options(), detail, [&](Wal& wal) {
              REQUIRE(wal.Create(MakeIdentity()) == error_code());
              for (std::uint32_t p = 0; p < kTestShards; ++p) {
                const WriteUnit unit = MakeCreation(p, MakeEntries(1, 9, 1));
                WriteOne(wal, unit);
                model_[p].Apply(unit);
              }
            }) == error_code());
  }
  [[nodiscard]] std::string directory() const { return directory_.PathOf("wal"); }
  [[nodiscard]] SqliteWalOptions options() const { return SmallOptions(directory()); }
  [[nodiscard]] std::string PathOf(const std::string& name) const {
    return directory() + "/" + name;
  }
  [[nodiscard]] const WalModel& model() const { return model_; }
  void Swap(const std::string& one, const std::string& other) const {
    fs::rename(PathOf(one), PathOf("swapped"));
    fs::rename(PathOf(other), PathOf(one));
    fs::rename(PathOf("swapped"), PathOf(other));
  }

 private:
  TemporaryDirectory directory_;
  WalModel model_;
};

TEST_CASE("sqlite layout: another number of shards is refused", "[sqlite]") {
  MadeStore store;
  const SqliteWalOptions wrong = store.options().Shards(3);
  CheckRefused(wrong, RaftErrc::InvalidConfiguration, "created with 2 shards");
  CheckRefused(wrong, RaftErrc::InvalidConfiguration, "opened with 3");
  CheckRefused(wrong, RaftErrc::InvalidConfiguration, "set SqliteWalOptions::Shards to 2");
  CheckOpensWith(store.options(), store.model());
}

TEST_CASE("sqlite layout: options out of range are refused", "[sqlite]") {
  TemporaryDirectory directory;
  const SqliteWalOptions options = SmallOptions(directory.PathOf("wal"));
  std::string detail;
  for (const SqliteWalOptions& wrong :
       {SqliteWalOptions(options).Shards(0), SqliteWalOptions(options).Shards(65),
        SqliteWalOptions(options).CacheBytes(2 * 65'536 - 1),
        SqliteWalOptions(options).CheckpointBytes(65'535),
        SqliteWalOptions(options).CheckpointBytes((std::size_t{1} << 30) + 1)}) {
    CHECK(TryOpen(wrong, detail) == RaftErrc::InvalidConfiguration);
    CHECK(detail.find("SqliteWalOptions") != std::string::npos);
  }
  CHECK_FALSE(fs::exists(directory.PathOf("wal")));
  CHECK(
      TryOpen(SqliteWalOptions(options).Shards(64).CacheBytes(64 * 65'536).CheckpointBytes(65'536),
              detail) == error_code());
}

TEST_CASE("sqlite layout: everything in it is private, and nothing is shared", "[sqlite]") {
  MadeStore store;
  std::string detail;
  REQUIRE(TryOpen(store.options(), detail, [&](Wal&) {
            struct stat status;
            REQUIRE(::stat(store.directory().c_str(), &status) == 0);
            CHECK((status.st_mode & 0777) == 0700);
            for (const auto& [name, bytes] : AllFiles(store.directory())) {
              INFO(name);
              REQUIRE(::stat(store.PathOf(name).c_str(), &status) == 0);
              CHECK((status.st_mode & 0777) == 0600);
              CHECK_FALSE(name.ends_with("-shm"));
              CHECK_FALSE(name.ends_with("-journal"));
            }
          }) == error_code());
  CHECK(AllFiles(store.directory()).size() == 2 + 3 * kTestShards);  // and `lock`, `store`
}

TEST_CASE("sqlite layout: shards that were swapped, copied or lost", "[sqlite]") {
  MadeStore store;
  SECTION("swapped") {
    store.Swap("shard-0.db", "shard-1.db");
    store.Swap("shard-0.db-wal", "shard-1.db-wal");
    store.Swap("shard-0.synced", "shard-1.synced");
    CheckRefused(store.options(), RaftErrc::WalCorrupted,
                 "shard-0.db: the file is shard 1 of 2 and stands where shard 0 of 2 should");
  }
  SECTION("journals alone swapped") {
    store.Swap("shard-0.db-wal", "shard-1.db-wal");
    CheckRefused(store.options(), RaftErrc::WalCorrupted, "stands where");
  }
  SECTION("one twice") {
    for (const char* end : {".db", ".db-wal", ".synced"}) {
      fs::copy(store.PathOf(std::string("shard-0") + end),
               store.PathOf(std::string("shard-1") + end), fs::copy_options::overwrite_existing);
    }
    CheckRefused(store.options(), RaftErrc::WalCorrupted,
                 "shard-1.db: the file is shard 0 of 2 and stands where shard 1 of 2 should");
  }
  SECTION("missing") {
    fs::remove(store.PathOf("shard-1.db"));
    CheckRefused(store.options(), RaftErrc::WalCorrupted, "shard-1.db: the file is missing");
  }
  SECTION("its side file missing") {
    fs::remove(store.PathOf("shard-1.synced"));
    CheckRefused(store.options(), RaftErrc::WalCorrupted, "shard-1.synced is missing");
  }
  SECTION("its side file damaged") {
    WriteFile(store.PathOf("shard-1.synced"), "x");
    CheckRefused(store.options(), RaftErrc::WalCorrupted, "shard-1.synced is damaged");
  }
  SECTION("one more") {
    fs::copy(store.PathOf("shard-1.db"), store.PathOf("shard-2.db"));
    CheckRefused(store.options(), RaftErrc::WalCorrupted, "shard-2.db is no file of this store");
  }
  SECTION("emptied") {
    WriteFile(store.PathOf("shard-1.db"), "");
    CheckRefused(store.options(), RaftErrc::WalCorrupted, "shard-1.db: the file is cut");
  }
}

TEST_CASE("sqlite layout: files of something else", "[sqlite]") {
  MadeStore store;
  SECTION("a shard of another store") {
    MadeStore other;
    for (const char* end : {".db", ".db-wal", ".synced"}) {
      fs::copy(other.PathOf(std::string("shard-1") + end),
               store.PathOf(std::string("shard-1") + end), fs::copy_options::overwrite_existing);
    }
    CheckRefused(store.options(), RaftErrc::WalForeign, "belongs to another store");
  }
  SECTION("no database") {
    WriteFile(store.PathOf("shard-1.db"), std::string(20'000, 'x'));
    CheckRefused(store.options(), RaftErrc::WalCorrupted, "shard-1.db: ");
  }
  SECTION("a database of somebody else") {
    fs::remove(store.PathOf("shard-1.db"));
    fs::remove(store.PathOf("shard-1.db-wal"));
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(store.PathOf("shard-1.db").c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, "CREATE TABLE t(x); INSERT INTO t VALUES(1)", nullptr, nullptr,
                         nullptr) == SQLITE_OK);
    sqlite3_close(db);
    CheckRefused(store.options(), RaftErrc::WalCorrupted, "shard-1.db: ");
  }
  SECTION("a hot rollback journal beside a shard") {
    WriteFile(store.PathOf("shard-0.db-journal"),
              std::string("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7") + std::string(9000, '\0'));
    CheckRefused(store.options(), RaftErrc::WalCorrupted, "shard-0.db-journal is no file");
  }
  SECTION("the file `store` damaged") {
    std::string bytes = ReadFile(store.PathOf("store"));
    bytes[18] ^= 1;
    WriteFile(store.PathOf("store"), bytes);
    CheckRefused(store.options(), RaftErrc::WalCorrupted, "`store` is damaged");
  }
  SECTION("the file `store` gone") {
    fs::remove(store.PathOf("store"));
    CheckRefused(store.options(), RaftErrc::WalCorrupted, "no file `store`");
  }
}

TEST_CASE("sqlite layout: another program that has a shard open", "[sqlite]") {
  MadeStore store;
  // Empties the journals: the other program has nothing to write.
  CheckOpensWith(store.options(), store.model());
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(store.PathOf("shard-1.db").c_str(), &db) == SQLITE_OK);
  SECTION("first") {
    REQUIRE(sqlite3_exec(db, "BEGIN; SELECT * FROM store", nullptr, nullptr, nullptr) == SQLITE_OK);
    std::string detail;
    CHECK(TryOpen(store.options(), detail) == RaftErrc::WalLocked);
    CHECK(detail.find("another program") != std::string::npos);
  }
  SECTION("second") {
    std::string detail;
    REQUIRE(TryOpen(store.options(), detail, [&](Wal&) {
              CHECK(sqlite3_exec(db, "SELECT * FROM store", nullptr, nullptr, nullptr) ==
                    SQLITE_BUSY);
            }) == error_code());
  }
  sqlite3_close(db);
  CheckOpensWith(store.options(), store.model());
}

TEST_CASE("sqlite layout: an interrupted creation is begun anew", "[sqlite]") {
  TemporaryDirectory directory;
  const SqliteWalOptions options = SmallOptions(directory.PathOf("wal"));
  fs::create_directory(options.directory());
  const auto leave = [&](const std::string& name, const std::string& bytes) {
    WriteFile(options.directory() + "/" + name, bytes);
  };
  SECTION("nothing but the directory") {}
  SECTION("its note") { leave("store.new", ""); }
  SECTION("a shard that was begun") {
    leave("store.new", "");
    leave("shard-0.synced", "x");
    leave("shard-0.db", "");
    leave("shard-0.db-wal", std::string(9000, 'w'));
  }
  SECTION("more shards than there are to be") {
    leave("store.new", "not yet");
    for (int i = 0; i < 5; ++i) leave("shard-" + std::to_string(i) + ".db", "x");
  }
  SECTION("all but the name") {
    std::string detail;
    REQUIRE(TryOpen(options, detail) == error_code());
    fs::rename(options.directory() + "/store", options.directory() + "/store.new");
  }
  std::string detail;
  const error_code error = TryOpen(
      options, detail, [](Wal& wal) { REQUIRE(wal.Create(MakeIdentity()) == error_code()); });
  INFO(detail);
  REQUIRE(error == error_code());
  CheckOpensWith(options, WalModel());
  CHECK(AllFiles(options.directory()).size() == 2 + 3 * kTestShards);
}

TEST_CASE("sqlite layout: tables of an older version are brought up to date", "[sqlite]") {
  MadeStore store;
  SchemaSteps newer = ReleasedSteps();
  newer.push_back("CREATE TABLE notes(x INTEGER) STRICT; INSERT INTO notes VALUES(7)");
  newer.push_back("ALTER TABLE notes ADD COLUMN y INTEGER");
  SECTION("two versions at once") {
    CheckOpensWith(store.options(), store.model(), newer);
    // The older program knows that it does not know them.
    CheckRefused(store.options(), RaftErrc::WalNewerFormat, "version 3, this program knows 1");
    Connection connection;
    std::int64_t number = 0;
    REQUIRE(connection.Open(store.PathOf("shard-1.db"), 1 << 20) == SQLITE_OK);
    CHECK(connection.Query("SELECT x FROM notes WHERE y IS NULL", number) == SQLITE_OK);
    CHECK(number == 7);
  }
  SECTION("a step that fails changes nothing") {
    const auto before = AllFiles(store.directory());
    SchemaSteps failing = newer;
    failing.push_back("INSERT INTO nowhere VALUES(1)");
    std::string detail;
    CHECK(TryOpen(store.options(), detail, nullptr, failing) == RaftErrc::WalCorrupted);
    CHECK(detail.find("nowhere") != std::string::npos);
    CheckOpensWith(store.options(), store.model());
    CheckOpensWith(store.options(), store.model(), newer);
  }
  SECTION("interrupted between two shards") {
    Connection connection;
    REQUIRE(connection.Open(store.PathOf("shard-0.db"), 1 << 20) == SQLITE_OK);
    connection.AllowWriting();
    REQUIRE(connection.Execute("BEGIN;" + newer[1] + ";" + newer[2] +
                               ";PRAGMA user_version=3;COMMIT") == SQLITE_OK);
    connection.Close();
    CheckOpensWith(store.options(), store.model(), newer);
  }
}

}  // namespace
}  // namespace kommander::storage
