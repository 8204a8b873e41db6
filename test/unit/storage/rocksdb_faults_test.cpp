// The log on a disk that fails and loses power: nothing acknowledged is lost, nothing is
// acknowledged after a failure, and no start needs a hand.
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../../conformance/temporary_directory.hpp"
#include "../../conformance/wal_conformance.hpp"
#include "../../conformance/wal_model.hpp"
#include "catch.hpp"
#include "fault_file_system.hpp"
#include "rocksdb/rocksdb_wal.hpp"

namespace kommander::storage {
namespace {

using conformance::FirstDifference;
using conformance::MakeBoundary;
using conformance::MakeCreation;
using conformance::MakeEntry;
using conformance::MakeIdentity;
using conformance::MakeUnit;
using conformance::TemporaryDirectory;
using conformance::WalModel;
using rocksdb::IOStatus;

constexpr std::size_t kSmallBuffer = std::size_t{1} << 20;

// Durability is modelled, so the files may be where a real sync costs nothing.
std::filesystem::path FastDirectory() {
  std::error_code error;
  const std::filesystem::path memory = "/dev/shm";
  return std::filesystem::is_directory(memory, error) ? memory
                                                      : std::filesystem::temp_directory_path();
}

// A directory, the model of its disk, and logs opened over both.
class Machine {
 public:
  Machine() {
    std::filesystem::create_directory(directory_.PathOf("trash"));
    std::filesystem::create_directory(directory_.PathOf("wal"));
    disk_ = std::make_shared<DiskModel>(directory_.PathOf("trash"));
  }
  // The error of the open; the log is in `wal`.
  error_code Start() {
    wal_ = std::make_unique<RocksDbWal>(
        RocksDbWalOptions(directory_.PathOf("wal")).WriteBufferBytes(kSmallBuffer), RocksDbMemory(),
        std::make_shared<FaultFileSystem>(disk_));
    detail_.clear();
    return wal_->Open(identity_, detail_);
  }
  void Stop() { wal_.reset(); }
  DiskModel& disk() { return *disk_; }
  RocksDbWal& wal() { return *wal_; }
  [[nodiscard]] const std::string& detail() const { return detail_; }
  [[nodiscard]] bool has_identity() const { return identity_.has_value(); }

 private:
  TemporaryDirectory directory_{FastDirectory()};
  std::shared_ptr<DiskModel> disk_;
  std::unique_ptr<RocksDbWal> wal_;
  std::optional<StoreIdentity> identity_;
  std::string detail_;
};

// A fixed sequence of calls: small and large appends, truncations, boundaries, votes, over enough
// bytes that RocksDB flushes twice in the background.
class Script {
 public:
  static constexpr int kSteps = 40;

  // Runs until a call fails or all is done.
  void Run(Machine& machine) {
    if (machine.Start()) return;
    is_open = true;
    if (machine.wal().Create(MakeIdentity())) return;
    has_identity = true;
    for (int step = 0; step < kSteps; ++step) {
      const std::vector<WriteUnit> units = MakeStep(step);
      std::vector<const WriteUnit*> pointers;
      for (const WriteUnit& unit : units) pointers.push_back(&unit);
      after_failed_write = acknowledged;
      for (const WriteUnit& unit : units) after_failed_write[unit.partition].Apply(unit);
      if (machine.wal().Write(pointers)) return;
      acknowledged = after_failed_write;
    }
    is_done = true;
  }

  bool is_open = false;
  bool has_identity = false;
  bool is_done = false;
  WalModel acknowledged;
  WalModel after_failed_write;  // the batch that failed may be there or not, whole

