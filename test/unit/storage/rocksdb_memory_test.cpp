// Memory that is lent to the log: it is used, it is shared, and it is given back.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <rocksdb/cache.h>
#include <rocksdb/write_buffer_manager.h>

#include "../../conformance/temporary_directory.hpp"
#include "../../conformance/wal_conformance.hpp"
#include "../../conformance/wal_model.hpp"
#include "catch.hpp"
#include "rocksdb/rocksdb_wal.hpp"

namespace kommander::storage {
namespace {

using conformance::MakeCreation;
using conformance::MakeEntry;
using conformance::MakeUnit;
using conformance::TemporaryDirectory;
using conformance::WriteOne;

constexpr std::size_t kMebibyte = std::size_t{1} << 20;
constexpr std::size_t kBodyBytes = 32 << 10;
constexpr std::uint64_t kEntries = 256;  // 8 MiB

// A log with entries, for which its own write buffer has room.
class FilledWal {
 public:
  FilledWal(const std::string& directory, RocksDbMemory lent)
      : wal_(RocksDbWalOptions(directory).WriteBufferBytes(64 * kMebibyte), std::move(lent)) {
    Open();
    for (std::uint64_t i = 1; i <= kEntries; ++i) {
      WriteUnit unit = i == 1 ? MakeCreation(1) : MakeUnit(1);
      unit.entries = {MakeEntry(i, 1, Payload(std::string(kBodyBytes, 'x')))};
      WriteOne(wal_, unit);
    }
  }
  // What is in memory tables goes to files, and what was cached is forgotten by this log.
  void Reopen() {
    wal_.Close();
    Open();
  }
  error_code ReadAll(std::vector<Entry>& entries) {
    return wal_.Read(PartitionId(1), LogIndex(1), LogIndex(kEntries), 64 * kMebibyte, entries);
  }
  [[nodiscard]] std::uint64_t FilesOfEntries() {
    rocksdb::ColumnFamilyMetaData files;
    wal_.database().db().GetColumnFamilyMetaData(wal_.database().log(), &files);
    return files.file_count;
  }

 private:
  void Open() {
    std::optional<StoreIdentity> identity;
    std::string detail;
    const error_code error = wal_.Open(identity, detail);
    INFO(detail);
    REQUIRE(error == error_code());
  }
  RocksDbWal wal_;
};

TEST_CASE("rocksdb memory: blocks of two logs go to one lent cache", "[rocksdb]") {
  TemporaryDirectory directory;
  const auto cache = rocksdb::NewLRUCache(64 * kMebibyte);
  const auto lent = RocksDbMemory().BlockCache(cache);
  {
    FilledWal first(directory.PathOf("first"), lent);
    FilledWal second(directory.PathOf("second"), lent);
    std::size_t used = 0;
    for (FilledWal* wal : {&first, &second}) {
      wal->Reopen();
      std::vector<Entry> entries;
      REQUIRE(wal->ReadAll(entries) == error_code());
      REQUIRE(entries.size() == kEntries);
      CHECK(cache->GetUsage() >= used + kEntries * kBodyBytes);
      used = cache->GetUsage();
    }
  }
  CHECK(cache.use_count() == 2);  // here and in `lent`
}

TEST_CASE("rocksdb memory: a lent cache that takes no more is no damage", "[rocksdb]") {
  TemporaryDirectory directory;
  const auto cache = rocksdb::NewLRUCache(64 * kMebibyte, 0);
  FilledWal wal(directory.PathOf("wal"), RocksDbMemory().BlockCache(cache));
  wal.Reopen();
  cache->SetStrictCapacityLimit(true);
  cache->SetCapacity(0);
  std::vector<Entry> entries;
  CHECK(wal.ReadAll(entries) == RaftErrc::StorageFailed);
  cache->SetStrictCapacityLimit(false);
  entries.clear();
  CHECK(wal.ReadAll(entries) == error_code());
  CHECK(entries.size() == kEntries);
}

TEST_CASE("rocksdb memory: a lent manager counts new entries and has them flushed", "[rocksdb]") {
  TemporaryDirectory directory;
  SECTION("with room") {
    const auto manager = std::make_shared<rocksdb::WriteBufferManager>(64 * kMebibyte);
    {
      FilledWal wal(directory.PathOf("wal"), RocksDbMemory().WriteBuffers(manager));
      CHECK(manager->memory_usage() >= kEntries * kBodyBytes);
      CHECK(wal.FilesOfEntries() == 0);
    }
    CHECK(manager.use_count() == 1);
    CHECK(manager->memory_usage() == 0);
  }
  SECTION("full") {
    const auto manager = std::make_shared<rocksdb::WriteBufferManager>(2 * kMebibyte);
    FilledWal wal(directory.PathOf("wal"), RocksDbMemory().WriteBuffers(manager));
    CHECK(wal.FilesOfEntries() > 0);
    std::vector<Entry> entries;
    CHECK(wal.ReadAll(entries) == error_code());
    CHECK(entries.size() == kEntries);
  }
}

}  // namespace
}  // namespace kommander::storage
