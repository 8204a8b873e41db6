// Files of a SQLite log that were damaged, cut or lost between two of its lives. Acknowledged data
// that is gone is noticed, and noticing changes nothing; what was never acknowledged may go.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "../../conformance/temporary_directory.hpp"
#include "sqlite_files.hpp"

// The vocabulary of the conformance suite asks for this; the cases here bring their own stores.
std::unique_ptr<kommander::conformance::WalStore> kommander::conformance::MakeWalStore() {
  return nullptr;
}

namespace kommander::storage {
namespace {

using conformance::MakeCreation;
using conformance::MakeEntries;
using conformance::MakeEntry;
using conformance::MakeIdentity;
using conformance::MakeUnit;
using conformance::TemporaryDirectory;
using conformance::WalModel;
using conformance::WriteOne;
namespace fs = std::filesystem;

constexpr std::uint32_t kPartition = 1;  // in shard 1
const std::string kJournal = "/shard-1.db-wal";
const std::string kDatabase = "/shard-1.db";

// Copies of a store as a crash would leave it: taken while it is open, after `count` batches of one
// entry each, and after one batch more that nobody waited for.
class CrashedStore {
 public:
  explicit CrashedStore(std::uint64_t count) {
    const std::string origin = directory_.PathOf("origin");
    std::string detail;
    REQUIRE(TryOpen(SmallOptions(origin), detail, [&](Wal& wal) {
              REQUIRE(wal.Create(MakeIdentity()) == error_code());
              for (std::uint64_t i = 1; i <= count + 1; ++i) {
                WriteUnit unit = i == 1 ? MakeCreation(kPartition) : MakeUnit(kPartition);
                unit.entries = {MakeEntry(i, i, Payload(std::string(100, 'x')))};
                unit.hard_state = HardState{Term(i), NodeId(3)};
                if (i == count + 1) {
                  synced_before_ = ReadFile(origin + "/shard-1.synced");
                  journal_bytes_before_ = ReadFile(origin + kJournal).size();
                }
                WriteOne(wal, unit);
                if (i <= count) acknowledged_[kPartition].Apply(unit);
                all_[kPartition].Apply(unit);
              }
              fs::copy(origin, directory_.PathOf("crashed"));
            }) == error_code());
    WriteFile(directory_.PathOf("crashed/shard-1.synced"), synced_before_);
    journal_bytes_ = ReadFile(directory_.PathOf("crashed") + kJournal).size();
    REQUIRE(journal_bytes_ > journal_bytes_before_);
  }

  // A fresh copy to damage. The last batch is in its journal but not in `synced`.
  std::string Fresh() {
    const std::string path = directory_.PathOf("copy" + std::to_string(++copies_));
    fs::copy(directory_.PathOf("crashed"), path);
    return path;
  }
  [[nodiscard]] const WalModel& acknowledged() const { return acknowledged_; }
  [[nodiscard]] const WalModel& all() const { return all_; }
  // Where in the journal the acknowledged batches end, and where the last one does.
  [[nodiscard]] std::size_t journal_bytes_before() const { return journal_bytes_before_; }
  [[nodiscard]] std::size_t journal_bytes() const { return journal_bytes_; }

 private:
  TemporaryDirectory directory_;
  std::string synced_before_;
  std::size_t journal_bytes_before_ = 0;
  std::size_t journal_bytes_ = 0;
  WalModel acknowledged_;
  WalModel all_;
  int copies_ = 0;
};

TEST_CASE("sqlite damage: a copy of a crashed store opens with all of it", "[sqlite][damage]") {
  CrashedStore crashed(20);
  CheckOpensWith(SmallOptions(crashed.Fresh()), crashed.all());
}

TEST_CASE("sqlite damage: a flipped bit in the journal", "[sqlite][damage]") {
  CrashedStore crashed(5);
  for (std::size_t at = 0; at < crashed.journal_bytes(); at += 500) {
    const std::string store = crashed.Fresh();
    std::string bytes = ReadFile(store + kJournal);
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << at / 500 % 8));
    WriteFile(store + kJournal, bytes);
    INFO("byte " << at << " of " << crashed.journal_bytes_before());
    if (at < crashed.journal_bytes_before()) {
      CheckRefused(SmallOptions(store), RaftErrc::WalCorrupted, "acknowledged data is gone");
    } else {
      CheckOpensWith(SmallOptions(store), crashed.acknowledged());
    }
    fs::remove_all(store);
  }
}

