// Files that were damaged, cut or lost between two lives of a log. Acknowledged data that is gone
// is noticed, and noticing changes nothing; what was never acknowledged may go.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "../../conformance/temporary_directory.hpp"
#include "../../conformance/wal_conformance.hpp"
#include "../../conformance/wal_model.hpp"
#include "catch.hpp"
#include "codec/wal_record.hpp"
#include "rocksdb/keys.hpp"
#include "rocksdb/rocksdb_wal.hpp"
#include "store_files.hpp"

// The vocabulary of the conformance suite asks for this; the cases here bring their own stores.
std::unique_ptr<kommander::conformance::WalStore> kommander::conformance::MakeWalStore() {
  return nullptr;
}

namespace kommander::storage {
namespace {

using conformance::FirstDifference;
using conformance::MakeCreation;
using conformance::MakeEntries;
using conformance::MakeEntry;
using conformance::MakeIdentity;
using conformance::MakeUnit;
using conformance::TemporaryDirectory;
using conformance::WalModel;
using conformance::WriteOne;
namespace fs = std::filesystem;

std::vector<std::string> FilesWith(const std::string& directory, const std::string& suffix) {
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string path = entry.path().string();
    if (path.ends_with(suffix) && entry.file_size() > 0) paths.push_back(path);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// Copies of a store as a crash would leave it: taken while it is open, after `count` batches of one
// entry each, and after one batch more that nobody waited for.
class CrashedStore {
 public:
  explicit CrashedStore(std::uint64_t count, std::size_t body_bytes = 100) {
    // Room for all batches: with a flush under way there are two WAL files or one.
    RocksDbWal wal(
        SmallOptions(directory_.PathOf("origin")).WriteBufferBytes(std::size_t{8} << 20));
    std::optional<StoreIdentity> identity;
    std::string detail;
    REQUIRE(wal.Open(identity, detail) == error_code());
    REQUIRE(wal.Create(MakeIdentity()) == error_code());
    for (std::uint64_t i = 1; i <= count + 1; ++i) {
      WriteUnit unit = i == 1 ? MakeCreation(1) : MakeUnit(1);
      unit.entries = {MakeEntry(i, i, Payload(std::string(body_bytes, 'x')))};
      // The last bytes of a batch; none of them zero, so that its end can be seen in the WAL.
      unit.hard_state = HardState{Term(i), NodeId(0x7f7f7f7f)};
      if (i == count + 1) {
        synced_before_ = ReadFile(directory_.PathOf("origin/synced"));
        log_bytes_before_ = LogBytes();
      }
      WriteOne(wal, unit);
      if (i <= count) acknowledged_[1].Apply(unit);
      all_[1].Apply(unit);
    }
    log_bytes_ = LogBytes();
    Copy(directory_.PathOf("origin"), directory_.PathOf("crashed"));
    WriteFile(directory_.PathOf("crashed/synced"), synced_before_);
  }

  // A fresh copy to damage. The last batch is in its WAL but not in `synced`.
  std::string Fresh() {
    const std::string path = directory_.PathOf("copy" + std::to_string(++copies_));
    Copy(directory_.PathOf("crashed"), path);
    return path;
  }
  static std::string LogOf(const std::string& store) {
    std::vector<std::string> logs = FilesWith(store + "/db", ".log");
    // A spent one of an open store is removed by a thread of RocksDB, when it comes to it.
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (logs.size() > 1 && std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
      logs = FilesWith(store + "/db", ".log");
    }
    REQUIRE(logs.size() == 1);
    return logs[0];
  }
  [[nodiscard]] const WalModel& acknowledged() const { return acknowledged_; }
  [[nodiscard]] const WalModel& all() const { return all_; }
  // Where in the WAL the acknowledged batches end, and where the last one does.
  [[nodiscard]] std::size_t log_bytes_before() const { return log_bytes_before_; }
  [[nodiscard]] std::size_t log_bytes() const { return log_bytes_; }
  static void Copy(const std::string& from, const std::string& to) {
    fs::copy(from, to, fs::copy_options::recursive);
  }

 private:
  // Up to the last byte that is not zero: a WAL is zeroed ahead.
  std::size_t LogBytes() const {
    const std::string bytes = ReadFile(LogOf(directory_.PathOf("origin")));
    return bytes.find_last_not_of('\0') + 1;
  }
  TemporaryDirectory directory_;
  std::string synced_before_;
  std::size_t log_bytes_before_ = 0;
  std::size_t log_bytes_ = 0;
  WalModel acknowledged_;
  WalModel all_;
  int copies_ = 0;
};

// Refused with WalCorrupted, again when asked again, and no file of the database changes.
void CheckRefused(const std::string& store) {
  std::vector<std::string> paths;
  std::vector<std::string> contents;
  for (const auto& entry : fs::recursive_directory_iterator(store)) {
    if (!entry.is_regular_file()) continue;
    paths.push_back(entry.path().string());
    contents.push_back(ReadFile(paths.back()));
  }
  for (int i = 0; i < 2; ++i) {
    std::string detail;
    CHECK(TryOpen(store, detail) == RaftErrc::WalCorrupted);
    CHECK_FALSE(detail.empty());
    CHECK(detail.find('\n') == std::string::npos);
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    INFO(paths[i]);
    CHECK(ReadFile(paths[i]) == contents[i]);
  }
}

void CheckOpensWith(const std::string& store, const WalModel& model) {
  std::string detail;
  std::string difference;
  const error_code error =
      TryOpen(store, detail, [&](Wal& wal) { difference = FirstDifference(wal, model); });
  INFO(detail);
  CHECK(error == error_code());
  CHECK(difference == "");
  const error_code again = TryOpen(store, detail);
  INFO(detail);
  CHECK(again == error_code());
}

TEST_CASE("rocksdb damage: a copy of a crashed store opens with all of it", "[rocksdb][damage]") {
  CrashedStore crashed(20);
  CheckOpensWith(crashed.Fresh(), crashed.all());
}

TEST_CASE("rocksdb damage: a flipped bit in the WAL", "[rocksdb][damage]") {
  CrashedStore crashed(30);
  REQUIRE(crashed.log_bytes_before() > 30 * 100);
  for (std::size_t at = 0; at < crashed.log_bytes(); at += 64) {
    const std::string store = crashed.Fresh();
    std::string bytes = ReadFile(CrashedStore::LogOf(store));
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << at / 64 % 8));
    WriteFile(CrashedStore::LogOf(store), bytes);
    INFO("byte " << at);
    if (at < crashed.log_bytes_before()) {
      CheckRefused(store);
    } else {
      CheckOpensWith(store, crashed.acknowledged());
    }
    fs::remove_all(store);
  }
}

TEST_CASE("rocksdb damage: the WAL cut, zeroed or overwritten from a byte on",
          "[rocksdb][damage]") {
  CrashedStore crashed(10);
  const std::size_t before = crashed.log_bytes_before();
  std::vector<std::size_t> cuts{0, 1, before / 2, before - 100, before - 1};
  for (std::size_t at = before; at < crashed.log_bytes(); at += 3) cuts.push_back(at);
  for (const std::size_t cut : cuts) {
    for (const char fill : {'c', 'z', 'g'}) {
      const std::string store = crashed.Fresh();
      std::string bytes = ReadFile(CrashedStore::LogOf(store));
      if (fill == 'c') bytes.resize(cut);
      const char filler = fill == 'z' ? '\0' : '\x7b';
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(cut), bytes.end(), filler);
      WriteFile(CrashedStore::LogOf(store), bytes);
      INFO("from byte " << cut << " of " << before << ": " << fill);
      if (cut < before) {
        CheckRefused(store);
      } else {
        CheckOpensWith(store, crashed.acknowledged());
      }
      fs::remove_all(store);
    }
  }
}

