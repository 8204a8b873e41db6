// The suite over a log of several file sets, and what such a log does when one of them fails.
#include <optional>
#include <string>
#include <vector>

#include <kommander/memory_wal.hpp>
#include <kommander/testing/faulty_wal.hpp>

#include "catch.hpp"
#include "wal_conformance.hpp"

namespace kommander::conformance {
namespace {

// The suite's partitions lie in all of them.
constexpr std::size_t kFileSets = 4;

std::shared_ptr<testing::FaultyWal> MakeWal() {
  return std::make_shared<testing::FaultyWal>(std::make_shared<MemoryWal>(kFileSets));
}

class SeveralSetsStore final : public WalStore {
 public:
  std::shared_ptr<Wal> Attach() override { return wal_; }

 private:
  std::shared_ptr<testing::FaultyWal> wal_ = MakeWal();
};

// Open, with partitions 0 to 7.
std::shared_ptr<testing::FaultyWal> OpenWal() {
  const auto wal = MakeWal();
  std::optional<StoreIdentity> identity;
  std::string detail;
  REQUIRE(wal->Open(identity, detail) == error_code());
  std::vector<WriteUnit> units;
  for (std::uint32_t p = 0; p < 2 * kFileSets; ++p) units.push_back(MakeCreation(p));
  WriteAll(*wal, units);
  return wal;
}

error_code Append(Wal& wal, PartitionId partition, std::uint64_t index) {
  const WriteUnit unit = MakeUnit(partition, MakeEntries(index, index, 1));
  const WriteUnit* const units[] = {&unit};
  return wal.Write(units);
}

TEST_CASE("several sets: a write that mixes them is refused whole") {
  const auto wal = OpenWal();
  CHECK(wal->FileSets() == kFileSets);
  const WriteUnit first = MakeUnit(1, MakeEntries(1, 1, 1));
  const WriteUnit second = MakeUnit(2, MakeEntries(1, 1, 1));
  const WriteUnit* const units[] = {&first, &second};
  CHECK(wal->Write(units) == RaftErrc::InvalidArgument);
  CHECK(RecoverOne(*wal, 1).last_index == LogIndex(0));
  CHECK(RecoverOne(*wal, 2).last_index == LogIndex(0));
  wal->Close();
}

TEST_CASE("several sets: one fails alone, until a restart") {
  const auto wal = OpenWal();
  const bool by_sync = GENERATE(false, true);
  if (by_sync) {
    wal->FailSync(2, 1);
  } else {
    wal->FailWrite(2, 1);
  }
  CHECK(Append(*wal, 0, 1) == error_code());  // of other sets, so not counted
  CHECK(Append(*wal, 2, 1) == error_code());
  CHECK(Append(*wal, 1, 1) == error_code());
  CHECK(wal->faults() == 0);
  CHECK(Append(*wal, 5, 1) == RaftErrc::StorageFailed);  // the second of set 1
  CHECK(RecoverOne(*wal, 5).last_index == LogIndex(by_sync ? 1 : 0));
  CHECK(Append(*wal, 1, 2) == RaftErrc::StorageFailed);
  CHECK(wal->DeletePartition(1) == RaftErrc::StorageFailed);
  for (const std::uint32_t p : {0u, 2u, 3u, 4u, 6u, 7u}) {
    CHECK(Append(*wal, p, RecoverOne(*wal, p).last_index.value() + 1) == error_code());
  }
  CHECK(wal->PutMetadata("key", "value") == error_code());
  CHECK(wal->faults() == 1);
  CHECK(wal->writes_failed() == 2);
  wal->Close();
  std::optional<StoreIdentity> identity;
  std::string detail;
  REQUIRE(wal->Open(identity, detail) == error_code());
  CHECK(Append(*wal, 1, 2) == error_code());
  wal->Close();
}

TEST_CASE("several sets: metadata lie in the set of partition 0") {
  const auto wal = OpenWal();
  wal->FailWrite(1, 0);
  CHECK(Append(*wal, 3, 1) == error_code());
  CHECK(wal->PutMetadata("key", "value") == RaftErrc::StorageFailed);
  CHECK(Append(*wal, 4, 1) == RaftErrc::StorageFailed);
  CHECK(Append(*wal, 1, 1) == error_code());
  wal->Close();
}

}  // namespace

std::unique_ptr<WalStore> MakeWalStore() { return std::make_unique<SeveralSetsStore>(); }

}  // namespace kommander::conformance