TEST_CASE("sqlite damage: the journal cut, zeroed or overwritten from a byte on",
          "[sqlite][damage]") {
  CrashedStore crashed(5);
  const std::size_t before = crashed.journal_bytes_before();
  const std::size_t last = crashed.journal_bytes() - 1;
  for (const std::size_t cut :
       {std::size_t{0}, std::size_t{1}, before / 2, before - 100, before - 1, before, last}) {
    for (const char fill : {'c', 'z', 'g'}) {
      const std::string store = crashed.Fresh();
      std::string bytes = ReadFile(store + kJournal);
      if (fill == 'c') bytes.resize(cut);
      const char filler = fill == 'z' ? '\0' : '\x7b';
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(cut), bytes.end(), filler);
      // A page may end with zeros: no damage then.
      const std::string whole = ReadFile(store + kJournal);
      const bool is_same = bytes == whole;
      const bool is_kept = bytes.substr(0, before) == whole.substr(0, before);
      WriteFile(store + kJournal, bytes);
      INFO("from byte " << cut << " of " << before << ": " << fill);
      if (!is_kept) {
        CheckRefused(SmallOptions(store), RaftErrc::WalCorrupted, "acknowledged data is gone");
      } else {
        CheckOpensWith(SmallOptions(store), is_same ? crashed.all() : crashed.acknowledged());
      }
      fs::remove_all(store);
    }
  }
}

TEST_CASE("sqlite damage: the journal removed", "[sqlite][damage]") {
  CrashedStore crashed(5);
  const std::string store = crashed.Fresh();
  fs::remove(store + kJournal);
  std::string detail;
  CHECK(TryOpen(SmallOptions(store), detail) == RaftErrc::WalCorrupted);
  CHECK(detail.find("acknowledged data is gone") != std::string::npos);
}

// A store whose rows are all in its file, some of its pages free.
class FiledStore {
 public:
  FiledStore() {
    std::string detail;
    REQUIRE(TryOpen(options(), detail, [&](Wal& wal) {
              REQUIRE(wal.Create(MakeIdentity()) == error_code());
              for (const std::uint32_t p : {1u, 3u, 5u, 2u}) {
                WriteUnit unit = MakeCreation(p, MakeEntries(1, 400, 1));
                unit.hard_state = HardState{Term(3), NodeId(1)};
                unit.commit_hint = LogIndex(4);
                WriteOne(wal, unit);
                if (p != 5) model_[p].Apply(unit);
              }
              REQUIRE(wal.DeletePartition(5) == error_code());
            }) == error_code());
    REQUIRE(TryOpen(options(), detail) == error_code());
    REQUIRE(fs::file_size(directory() + kJournal) == 0);
  }
  [[nodiscard]] std::string directory() const { return directory_.PathOf("wal"); }
  [[nodiscard]] SqliteWalOptions options() const { return SmallOptions(directory()); }
  [[nodiscard]] const WalModel& model() const { return model_; }
  // Changes rows behind the back of the log.
  void Change(const std::string& sql) const {
    Connection connection;
    REQUIRE(connection.Open(directory() + kDatabase, 1 << 20) == SQLITE_OK);
    connection.AllowWriting();
    REQUIRE(connection.Execute(sql) == SQLITE_OK);
  }
  // Shard 1 opens; its partition 1 is damaged, its partition 3 is well and takes a write.
  void CheckOnePartitionIsDamaged() const {
    std::string detail;
    const error_code error = TryOpen(options(), detail, [](Wal& wal) {
      RecoveredPartition recovered;
      CHECK(wal.Recover(1, recovered) == RaftErrc::WalCorrupted);
      CHECK(wal.Recover(3, recovered) == error_code());
      CHECK(wal.Recover(2, recovered) == error_code());
      WriteOne(wal, MakeUnit(3, MakeEntries(401, 402, 1)));
    });
    INFO(detail);
    CHECK(error == error_code());
  }

 private:
  TemporaryDirectory directory_;
  WalModel model_;
};

