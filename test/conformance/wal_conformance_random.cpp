// The suite's random cases: seeded operations with restarts against a naive model, and readers
// beside a writer.
#include <atomic>
#include <latch>
#include <map>
#include <random>
#include <string>
#include <thread>

#include "catch.hpp"
#include "wal_conformance.hpp"
#include "wal_model.hpp"

namespace kommander::conformance {
namespace {

class RandomRun {
 public:
  explicit RandomRun(std::uint64_t seed) : random_(seed) {}

  void Run(int steps) {
    for (int step = 0; step < steps; ++step) {
      const std::uint64_t dice = Below(100);
      if (dice < 70) {
        WriteBatch();
      } else if (dice < 90) {
        CheckRead(AnyPartition());
      } else if (dice < 94) {
        Delete(AnyPartition());
      } else if (dice < 97) {
        PutMetadata();
      } else {
        wal_.Restart();
        CheckEverything();
      }
    }
    CheckEverything();
  }

 private:
  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }
  PartitionId AnyPartition() { return {static_cast<std::uint32_t>(Below(6) * 0x33333333)}; }

  WriteUnit MakeRandomUnit(PartitionId partition) {
    const auto found = model_.find(partition);
    WriteUnit unit = MakeUnit(partition);
    ModelPartition after;
    if (found == model_.end()) {
      unit.boundary = MakeBoundary(Below(2) * Below(50), 1);
    } else {
      after = found->second;
      const std::uint64_t low = after.boundary.index.value();
      const std::uint64_t last = after.Last();
      if (Below(8) == 0) {
        unit.boundary = MakeBoundary(low + Below(last - low + 10), ++term_);
        unit.drop_log = Below(3) == 0;
      }
      if (Below(4) == 0) unit.truncate_from = LogIndex(low + 1 + Below(last - low + 3));
    }
    after.Apply(unit);
    if (Below(10) == 0) ++term_;
    const std::uint64_t first = after.Last() + 1;
    const std::uint64_t count = Below(Below(5) == 0 ? 200 : 6);
    for (std::uint64_t index = first; index < first + count; ++index) {
      unit.entries.push_back(MakeEntry(index, term_, Payload(std::string(Below(90), 'b')),
                                       static_cast<EntryKind>(Below(9))));
    }
    if (Below(3) == 0) {
      unit.hard_state = HardState{Term(++term_), NodeId(static_cast<std::uint32_t>(Below(4)))};
    }
    if (Below(3) == 0) unit.commit_hint = LogIndex(Below(after.Last() + 1));
    if (Below(4) == 0) {
      unit.application = ApplicationRecord(LogIndex(Below(100)), LogIndex(Below(100)));
    }
    return unit;
  }

  void WriteBatch() {
    std::map<PartitionId, WriteUnit> chosen;
    for (std::uint64_t i = 0; i <= Below(4); ++i) {
      const PartitionId partition = AnyPartition();
      if (!chosen.contains(partition)) chosen[partition] = MakeRandomUnit(partition);
    }
    std::vector<WriteUnit> units;
    for (auto& [partition, unit] : chosen) units.push_back(unit);
    WriteAll(*wal_, units);
    for (const WriteUnit& unit : units) model_[unit.partition].Apply(unit);
  }

  void Delete(PartitionId partition) {
    REQUIRE(wal_->DeletePartition(partition) == error_code());
    model_.erase(partition);
  }

  void PutMetadata() {
    const std::string key = "key" + std::to_string(Below(5));
    metadata_[key] = std::to_string(random_());
    REQUIRE(wal_->PutMetadata(key, metadata_[key]) == error_code());
  }

  void CheckRead(PartitionId partition) {
    const auto found = model_.find(partition);
    const std::uint64_t last = found == model_.end() ? 20 : found->second.Last();
    const std::uint64_t from = Below(last + 4);
    const std::uint64_t to = from + Below(30);
    const std::size_t limit = Below(2000);
    std::vector<Entry> expected;
    std::size_t bytes = 0;
    for (std::uint64_t index = from; found != model_.end() && index <= to; ++index) {
      const auto entry = found->second.entries.find(index);
      if (entry == found->second.entries.end()) break;
      expected.push_back(entry->second);
      bytes += entry->second.SizeBytes();
      if (bytes >= limit) break;
    }
    std::vector<Entry> read;
    REQUIRE(wal_->Read(partition, LogIndex(from), LogIndex(to), limit, read) == error_code());
    REQUIRE(read == expected);
  }