// RocksDB skips a block of zeros and goes on behind it: the newest batch is there.
TEST_CASE("rocksdb damage: blocks of zeros in the middle of the WAL", "[rocksdb][damage]") {
  constexpr std::size_t kBlock = std::size_t{32} << 10;
  CrashedStore crashed(40, 10'000);
  const std::size_t blocks = crashed.log_bytes_before() / kBlock;
  REQUIRE(blocks > 8);
  for (std::size_t block = 0; block < blocks; ++block) {
    const std::string store = crashed.Fresh();
    std::string bytes = ReadFile(CrashedStore::LogOf(store));
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(block * kBlock), kBlock, '\0');
    WriteFile(CrashedStore::LogOf(store), bytes);
    INFO("block " << block);
    CheckRefused(store);
    fs::remove_all(store);
  }
}

// The same with batches that fill blocks exactly, so that every boundary of a batch is one of a
// block: nothing but the numbers tells.
TEST_CASE("rocksdb damage: whole batches zeroed", "[rocksdb][damage]") {
  constexpr std::size_t kBlock = std::size_t{32} << 10;
  CrashedStore probe(1, 100);
  const std::size_t overhead = probe.log_bytes() - probe.log_bytes_before() - 100;
  // Start each batch where the last ended: the first is padded to the end of a block.
  CrashedStore crashed(30, kBlock - overhead - 2);
  const std::string original = ReadFile(CrashedStore::LogOf(crashed.Fresh()));
  for (std::size_t at = kBlock; at + 2 * kBlock < crashed.log_bytes_before(); at += kBlock) {
    const std::string store = crashed.Fresh();
    std::string bytes = original;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 2 * kBlock, '\0');
    WriteFile(CrashedStore::LogOf(store), bytes);
    INFO("at " << at);
    CheckRefused(store);
    fs::remove_all(store);
  }
}