TEST_CASE("sqlite damage: entries that are wrong, missing or misplaced", "[sqlite][damage]") {
  FiledStore store;
  SECTION("a flipped bit") {
    store.Change(
        "UPDATE entries SET record=CAST(substr(record,1,19)||x'ff'||substr(record,21) AS BLOB)"
        "  WHERE partition=1 AND idx=5");
  }
  SECTION("missing") { store.Change("DELETE FROM entries WHERE partition=1 AND idx=5"); }
  SECTION("that of another index") {
    store.Change(
        "UPDATE entries SET record=(SELECT record FROM entries WHERE partition=1 AND idx=4)"
        "  WHERE partition=1 AND idx=5");
  }
  SECTION("that of another partition") {
    store.Change(
        "UPDATE entries SET record=(SELECT record FROM entries WHERE partition=3 AND idx=5)"
        "  WHERE partition=1 AND idx=5");
  }
  std::string detail;
  REQUIRE(TryOpen(store.options(), detail, [](Wal& wal) {
            std::vector<Entry> entries;
            CHECK(wal.Read(1, LogIndex(5), LogIndex(9), 1 << 20, entries) ==
                  RaftErrc::WalCorrupted);
            CHECK(entries.empty());
            CHECK(wal.Read(1, LogIndex(1), LogIndex(4), 1 << 20, entries) == error_code());
            CHECK(entries == MakeEntries(1, 4, 1));
          }) == error_code());
  store.CheckOnePartitionIsDamaged();
}

TEST_CASE("sqlite damage: state records", "[sqlite][damage]") {
  FiledStore store;
  const std::int64_t kind = GENERATE(kBoundaryKind, kHardStateKind, kCommitHintKind);
  const std::string text = std::to_string(kind);
  store.Change(
      "UPDATE partitions SET record=(SELECT record FROM partitions WHERE partition=3 AND"
      "  kind=" +
      text + ") WHERE partition=1 AND kind=" + text);
  store.CheckOnePartitionIsDamaged();
}

// SQLite has no checksum in its pages. A wrong bit among the places of a page's rows would hide
// some of them, and nothing would look wrong.
TEST_CASE("sqlite damage: a flipped bit in any part of a page", "[sqlite][damage]") {
  FiledStore store;
  const std::string bytes = ReadFile(store.directory() + kDatabase);
  // The first page of rows alone with these two: partition 1 was written first.
  constexpr char kLeaf = 10;
  std::size_t page = 0;
  while (page < bytes.size() &&
         (bytes[page] != kLeaf ||
          bytes.substr(page, kPageBytes).find("entry 150/1") == std::string::npos ||
          bytes.substr(page, kPageBytes).find("entry 153/1") == std::string::npos)) {
    page += kPageBytes;
  }
  REQUIRE(page < bytes.size());
  const std::size_t at = GENERATE(0u, 3u, 4u, 5u, 9u, 2000u, 4000u, 4095u);
  INFO("byte " << at << " of page " << page / kPageBytes + 1);
  std::string damaged = bytes;
  damaged[page + at] ^= 2;
  WriteFile(store.directory() + kDatabase, damaged);
  store.CheckOnePartitionIsDamaged();
}

TEST_CASE("sqlite damage: the list of free pages", "[sqlite][damage]") {
  FiledStore store;
  std::string bytes = ReadFile(store.directory() + kDatabase);
  std::size_t page = 0;
  for (std::size_t i = 32; i < 36; ++i) page = page << 8 | static_cast<unsigned char>(bytes[i]);
  REQUIRE(page > 1);
  bytes[(page - 1) * kPageBytes + 11] ^= 1;
  WriteFile(store.directory() + kDatabase, bytes);
  std::string detail;
  CHECK(TryOpen(store.options(), detail) == RaftErrc::WalCorrupted);
  CHECK(detail.find("the checksum of a page is wrong") != std::string::npos);
}

TEST_CASE("sqlite damage: the first page", "[sqlite][damage]") {
  FiledStore store;
  const std::size_t at = GENERATE(0u, 16u, 18u, 20u, 63u, 71u, 200u, 4094u);
  std::string bytes = ReadFile(store.directory() + kDatabase);
  bytes[at] ^= 1;
  WriteFile(store.directory() + kDatabase, bytes);
  INFO("byte " << at);
  CheckRefused(store.options(), RaftErrc::WalCorrupted, "shard-1.db: ");
}

}  // namespace
}  // namespace kommander::storage
