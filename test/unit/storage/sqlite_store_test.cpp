// A SQLite log at work: one shard that fails alone, calls that no caller makes, what is counted.
#include <csignal>
#include <filesystem>
#include <string>
#include <sys/resource.h>
#include <vector>

#include "../../conformance/temporary_directory.hpp"
#include "sqlite_files.hpp"

namespace kommander::storage {
namespace {

using conformance::FirstDifference;
using conformance::MakeCreation;
using conformance::MakeEntries;
using conformance::MakeEntry;
using conformance::MakeIdentity;
using conformance::MakeUnit;
using conformance::ReadAll;
using conformance::RecoverOne;
using conformance::TemporaryDirectory;
using conformance::WalModel;
using conformance::WriteOne;

// No file of this process grows beyond so many bytes: a write that would fails.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit limit{bytes, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

error_code TryWrite(Wal& wal, const WriteUnit& unit) {
  const WriteUnit* pointer = &unit;
  return wal.Write({&pointer, 1});
}

TEST_CASE("sqlite store: an error in one shard ends that shard alone", "[sqlite]") {
  TemporaryDirectory directory;
  const SqliteWalOptions options = SmallOptions(directory.PathOf("wal"));
  WalModel model;
  std::string detail;
  REQUIRE(TryOpen(options, detail, [&](Wal& wal) {
            REQUIRE(wal.FileSets() == 2);
            REQUIRE(wal.Create(MakeIdentity()) == error_code());
            for (std::uint32_t p = 0; p < 4; ++p) {
              const WriteUnit unit = MakeCreation(p, MakeEntries(1, 3, 1));
              WriteOne(wal, unit);
              model[p].Apply(unit);
            }
            const WriteUnit large =
                MakeUnit(1, {MakeEntry(4, 1, Payload(std::string(std::size_t{2} << 20, 'x')))});
            {
              const FileSizeLimit limit(rlim_t{1} << 20);
              CHECK(TryWrite(wal, large) == RaftErrc::StorageFailed);
              // Of the other shard, while the disk is as it is.
              const WriteUnit small = MakeUnit(2, MakeEntries(4, 4, 1));
              CHECK(TryWrite(wal, small) == error_code());
              model[2].Apply(small);
            }
            // The disk is well again, the shard is not.
            CHECK(TryWrite(wal, MakeUnit(3, MakeEntries(4, 4, 1))) == RaftErrc::StorageFailed);
            CHECK(TryWrite(wal, MakeUnit(1)) == RaftErrc::StorageFailed);
            CHECK(wal.DeletePartition(1) == RaftErrc::StorageFailed);
            CHECK(wal.PutMetadata("name", "value") == error_code());
            // What was acknowledged is read, and nothing of the batch that was not.
            CHECK(ReadAll(wal, 1, 1, 9) == MakeEntries(1, 3, 1));
            CHECK(RecoverOne(wal, 1).last_index == LogIndex(3));
            CHECK(FirstDifference(wal, model) == "");
          }) == error_code());
  CheckOpensWith(options, model);
}

TEST_CASE("sqlite store: units of two shards in one call are refused whole", "[sqlite]") {
  TemporaryDirectory directory;
  std::string detail;
  REQUIRE(TryOpen(SmallOptions(directory.PathOf("wal")), detail, [](Wal& wal) {
            const WriteUnit zero = MakeCreation(0);
            const WriteUnit one = MakeCreation(1);
            const std::vector<const WriteUnit*> both{&zero, &one};
            CHECK(wal.Write(both) == RaftErrc::InvalidArgument);
            std::vector<PartitionId> partitions;
            REQUIRE(wal.ListPartitions(partitions) == error_code());
            CHECK(partitions.empty());
            WriteOne(wal, zero);
            WriteOne(wal, one);
          }) == error_code());
}

TEST_CASE("sqlite store: an index without a place in SQLite is refused", "[sqlite]") {
  TemporaryDirectory directory;
  std::string detail;
  REQUIRE(TryOpen(SmallOptions(directory.PathOf("wal")), detail, [](Wal& wal) {
            WriteUnit unit = MakeCreation(0);
            unit.boundary = conformance::MakeBoundary(kIndexMax - 1, 1);
            unit.entries = {MakeEntry(kIndexMax, 1)};
            CHECK(TryWrite(wal, unit) == error_code());
            CHECK(ReadAll(wal, 0, kIndexMax, kIndexMax) == unit.entries);
            CHECK(TryWrite(wal, MakeUnit(0, {MakeEntry(kIndexMax + 1, 1)})) ==
                  RaftErrc::InvalidArgument);
          }) == error_code());
}

TEST_CASE("sqlite store: a long journal goes to the file and begins anew", "[sqlite]") {
  TemporaryDirectory directory;
  const SqliteWalOptions options =
      SmallOptions(directory.PathOf("wal")).CheckpointBytes(std::size_t{64} << 10);
  WalModel model;
  std::string detail;
  REQUIRE(TryOpen(options, detail, [&](Wal& wal) {
            for (std::uint64_t i = 1; i <= 100; ++i) {
              WriteUnit unit = i == 1 ? MakeCreation(0) : MakeUnit(0);
              unit.entries = {MakeEntry(i, 1, Payload(std::string(9000, 'x')))};
              WriteOne(wal, unit);
              model[0].Apply(unit);
            }
            namespace fs = std::filesystem;
            CHECK(fs::file_size(options.directory() + "/shard-0.db-wal") < 160'000);
            CHECK(fs::file_size(options.directory() + "/shard-0.db") > 800'000);
          }) == error_code());
  CheckOpensWith(options, model);
}

TEST_CASE("sqlite store: what is counted", "[sqlite]") {
  TemporaryDirectory directory;
  std::string detail;
  REQUIRE(TryOpen(SmallOptions(directory.PathOf("wal")), detail, [](Wal& wal) {
            WalStatistics now = wal.Statistics();
            CHECK(now.syncs + now.bytes_written + now.batches + now.units == 0);
            WriteOne(wal, MakeCreation(0));
            WriteOne(wal, MakeCreation(1));
            const WalStatistics before = wal.Statistics();
            CHECK(before.batches == 2);
            CHECK(before.units == 2);
            WriteOne(wal, MakeUnit(1, MakeEntries(1, 9, 1)));
            REQUIRE(wal.PutMetadata("name", "value") == error_code());
            now = wal.Statistics();
            CHECK(now.batches - before.batches == 1);
            CHECK(now.units - before.units == 1);
            CHECK(now.syncs - before.syncs == 2);  // of the journal of each shard
            // Whole pages with 24 bytes before each, and a number in `synced`, for each of both.
            const std::uint64_t pages = now.bytes_written - before.bytes_written - 40;
            CHECK(pages % (kPageBytes + 24) == 0);
            CHECK(pages >= 3 * (kPageBytes + 24));
            REQUIRE(wal.FreeBytes());
            CHECK(*wal.FreeBytes() > 0);
          }) == error_code());
}

}  // namespace
}  // namespace kommander::storage