TEST_CASE("rocksdb damage: the file `synced`", "[rocksdb][damage]") {
  CrashedStore crashed(5);
  const std::string store = crashed.Fresh();
  const std::string path = store + "/synced";
  const std::string bytes = ReadFile(path);
  REQUIRE(bytes.size() == 8192);
  const auto with_torn = [&](std::vector<std::size_t> slots) {
    std::string torn = bytes;
    for (const std::size_t slot : slots) torn[slot * codec::kSyncedSlotStrideBytes + 9] ^= 0x10;
    return torn;
  };
  SECTION("missing") {
    fs::remove(path);
    CheckRefused(store);
  }
  SECTION("empty") {
    WriteFile(path, "");
    CheckRefused(store);
  }
  SECTION("both slots torn") {
    WriteFile(path, with_torn({0, 1}));
    CheckRefused(store);
  }
  SECTION("one slot torn") {
    const std::size_t slot = GENERATE(0u, 1u);
    WriteFile(path, with_torn({slot}));
    CheckOpensWith(store, crashed.all());
    // Mended by the open.
    CHECK(codec::DecodeSyncedSlot(AsBytes(ReadFile(path))));
    CHECK(codec::DecodeSyncedSlot(AsBytes(ReadFile(path)).subspan(4096)));
  }
  SECTION("cut behind the first slot") {
    WriteFile(path, bytes.substr(0, 4096));
    CheckOpensWith(store, crashed.all());
  }
  SECTION("ahead of the database by one") {
    const codec::SyncedSlot slot = codec::EncodeSyncedSlot(9);  // 1 creation, 1 identity, 6 units
    std::string ahead = bytes;
    std::copy_n(reinterpret_cast<const char*>(slot.data()), slot.size(), ahead.begin());
    WriteFile(path, ahead);
    CheckRefused(store);
  }
  SECTION("equal to the database") {
    const codec::SyncedSlot slot = codec::EncodeSyncedSlot(8);
    std::string equal = bytes;
    std::copy_n(reinterpret_cast<const char*>(slot.data()), slot.size(), equal.begin());
    WriteFile(path, equal);
    CheckOpensWith(store, crashed.all());
  }
}

TEST_CASE("rocksdb damage: files of the database that are gone", "[rocksdb][damage]") {
  CrashedStore crashed(5);
  const std::string store = crashed.Fresh();
  SECTION("all of them") { fs::remove_all(store + "/db"); }
  SECTION("CURRENT") { fs::remove(store + "/db/CURRENT"); }
  SECTION("CURRENT and `synced`") {
    fs::remove(store + "/db/CURRENT");
    fs::remove(store + "/synced");
  }
  SECTION("the manifest") {
    for (const auto& entry : fs::directory_iterator(store + "/db")) {
      if (entry.path().filename().string().rfind("MANIFEST", 0) == 0) fs::remove(entry);
    }
  }
  SECTION("the WAL") { fs::remove(CrashedStore::LogOf(store)); }
  CheckRefused(store);
}