 private:
  std::vector<WriteUnit> MakeStep(int step) {
    std::vector<WriteUnit> units;
    for (std::uint32_t p = 0; p < 3; ++p) {
      if ((step + static_cast<int>(p)) % 3 == 2 && step > 0) continue;
      const auto term = static_cast<std::uint64_t>(1 + step);
      auto found = acknowledged.find(p);
      WriteUnit unit = found == acknowledged.end() ? MakeCreation(p) : MakeUnit(p);
      std::uint64_t next = found == acknowledged.end() ? 1 : found->second.Last() + 1;
      if (step % 7 == 3 && next > 3) unit.truncate_from = LogIndex(next -= 2);
      if (step % 11 == 9 && next > 6) unit.boundary = MakeBoundary(next - 5, term);
      const std::size_t bytes = step % 5 == 4 ? 60'000 : 200 * (p + 1);
      for (int i = 0; i < 3; ++i) {
        unit.entries.push_back(MakeEntry(next++, term, Payload(std::string(bytes, 'e'))));
      }
      unit.hard_state = HardState{Term(term), NodeId(p + 1)};
      if (step % 4 == 1) unit.commit_hint = LogIndex(next - 2);
      units.push_back(std::move(unit));
    }
    return units;
  }
};

// After a restart without faults: opens, and holds what was acknowledged and nothing halfway.
void CheckRestart(Machine& machine, const Script& script) {
  machine.disk().Heal();
  const error_code error = machine.Start();
  INFO(machine.detail());
  REQUIRE(error == error_code());
  if (script.has_identity) REQUIRE(machine.has_identity());
  const std::string with_failed = FirstDifference(machine.wal(), script.after_failed_write);
  if (!with_failed.empty()) {
    INFO("with the failed batch: " << with_failed);
    REQUIRE(FirstDifference(machine.wal(), script.acknowledged) == "");
  }
  WriteUnit unit = MakeCreation(77);
  const WriteUnit* pointer = &unit;
  REQUIRE(machine.wal().Write({&pointer, 1}) == error_code());
  machine.Stop();
}

// A store that has failed takes nothing more.
void CheckFailStop(Machine& machine, const Script& script) {
  if (!script.is_open) return;
  machine.disk().Heal();
  const WriteUnit unit = MakeCreation(78);
  const WriteUnit* pointer = &unit;
  for (int i = 0; i < 3; ++i) {
    REQUIRE(machine.wal().Write({&pointer, 1}) == RaftErrc::StorageFailed);
    REQUIRE(machine.wal().PutMetadata("key", "value") == RaftErrc::StorageFailed);
    REQUIRE(machine.wal().DeletePartition(0) == RaftErrc::StorageFailed);
  }
}

std::uint64_t CountOperations() {
  Machine machine;
  Script script;
  script.Run(machine);
  REQUIRE(script.is_done);
  REQUIRE(machine.disk().syncs_of_sorted_files() > 0);
  const std::uint64_t count = machine.disk().operations();
  machine.Stop();
  return count;
}

// One life with a failure at operation `nth`, one loss of power, one restart.
void FailOnce(std::uint64_t nth, bool is_dead, std::mt19937_64& random) {
  const IOStatus failure =
      random() % 2 == 0 ? IOStatus::NoSpace("injected") : IOStatus::IOError("injected");
  INFO("operation " << nth << (is_dead ? ", for good" : ""));
  Machine machine;
  Script script;
  machine.disk().FailAt(nth, failure, is_dead);
  script.Run(machine);
  if (!script.is_done) CheckFailStop(machine, script);
  machine.Stop();
  machine.disk().LosePower(random() % 2 == 0 ? nullptr : &random);
  CheckRestart(machine, script);
}

// RocksDB's own threads pause for a second after a failure: a sample here, the rest on request.
TEST_CASE("rocksdb wal: an error at many an operation, then the power fails", "[rocksdb][faults]") {
  const std::uint64_t count = CountOperations();
  REQUIRE(count > 100);
  std::mt19937_64 random(1);
  for (std::uint64_t nth = 1; nth <= count; nth += 5) FailOnce(nth, nth % 2 == 0, random);
}

TEST_CASE("rocksdb wal: an error at every operation, then the power fails",
          "[.][rocksdb][faults][slow]") {
  const std::uint64_t count = CountOperations();
  std::mt19937_64 random(2);
  for (std::uint64_t nth = 1; nth <= count; ++nth) {
    for (const bool is_dead : {false, true}) FailOnce(nth, is_dead, random);
  }
}

// After a failed sync the bytes are in memory, clean, and not on the disk; a process that starts
// then reads them. Whatever it reports must be on the disk all the same.
TEST_CASE("rocksdb wal: what a restart after a failed sync reports survives the loss of power",
          "[rocksdb][faults]") {
  const int failing_step = GENERATE(0, 1, 2, 5, 17, 30);
  Machine machine;
  Script script;
  REQUIRE(machine.Start() == error_code());
  REQUIRE(machine.wal().Create(MakeIdentity()) == error_code());
  WalModel model;
  error_code error;
  for (std::uint64_t step = 0; !error; ++step) {
    WriteUnit unit = step == 0 ? MakeCreation(1) : MakeUnit(1);
    unit.entries = {MakeEntry(step + 1, 1)};
    unit.hard_state = HardState{Term(step + 1), NodeId(1)};
    if (step == static_cast<std::uint64_t>(failing_step)) machine.disk().FailNextSyncOf(".log");
    const WriteUnit* pointer = &unit;
    error = machine.wal().Write({&pointer, 1});
    model[1].Apply(unit);
  }
  REQUIRE(error == RaftErrc::StorageFailed);
  REQUIRE(machine.disk().has_failed());
  machine.Stop();

  machine.disk().Heal();
  REQUIRE(machine.Start() == error_code());
  // All bytes were written, so all are read, the batch with the failed sync too.
  REQUIRE(FirstDifference(machine.wal(), model) == "");
  machine.Stop();
  machine.disk().LosePower(nullptr);
  REQUIRE(machine.Start() == error_code());
  REQUIRE(FirstDifference(machine.wal(), model) == "");
  machine.Stop();
}

TEST_CASE("rocksdb wal: the power fails again and again", "[rocksdb][faults]") {
  const std::uint64_t seed = GENERATE(1u, 2u, 3u, 4u, 5u, 6u);
  std::mt19937_64 random(seed);
  INFO("seed " << seed);
  Machine machine;
  REQUIRE(machine.Start() == error_code());
  REQUIRE(machine.wal().Create(MakeIdentity()) == error_code());
  WalModel model;
  WalModel with_failed;
  for (int life = 0; life < 12; ++life) {
    machine.disk().FailAt(1 + random() % 60, IOStatus::IOError("injected"), true);
    for (bool is_alive = true; is_alive;) {
      const auto partition = static_cast<std::uint32_t>(random() % 3);
      const bool is_new = !model.contains(partition);
      WriteUnit unit = is_new ? MakeCreation(partition) : MakeUnit(partition);
      std::uint64_t next = is_new ? 1 : model[partition].Last() + 1;
      if (!is_new && random() % 4 == 0 && next > 2) unit.truncate_from = LogIndex(--next);
      for (std::uint64_t i = random() % 5; i > 0; --i) {
        unit.entries.push_back(
            MakeEntry(next++, random(), Payload(std::string(random() % 3000, 'r'))));
      }
      unit.hard_state = HardState{Term(random()), NodeId(1)};
      with_failed = model;
      with_failed[partition].Apply(unit);
      const WriteUnit* pointer = &unit;
      is_alive = !machine.wal().Write({&pointer, 1});
      if (is_alive) model = with_failed;
    }
    machine.Stop();
    machine.disk().LosePower(random() % 3 == 0 ? nullptr : &random);
    machine.disk().Heal();
    const error_code error = machine.Start();
    INFO("life " << life << ": " << machine.detail());
    REQUIRE(error == error_code());
    if (FirstDifference(machine.wal(), with_failed).empty()) model = with_failed;
    REQUIRE(FirstDifference(machine.wal(), model) == "");
  }
  machine.Stop();
}

}  // namespace
}  // namespace kommander::storage