  void CheckEverything() {
    REQUIRE(FirstDifference(*wal_, model_) == "");
    for (const auto& [key, text] : metadata_) {
      std::optional<Payload> value;
      REQUIRE(wal_->GetMetadata(key, value) == error_code());
      REQUIRE((value && value->text() == text));
    }
  }

  std::mt19937_64 random_;
  OpenStore wal_;
  WalModel model_;
  std::map<std::string, std::string> metadata_;
  std::uint64_t term_ = 1;
};

TEST_CASE("wal: random operations and restarts equal a naive model", "[wal][random]") {
  const std::uint64_t seed = GENERATE(1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u);
  INFO("seed " << seed);
  RandomRun(seed).Run(500);
}

TEST_CASE("wal: reads beside writes see whole units", "[wal][threads]") {
  OpenStore wal;
  constexpr std::uint64_t kRounds = 400;
  const PartitionId other = SameFileSet(*wal, 0);
  WriteAll(*wal, std::vector<WriteUnit>{MakeCreation(0, MakeEntries(1, 4, 1)),
                                        MakeCreation(other, MakeEntries(1, 4, 1))});
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> durable{4};  // partition 0 only grows
  std::atomic<int> failures{0};

  // The other is rewritten from index 3 each round: a reader sees entries 3 and 4 of one term.
  const auto read = [&] {
    while (!done.load()) {
      const std::uint64_t last = durable.load();
      std::vector<Entry> tail;
      if (wal->Read(0, LogIndex(last), LogIndex(last), 10, tail) || tail.size() != 1 ||
          tail[0].index != LogIndex(last)) {
        ++failures;
      }
      std::vector<Entry> pair;
      if (wal->Read(other, LogIndex(3), LogIndex(4), 1 << 20, pair) || pair.size() != 2 ||
          pair[0].term != pair[1].term) {
        ++failures;
      }
    }
  };
  std::thread first(read);
  std::thread second(read);
  for (std::uint64_t round = 2; round < kRounds; ++round) {
    const std::uint64_t next = durable.load() + 1;
    std::vector<WriteUnit> units{MakeUnit(0, MakeEntries(next, next, round)),
                                 MakeUnit(other, MakeEntries(3, 4, round))};
    units[1].truncate_from = LogIndex(3);
    std::vector<const WriteUnit*> pointers{&units[0], &units[1]};
    if (wal->Write(pointers)) ++failures;
    durable.store(next);
  }
  done = true;
  first.join();
  second.join();
  CHECK(failures == 0);
}

TEST_CASE("wal: file sets are written beside each other", "[wal][threads]") {
  OpenStore wal;
  const auto file_sets = static_cast<std::uint32_t>(wal->FileSets());
  constexpr std::uint64_t kRounds = 200;
  std::atomic<int> failures{0};
  std::latch begin(file_sets);  // or the first would be done before the last is there
  std::vector<std::thread> writers;
  for (std::uint32_t set = 0; set < file_sets; ++set) {
    writers.emplace_back([&wal, &failures, &begin, set] {
      begin.arrive_and_wait();
      for (std::uint64_t round = 1; round <= kRounds; ++round) {
        const std::vector<Entry> entry = MakeEntries(round, round, 1);
        const WriteUnit unit = round == 1 ? MakeCreation(set, entry) : MakeUnit(set, entry);
        const WriteUnit* const units[] = {&unit};
        if (wal->Write(units)) ++failures;
        // What else a writer does, each on its own file set.
        RecoveredPartition recovered;
        if (wal->Recover(set, recovered) || recovered.last_index != LogIndex(round)) ++failures;
        const PartitionId short_lived = SameFileSet(*wal, set);
        const WriteUnit creation = MakeCreation(short_lived);
        const WriteUnit* const creations[] = {&creation};
        if (wal->Write(creations) || wal->DeletePartition(short_lived)) ++failures;
        if (set == 0 && wal->PutMetadata("round", std::to_string(round))) ++failures;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(failures == 0);
  wal.Restart();
  for (std::uint32_t set = 0; set < file_sets; ++set) {
    CHECK(ReadAll(*wal, set, 1, kRounds) == MakeEntries(1, kRounds, 1));
  }
  std::vector<PartitionId> listed;
  REQUIRE(wal->ListPartitions(listed) == error_code());
  CHECK(listed.size() == file_sets);
}

}  // namespace
}  // namespace kommander::conformance