// Two WAL files are alive while a memory table waits to be flushed.
TEST_CASE("rocksdb damage: the older of two live WAL files", "[rocksdb][damage]") {
  TemporaryDirectory directory;
  const std::string origin = directory.PathOf("origin");
  const std::string copy = directory.PathOf("copy");
  WalModel model;
  {
    RocksDbWal wal(SmallOptions(origin));
    std::optional<StoreIdentity> identity;
    std::string detail;
    REQUIRE(wal.Open(identity, detail) == error_code());
    REQUIRE(wal.Create(MakeIdentity()) == error_code());
    REQUIRE(wal.database().db().PauseBackgroundWork().ok());
    for (std::uint64_t i = 1; i <= 30; ++i) {
      WriteUnit unit = i == 1 ? MakeCreation(1) : MakeUnit(1);
      unit.entries = {MakeEntry(i, 1, Payload(std::string(50'000, 'x')))};
      WriteOne(wal, unit);
      model[1].Apply(unit);
    }
    CrashedStore::Copy(origin, copy);
    REQUIRE(wal.database().db().ContinueBackgroundWork().ok());
  }
  const std::vector<std::string> logs = FilesWith(copy + "/db", ".log");
  REQUIRE(logs.size() == 2);
  SECTION("whole") { CheckOpensWith(copy, model); }
  SECTION("removed") {
    fs::remove(logs[0]);
    CheckRefused(copy);
  }
  SECTION("emptied") {
    WriteFile(logs[0], "");
    CheckRefused(copy);
  }
  SECTION("cut") {
    const std::string bytes = ReadFile(logs[0]);
    WriteFile(logs[0], bytes.substr(0, bytes.size() / 2));
    CheckRefused(copy);
  }
  SECTION("zeroed") {
    WriteFile(logs[0], std::string(ReadFile(logs[0]).size(), '\0'));
    CheckRefused(copy);
  }
  SECTION("a flipped bit in the middle") {
    std::string bytes = ReadFile(logs[0]);
    bytes[bytes.size() / 2] ^= 1;
    WriteFile(logs[0], bytes);
    CheckRefused(copy);
  }
  SECTION("the newer one removed") {
    fs::remove(logs[1]);
    CheckRefused(copy);
  }
}

TEST_CASE("rocksdb damage: a sorted file concerns the partitions in the damaged block",
          "[rocksdb][damage]") {
  TemporaryDirectory directory;
  const std::string store = directory.PathOf("wal");
  constexpr std::uint32_t kPartitions = 8;
  std::string detail;
  REQUIRE(TryOpen(store, detail, [](Wal& wal) {
            REQUIRE(wal.Create(MakeIdentity()) == error_code());
            for (std::uint32_t p = 0; p < kPartitions; ++p) {
              std::vector<Entry> entries;
              for (std::uint64_t i = 1; i <= 20; ++i) {
                entries.push_back(
                    MakeEntry(i, 1, Payload(std::string(4000, static_cast<char>('A' + p)))));
              }
              WriteOne(wal, MakeCreation(p, entries));
            }
          }) == error_code());
  REQUIRE(TryOpen(store, detail) == error_code());  // flushes
  std::string damaged_path;
  std::size_t at = std::string::npos;
  for (const std::string& path : FilesWith(store + "/db", ".sst")) {
    const std::size_t found = ReadFile(path).find(std::string(100, 'D'));
    if (found == std::string::npos) continue;
    damaged_path = path;
    at = found;
  }
  REQUIRE(at != std::string::npos);
  std::string bytes = ReadFile(damaged_path);
  bytes[at] ^= 4;
  WriteFile(damaged_path, bytes);
  const error_code error = TryOpen(store, detail, [](Wal& wal) {
    for (std::uint32_t p = 0; p < kPartitions; ++p) {
      RecoveredPartition recovered;
      std::vector<Entry> entries;
      INFO("partition " << p);
      if (p == 'D' - 'A') {
        CHECK(wal.Recover(p, recovered) == RaftErrc::WalCorrupted);
        CHECK(wal.Read(p, LogIndex(1), LogIndex(20), 1 << 20, entries) == RaftErrc::WalCorrupted);
        CHECK(entries.empty());
      } else if (p == 0 || p == kPartitions - 1) {
        CHECK(wal.Recover(p, recovered) == error_code());
        CHECK(wal.Read(p, LogIndex(1), LogIndex(20), 1 << 20, entries) == error_code());
        CHECK(entries.size() == 20);
      }
    }
    WriteOne(wal, MakeUnit(0, MakeEntries(21, 25, 1)));
  });
  INFO(detail);
  CHECK(error == error_code());
}

// A record that RocksDB returns in good faith but that is not the one that was written.
TEST_CASE("rocksdb damage: entries that are wrong, missing or misplaced inside the database",
          "[rocksdb][damage]") {
  TemporaryDirectory directory;
  RocksDbWal wal(SmallOptions(directory.PathOf("wal")));
  std::optional<StoreIdentity> identity;
  std::string detail;
  REQUIRE(wal.Open(identity, detail) == error_code());
  WriteOne(wal, MakeCreation(1, MakeEntries(1, 9, 1)));
  WriteOne(wal, MakeCreation(2, MakeEntries(1, 9, 1)));
  rocksdb::DB& db = wal.database().db();
  const EntryKey key(1, LogIndex(5));
  std::string value;
  REQUIRE(db.Get({}, key.slice(), &value).ok());
  SECTION("a flipped bit") {
    value[20] ^= 1;
    REQUIRE(db.Put({}, key.slice(), value).ok());
  }
  SECTION("missing") { REQUIRE(db.Delete({}, key.slice()).ok()); }
  SECTION("that of another index") {
    REQUIRE(db.Get({}, EntryKey(1, LogIndex(4)).slice(), &value).ok());
    REQUIRE(db.Put({}, key.slice(), value).ok());
  }
  SECTION("that of another partition") {
    REQUIRE(db.Get({}, EntryKey(2, LogIndex(5)).slice(), &value).ok());
    REQUIRE(db.Put({}, key.slice(), value).ok());
  }
  RecoveredPartition recovered;
  CHECK(wal.Recover(1, recovered) == RaftErrc::WalCorrupted);
  std::vector<Entry> entries;
  CHECK(wal.Read(1, LogIndex(5), LogIndex(9), 1 << 20, entries) == RaftErrc::WalCorrupted);
  CHECK(wal.Read(1, LogIndex(1), LogIndex(4), 1 << 20, entries) == error_code());
  CHECK(entries == MakeEntries(1, 4, 1));
  CHECK(wal.Recover(2, recovered) == error_code());
}

TEST_CASE("rocksdb damage: state records", "[rocksdb][damage]") {
  TemporaryDirectory directory;
  RocksDbWal wal(SmallOptions(directory.PathOf("wal")));
  std::optional<StoreIdentity> identity;
  std::string detail;
  REQUIRE(wal.Open(identity, detail) == error_code());
  for (std::uint32_t p = 1; p <= 2; ++p) {
    WriteUnit unit = MakeCreation(p, MakeEntries(1, 9, 1));
    unit.hard_state = HardState{Term(3), NodeId(1)};
    unit.commit_hint = LogIndex(4);
    WriteOne(wal, unit);
  }
  const char tag = GENERATE(StateKey::kBoundary, StateKey::kHardState, StateKey::kCommitHint);
  rocksdb::DB& db = wal.database().db();
  rocksdb::ColumnFamilyHandle* state = wal.database().state();
  std::string value;
  REQUIRE(db.Get({}, state, StateKey(tag, 2).slice(), &value).ok());
  REQUIRE(db.Put({}, state, StateKey(tag, 1).slice(), value).ok());
  RecoveredPartition recovered;
  CHECK(wal.Recover(1, recovered) == RaftErrc::WalCorrupted);
  CHECK(wal.Recover(2, recovered) == error_code());
}

}  // namespace
}  // namespace kommander::storage
