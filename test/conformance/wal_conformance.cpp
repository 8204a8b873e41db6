// The suite's directed cases. Each checks the log as it is, and again after a restart.
#include "wal_conformance.hpp"

#include <algorithm>
#include <string>

#include "catch.hpp"

namespace kommander::conformance {
namespace {

// Runs `check` now and after a restart.
template <class Check>
void NowAndAfterRestart(OpenStore& wal, Check check) {
  {
    INFO("before the restart");
    check();
  }
  wal.Restart();
  INFO("after the restart");
  check();
}

TEST_CASE("wal: a new store has no identity, partition or metadata", "[wal]") {
  OpenStore wal;
  NowAndAfterRestart(wal, [&] {
    CHECK_FALSE(wal.identity());
    std::vector<PartitionId> partitions{PartitionId(5)};
    CHECK(wal->ListPartitions(partitions) == error_code());
    CHECK(partitions.empty());
    RecoveredPartition recovered;
    CHECK(wal->Recover(PartitionId(0), recovered) == RaftErrc::PartitionNotFound);
    std::optional<Payload> value = Payload("x");
    CHECK(wal->GetMetadata("x", value) == error_code());
    CHECK_FALSE(value);
    std::vector<Entry> entries{MakeEntry(1, 1)};
    CHECK(wal->Read(PartitionId(0), LogIndex(1), LogIndex(9), 100, entries) == error_code());
    CHECK(entries.empty());
  });
}

TEST_CASE("wal: the identity is given once and kept", "[wal]") {
  OpenStore wal;
  REQUIRE(wal->Create(MakeIdentity()) == error_code());
  StoreIdentity other = MakeIdentity();
  other.incarnation = Incarnation(1);
  CHECK(wal->Create(other) == RaftErrc::WalForeign);
  wal.Restart();
  REQUIRE(wal.identity());
  CHECK(*wal.identity() == MakeIdentity());
  CHECK(wal->Create(other) == RaftErrc::WalForeign);
  wal.Restart();
  CHECK(*wal.identity() == MakeIdentity());
}

TEST_CASE("wal: partitions are created by a boundary and listed in ascending order", "[wal]") {
  OpenStore wal;
  const std::vector<PartitionId> ids{0u, 1u, 255u, 256u, 65'536u, 0xffff'ffffu};
  std::vector<WriteUnit> units;
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) units.push_back(MakeCreation(*id));
  WriteAll(*wal, units);
  NowAndAfterRestart(wal, [&] {
    std::vector<PartitionId> listed;
    REQUIRE(wal->ListPartitions(listed) == error_code());
    CHECK(listed == ids);
    for (const PartitionId id : ids) {
      const RecoveredPartition recovered = RecoverOne(*wal, id);
      CHECK(recovered.boundary == MakeBoundary(0, 0));
      CHECK(recovered.hard_state == HardState());
      CHECK(recovered.last_index == LogIndex(0));
      CHECK(recovered.commit_hint == LogIndex(0));
      CHECK(recovered.terms.empty());
      CHECK(recovered.configuration_entries.empty());
    }
    RecoveredPartition recovered;
    CHECK(wal->Recover(PartitionId(2), recovered) == RaftErrc::PartitionNotFound);
  });
}

TEST_CASE("wal: entries come back whole, with runs of terms and configurations", "[wal]") {
  OpenStore wal;
  std::vector<Entry> entries = MakeEntries(1, 3, 1);
  entries.push_back(MakeEntry(4, 2, Payload(), EntryKind::kNoop));
  entries.push_back(MakeEntry(5, 2, "new members", EntryKind::kConfiguration));
  for (const Entry& entry : MakeEntries(6, 8, 2)) entries.push_back(entry);
  entries.push_back(MakeEntry(9, 0xffff'ffff'ffff, "more members", EntryKind::kConfiguration));
  WriteOne(*wal, MakeCreation(3, {entries.begin(), entries.begin() + 5}));
  WriteOne(*wal, MakeUnit(3, {entries.begin() + 5, entries.end()}));
  NowAndAfterRestart(wal, [&] {
    CHECK(ReadAll(*wal, 3, 1, 9) == entries);
    const RecoveredPartition recovered = RecoverOne(*wal, 3);
    CHECK(recovered.last_index == LogIndex(9));
    const std::vector<TermRun> terms{
        {LogIndex(1), Term(1)}, {LogIndex(4), Term(2)}, {LogIndex(9), Term(0xffff'ffff'ffff)}};
    CHECK(recovered.terms == terms);
    CHECK(recovered.configuration_entries == std::vector<Entry>{entries[4], entries[8]});
  });
}

TEST_CASE("wal: hard state and commit hint are those of the newest unit that had one", "[wal]") {
  OpenStore wal;
  WriteUnit unit = MakeCreation(1, MakeEntries(1, 4, 5));
  unit.hard_state = HardState{Term(5), NodeId(2)};
  unit.commit_hint = LogIndex(2);
  WriteOne(*wal, unit);
  WriteOne(*wal, MakeUnit(1, MakeEntries(5, 5, 5)));
  NowAndAfterRestart(wal, [&] {
    CHECK(RecoverOne(*wal, 1).hard_state == HardState{Term(5), NodeId(2)});
    CHECK(RecoverOne(*wal, 1).commit_hint == LogIndex(2));
  });
  WriteUnit next = MakeUnit(1);
  next.hard_state = HardState{Term(6), NodeId()};
  WriteOne(*wal, next);
  NowAndAfterRestart(wal, [&] {
    CHECK(RecoverOne(*wal, 1).hard_state == HardState{Term(6), NodeId()});
    CHECK(RecoverOne(*wal, 1).commit_hint == LogIndex(2));
    CHECK(RecoverOne(*wal, 1).last_index == LogIndex(5));
  });
}

TEST_CASE("wal: truncate and append in one unit replace the tail", "[wal]") {
  OpenStore wal;
  WriteOne(*wal, MakeCreation(1, MakeEntries(1, 100, 1)));
  WriteOne(*wal, MakeCreation(2, MakeEntries(1, 5, 1)));
  const std::uint64_t appended = GENERATE(0u, 1u, 10u, 94u, 95u, 96u, 200u);
  WriteUnit unit = MakeUnit(1, MakeEntries(6, 5 + appended, 2));
  unit.truncate_from = LogIndex(6);
  unit.hard_state = HardState{Term(2), NodeId(1)};
  WriteOne(*wal, unit);
  NowAndAfterRestart(wal, [&] {
    const RecoveredPartition recovered = RecoverOne(*wal, 1);
    CHECK(recovered.last_index == LogIndex(5 + appended));
    std::vector<Entry> expected = MakeEntries(1, 5, 1);
    for (const Entry& entry : unit.entries) expected.push_back(entry);
    CHECK(ReadAll(*wal, 1, 1, 1000) == expected);
    CHECK(recovered.hard_state == *unit.hard_state);
    CHECK(RecoverOne(*wal, 2).last_index == LogIndex(5));
  });
  WriteOne(*wal, MakeUnit(1, MakeEntries(6 + appended, 7 + appended, 3)));
  NowAndAfterRestart(wal, [&] { CHECK(RecoverOne(*wal, 1).last_index == LogIndex(7 + appended)); });
}

TEST_CASE("wal: a truncation beyond the end changes nothing", "[wal]") {
  OpenStore wal;
  WriteOne(*wal, MakeCreation(1, MakeEntries(1, 3, 1)));
  WriteUnit unit = MakeUnit(1, MakeEntries(4, 4, 1));
  unit.truncate_from = LogIndex(4);
  WriteOne(*wal, unit);
  NowAndAfterRestart(wal, [&] { CHECK(ReadAll(*wal, 1, 1, 9) == MakeEntries(1, 4, 1)); });
}

TEST_CASE("wal: a boundary removes the prefix and keeps the rest", "[wal]") {
  OpenStore wal;
  WriteOne(*wal, MakeCreation(1, MakeEntries(1, 20, 1)));
  const std::uint64_t boundary = GENERATE(0u, 1u, 7u, 19u, 20u, 30u);
  WriteUnit unit = MakeUnit(1);
  unit.boundary = MakeBoundary(boundary, 1);
  unit.commit_hint = LogIndex(boundary);
  WriteOne(*wal, unit);
  const std::uint64_t last = std::max<std::uint64_t>(boundary, 20);
  NowAndAfterRestart(wal, [&] {
    const RecoveredPartition recovered = RecoverOne(*wal, 1);
    CHECK(recovered.boundary == *unit.boundary);
    CHECK(recovered.last_index == LogIndex(last));
    CHECK(recovered.terms.empty() == (last == boundary));
    if (!recovered.terms.empty()) CHECK(recovered.terms[0].first == LogIndex(boundary + 1));
    CHECK(ReadAll(*wal, 1, boundary + 1, 99) == MakeEntries(boundary + 1, 20, 1));
    std::vector<Entry> entries;
    REQUIRE(wal->Read(1, LogIndex(boundary), LogIndex(20), 1000, entries) == error_code());
    CHECK(entries.empty());
  });
  WriteOne(*wal, MakeUnit(1, MakeEntries(last + 1, last + 2, 2)));
  NowAndAfterRestart(wal, [&] { CHECK(RecoverOne(*wal, 1).last_index == LogIndex(last + 2)); });
}

TEST_CASE("wal: a boundary that drops the log leaves nothing of it", "[wal]") {
  OpenStore wal;
  WriteOne(*wal, MakeCreation(1, MakeEntries(1, 20, 1)));
  WriteOne(*wal, MakeCreation(2, MakeEntries(1, 20, 1)));
  const std::uint64_t boundary = GENERATE(5u, 20u, 40u);
  const std::uint64_t appended = GENERATE(0u, 3u);
  WriteUnit unit = MakeUnit(1, MakeEntries(boundary + 1, boundary + appended, 4));
  unit.boundary = MakeBoundary(boundary, 3);
  unit.drop_log = true;
  WriteOne(*wal, unit);
  NowAndAfterRestart(wal, [&] {
    const RecoveredPartition recovered = RecoverOne(*wal, 1);
    CHECK(recovered.boundary == *unit.boundary);
    CHECK(recovered.last_index == LogIndex(boundary + appended));
    CHECK(ReadAll(*wal, 1, boundary + 1, 99) == unit.entries);
    CHECK(ReadAll(*wal, 1, boundary + appended + 1, 99).empty());
    CHECK(ReadAll(*wal, 2, 1, 99).size() == 20);
  });
}

TEST_CASE("wal: a read stops after the entry that reaches the byte limit", "[wal]") {
  OpenStore wal;
  std::vector<Entry> entries;
  for (std::uint64_t i = 1; i <= 10; ++i) {
    entries.push_back(MakeEntry(i, 1, std::string(i * 100, static_cast<char>('a' + i))));
  }
  WriteOne(*wal, MakeCreation(1, entries));
  NowAndAfterRestart(wal, [&] {
    for (std::size_t limit : {0u, 1u, 139u, 140u, 141u, 380u, 381u, 5900u, 100'000u}) {
      std::size_t count = 0;
      std::size_t bytes = 0;
      do bytes += entries[count++].SizeBytes();
      while (bytes < limit && count < entries.size());
      std::vector<Entry> read;
      REQUIRE(wal->Read(1, LogIndex(1), LogIndex(10), limit, read) == error_code());
      INFO("limit " << limit);
      CHECK(read == std::vector<Entry>(entries.begin(),
                                       entries.begin() + static_cast<std::ptrdiff_t>(count)));
    }
  });
}

TEST_CASE("wal: a read outside of the log is empty, one past its end is cut", "[wal]") {
  OpenStore wal;
  WriteUnit unit = MakeCreation(1);
  unit.boundary = MakeBoundary(10, 1);
  unit.entries = MakeEntries(11, 15, 1);
  WriteOne(*wal, unit);
  WriteOne(*wal, MakeCreation(2, MakeEntries(1, 50, 1)));
  const auto read = [&](std::uint64_t first, std::uint64_t last) {
    std::vector<Entry> entries{MakeEntry(77, 7)};
    REQUIRE(wal->Read(1, LogIndex(first), LogIndex(last), 1 << 20, entries) == error_code());
    return entries;
  };
  NowAndAfterRestart(wal, [&] {
    CHECK(read(0, 15).empty());
    CHECK(read(10, 15).empty());
    CHECK(read(16, 16).empty());
    CHECK(read(16, ~std::uint64_t{0}).empty());
    CHECK(read(13, 12).empty());
    CHECK(read(13, 13) == MakeEntries(13, 13, 1));
    CHECK(read(14, ~std::uint64_t{0}) == MakeEntries(14, 15, 1));
    CHECK(read(11, 15) == MakeEntries(11, 15, 1));
  });
}

TEST_CASE("wal: one batch spans many partitions, each whole", "[wal]") {
  OpenStore wal;
  std::vector<WriteUnit> units;
  for (std::uint32_t p = 0; p < 300; ++p) units.push_back(MakeCreation(p, MakeEntries(1, 3, 1)));
  WriteAll(*wal, units);
  for (WriteUnit& unit : units) {
    unit = MakeUnit(unit.partition, MakeEntries(3, 3 + unit.partition.value() % 4, 2));
    unit.truncate_from = LogIndex(3);
    unit.hard_state = HardState{Term(2), NodeId(unit.partition.value() + 1)};
  }
  WriteAll(*wal, units);
  NowAndAfterRestart(wal, [&] {
    for (const WriteUnit& unit : units) {
      const RecoveredPartition recovered = RecoverOne(*wal, unit.partition);
      REQUIRE(recovered.last_index == unit.entries.back().index);
      REQUIRE(recovered.hard_state == *unit.hard_state);
      REQUIRE(ReadAll(*wal, unit.partition, 3, 99) == unit.entries);
    }
  });
}

TEST_CASE("wal: a batch is counted", "[wal]") {
  OpenStore wal;
  const PartitionId other = SameFileSet(*wal, 1);
  WriteAll(*wal, std::vector<WriteUnit>{MakeCreation(1), MakeCreation(other)});
  const WalStatistics before = wal->Statistics();
  WriteAll(*wal, std::vector<WriteUnit>{MakeUnit(1, MakeEntries(1, 9, 1)),
                                        MakeUnit(other, MakeEntries(1, 9, 1))});
  const WalStatistics after = wal->Statistics();
  CHECK(after.batches - before.batches == 1);
  CHECK(after.units - before.units == 2);
  CHECK(after.syncs - before.syncs == 1);
  CHECK(after.bytes_written - before.bytes_written >= 18 * 9);
}

TEST_CASE("wal: a deleted partition is gone and can be created anew", "[wal]") {
  OpenStore wal;
  for (const std::uint32_t p : {1u, 2u, 3u, 0xffff'ffffu}) {
    WriteUnit unit = MakeCreation(p, MakeEntries(1, 9, 4));
    unit.hard_state = HardState{Term(4), NodeId(1)};
    unit.commit_hint = LogIndex(4);
    WriteOne(*wal, unit);
  }
  REQUIRE(wal->DeletePartition(2) == error_code());
  REQUIRE(wal->DeletePartition(0xffff'ffffu) == error_code());
  CHECK(wal->DeletePartition(99) == error_code());
  NowAndAfterRestart(wal, [&] {
    std::vector<PartitionId> listed;
    REQUIRE(wal->ListPartitions(listed) == error_code());
    CHECK(listed == std::vector<PartitionId>{1u, 3u});
    RecoveredPartition recovered;
    CHECK(wal->Recover(2, recovered) == RaftErrc::PartitionNotFound);
    CHECK(ReadAll(*wal, 2, 1, 9).empty());
    CHECK(ReadAll(*wal, 1, 1, 9).size() == 9);
    CHECK(ReadAll(*wal, 3, 1, 9).size() == 9);
  });
  WriteOne(*wal, MakeCreation(2, MakeEntries(1, 2, 1)));
  NowAndAfterRestart(wal, [&] {
    const RecoveredPartition recovered = RecoverOne(*wal, 2);
    CHECK(recovered.last_index == LogIndex(2));
    CHECK(recovered.hard_state == HardState());
    CHECK(recovered.commit_hint == LogIndex(0));
  });
}

TEST_CASE("wal: metadata are kept under any key", "[wal]") {
  OpenStore wal;
  const std::string binary("\0\xff/x", 4);
  REQUIRE(wal->PutMetadata("pin/1", "first") == error_code());
  REQUIRE(wal->PutMetadata("pin/1", "second") == error_code());
  REQUIRE(wal->PutMetadata("pin/10", Payload()) == error_code());
  REQUIRE(wal->PutMetadata(binary, Payload(binary)) == error_code());
  NowAndAfterRestart(wal, [&] {
    std::optional<Payload> value;
    REQUIRE(wal->GetMetadata("pin/1", value) == error_code());
    CHECK((value && value->text() == "second"));
    REQUIRE(wal->GetMetadata("pin/10", value) == error_code());
    CHECK((value && value->empty()));
    REQUIRE(wal->GetMetadata(binary, value) == error_code());
    CHECK((value && value->text() == binary));
    REQUIRE(wal->GetMetadata("pin/", value) == error_code());
    CHECK_FALSE(value);
  });
}

TEST_CASE("wal: entries from empty to 8 MiB", "[wal]") {
  OpenStore wal;
  std::string large(8 << 20, 'x');
  for (std::size_t i = 0; i < large.size(); i += 4093) large[i] = static_cast<char>(i);
  const std::vector<Entry> entries{MakeEntry(1, 1, Payload(), EntryKind::kNoop),
                                   MakeEntry(2, 1, Payload(large)), MakeEntry(3, 1, Payload()),
                                   MakeEntry(4, 1, Payload(large)), MakeEntry(5, 1, "small")};
  WriteOne(*wal, MakeCreation(1, entries));
  NowAndAfterRestart(wal, [&] {
    CHECK(ReadAll(*wal, 1, 1, 5) == entries);
    CHECK(RecoverOne(*wal, 1).last_index == LogIndex(5));
  });
}

TEST_CASE("wal: a unit that does not follow is refused whole", "[wal]") {
  OpenStore wal;
  WriteOne(*wal, MakeCreation(1, MakeEntries(1, 5, 1)));
  WriteUnit good = MakeUnit(1, MakeEntries(6, 6, 1));
  WriteUnit bad = MakeUnit(1, MakeEntries(7, 7, 1));
  SECTION("a hole") {}
  SECTION("an overlap") { bad = MakeUnit(1, MakeEntries(5, 5, 1)); }
  SECTION("a hole among its entries") { bad = MakeUnit(1, {MakeEntry(6, 1), MakeEntry(8, 1)}); }
  SECTION("no such partition") { bad = MakeUnit(SameFileSet(*wal, 1), MakeEntries(1, 1, 1)); }
  SECTION("a boundary that goes back") {
    good.boundary = MakeBoundary(4, 1);
    WriteOne(*wal, good);
    good = MakeUnit(1, MakeEntries(7, 7, 1));
    bad = MakeUnit(1);
    bad.boundary = MakeBoundary(3, 1);
  }
  const RecoveredPartition before = RecoverOne(*wal, 1);
  const WriteUnit creation = MakeCreation(SameFileSet(*wal, 1, 2));
  const std::vector<const WriteUnit*> units{&creation, &bad};
  CHECK(wal->Write(units) == RaftErrc::InvalidArgument);
  CHECK(RecoverOne(*wal, 1).last_index == before.last_index);
  RecoveredPartition recovered;
  CHECK(wal->Recover(creation.partition, recovered) == RaftErrc::PartitionNotFound);
  WriteOne(*wal, good);
}

TEST_CASE("wal: the number of file sets stays what it was", "[wal]") {
  OpenStore wal;
  const std::size_t file_sets = wal->FileSets();
  REQUIRE(file_sets >= 1);
  WriteOne(*wal, MakeCreation(1));
  NowAndAfterRestart(wal, [&] {
    CHECK(wal->FileSets() == file_sets);
    CHECK(wal->FileSetOf(0) == 0);
    CHECK(wal->FileSetOf(SameFileSet(*wal, 5)) == wal->FileSetOf(5));
  });
}

TEST_CASE("wal: an open store is locked, a closed one is not", "[wal]") {
  OpenStore wal;
  REQUIRE(wal->Create(MakeIdentity()) == error_code());
  const std::shared_ptr<Wal> second = wal.store().Attach();
  std::optional<StoreIdentity> identity;
  std::string detail;
  CHECK(second->Open(identity, detail) == RaftErrc::WalLocked);
  CHECK_FALSE(identity);
  CHECK_FALSE(detail.empty());
  CHECK(detail.find('\n') == std::string::npos);
  WriteOne(*wal, MakeCreation(1, MakeEntries(1, 5, 1)));
  wal.Close();
  CHECK(second->Open(identity, detail) == error_code());
  CHECK(identity);
  second->Close();
}

TEST_CASE("wal: a newer format is refused and left alone", "[wal]") {
  OpenStore wal;
  REQUIRE(wal->Create(MakeIdentity()) == error_code());
  wal.Close();
  const bool is_newer = wal.store().MakeNewer();
  REQUIRE(is_newer == wal.store().IsPersistent());
  if (!is_newer) return;
  for (int i = 0; i < 2; ++i) {
    const std::shared_ptr<Wal> newer = wal.store().Attach();
    std::optional<StoreIdentity> identity;
    std::string detail;
    CHECK(newer->Open(identity, detail) == RaftErrc::WalNewerFormat);
    CHECK_FALSE(detail.empty());
    newer->Close();
  }
}

}  // namespace
}  // namespace kommander::conformance
