// The disk model: what a crash may take, what it may not, and how the simulated scheduler feeds it.
#include "sim_disk.hpp"

#include <set>

#include "catch.hpp"
#include "sim_io_scheduler.hpp"

using namespace kommander;
using namespace kommander::sim;
using namespace std::chrono_literals;

namespace {

Entry MakeEntry(std::uint64_t index, std::uint64_t term) {
  return {Term(term), LogIndex(index), EntryKind::kApplication, Ticket(), Payload("e")};
}

WriteUnit MakeUnit(PartitionId partition, std::uint64_t number, std::vector<Entry> entries) {
  WriteUnit unit;
  unit.partition = partition;
  unit.unit = UnitId(number);
  if (number == 1) unit.boundary = BoundaryRecord();
  unit.entries = std::move(entries);
  return unit;
}

struct Answers final : IoSink {
  void OnWritten(PartitionId partition, UnitId unit, error_code error) noexcept override {
    log.push_back(std::to_string(partition.value()) + ":" + std::to_string(unit.value()) +
                  (error ? "!" : ""));
  }
  void OnRead(ReadResult result) noexcept override { reads.push_back(std::move(result)); }
  std::vector<std::string> log;
  std::vector<ReadResult> reads;
};

// A disk with a scheduler over it, in a world of their own.
struct Rig {
  explicit Rig(std::uint64_t seed, SimIoOptions io_options = {})
      : options(io_options),
        world(seed),
        disk(std::make_shared<SimDisk>(NodeId(1), world.Fork(1), nullptr)) {
    Boot();
  }
  ~Rig() { PowerLoss(); }
  void Boot() {
    process = std::make_unique<Process>(world, "node");
    wal = std::make_shared<SimWal>(disk);
    io = std::make_unique<SimIoScheduler>(process->record(), NodeId(1), disk, mood, options,
                                          world.Fork(2), nullptr);
    std::optional<StoreIdentity> identity;
    std::string detail;
    REQUIRE_FALSE(wal->Open(identity, detail));
    REQUIRE_FALSE(io->Start(wal));
  }
  void PowerLoss() {
    if (io) io->Kill();
    io.reset();
    wal->Detach();
    process.reset();
    disk->Crash();
  }
  void Submit(WriteUnit unit) { REQUIRE_FALSE(io->SubmitWrite(std::move(unit), answers)); }

  SimIoOptions options;
  World world;
  std::shared_ptr<SimDisk> disk;
  std::shared_ptr<DiskMood> mood = std::make_shared<DiskMood>();
  std::unique_ptr<Process> process;
  std::shared_ptr<SimWal> wal;
  std::unique_ptr<SimIoScheduler> io;
  std::shared_ptr<Answers> answers = std::make_shared<Answers>();
};

}  // namespace

TEST_CASE("an answered write survives every crash, an unanswered one may or may not") {
  int survived = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rig rig(seed);
    rig.Submit(MakeUnit(1, 1, {MakeEntry(1, 1)}));
    rig.world.RunUntilIdle();
    REQUIRE(rig.answers->log == std::vector<std::string>{"1:1"});
    rig.Submit(MakeUnit(1, 2, {MakeEntry(2, 1)}));
    rig.Submit(MakeUnit(1, 3, {MakeEntry(3, 1)}));
    rig.world.Step();  // the write of unit 2 begins; unit 3 waits behind it
    rig.PowerLoss();
    const auto last = rig.disk->Find(1)->last().value();
    REQUIRE(last >= 1);
    REQUIRE(last <= 2);
    survived += last == 2 ? 1 : 0;
    REQUIRE(rig.answers->log.size() == 1);
    rig.world.RunUntilIdle();
    REQUIRE(rig.answers->log.size() == 1);
    rig.Boot();
    RecoveredPartition recovered;
    REQUIRE_FALSE(rig.wal->Recover(1, recovered));
    REQUIRE(recovered.last_index.value() == last);
  }
  CHECK(survived > 50);
  CHECK(survived < 150);
}

TEST_CASE("of a run of one lane a crash keeps a prefix, of several lanes any subset") {
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SimIoOptions options;
    options.batch_lane_units_max = 8;
    Rig rig(seed, options);
    rig.Submit(MakeUnit(1, 1, {}));
    rig.Submit(MakeUnit(2, 1, {}));
    rig.world.RunUntilIdle();
    for (std::uint64_t i = 1; i <= 3; ++i) {
      rig.Submit(MakeUnit(1, i + 1, {MakeEntry(i, 1)}));
      rig.Submit(MakeUnit(2, i + 1, {MakeEntry(i, 1)}));
    }
    rig.world.Step();
    rig.PowerLoss();
    seen.emplace(rig.disk->Find(1)->last().value(), rig.disk->Find(2)->last().value());
  }
  CHECK(seen.size() == 16);  // 0..3 entries of each, independent of each other
}

TEST_CASE("one unit of a lane per write, lanes in turn, answers in order") {
  Rig rig(5);
  for (std::uint64_t number = 1; number <= 3; ++number) {
    for (std::uint32_t partition = 1; partition <= 4; ++partition) {
      rig.Submit(MakeUnit(partition, number, {MakeEntry(number, 1)}));
    }
  }
  rig.world.RunUntilIdle();
  CHECK(rig.io->Statistics().write_batches == 3);
  CHECK(rig.answers->log == std::vector<std::string>{"1:1", "2:1", "3:1", "4:1", "1:2", "2:2",
                                                     "3:2", "4:2", "1:3", "2:3", "3:3", "4:3"});
}

TEST_CASE("a failed write fails the store until it is opened again") {
  Rig rig(6);
  rig.Submit(MakeUnit(1, 1, {}));
  rig.Submit(MakeUnit(2, 1, {}));
  rig.world.RunUntilIdle();
  rig.answers->log.clear();
  rig.disk->FailNextWrite(WriteFault::kSyncError);
  rig.Submit(MakeUnit(1, 2, {MakeEntry(1, 1)}));
  rig.Submit(MakeUnit(1, 3, {MakeEntry(2, 1)}));
  rig.world.Step();
  rig.Submit(MakeUnit(2, 2, {MakeEntry(1, 1)}));
  rig.world.RunUntilIdle();
  CHECK(rig.answers->log == std::vector<std::string>{"1:2!", "2:2!"});
  CHECK(rig.io->SubmitWrite(MakeUnit(3, 1, {}), rig.answers) == RaftErrc::StorageFailed);
  rig.PowerLoss();
  rig.Boot();
  rig.Submit(MakeUnit(3, 1, {}));
  rig.world.RunUntilIdle();
  CHECK(rig.answers->log.back() == "3:1");
}

TEST_CASE("of a write that fails nothing is there; of a sync that fails any part may be") {
  for (const WriteFault fault : {WriteFault::kWriteError, WriteFault::kSyncError}) {
    std::set<std::uint64_t> lasts;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      Rig rig(seed);
      rig.Submit(MakeUnit(1, 1, {}));
      rig.world.RunUntilIdle();
      rig.disk->FailNextWrite(fault);
      CHECK(rig.disk->effects().write_errors + rig.disk->effects().sync_errors == 0);
      rig.Submit(MakeUnit(1, 2, {MakeEntry(1, 1)}));
      rig.world.RunUntilIdle();
      CHECK(rig.answers->log.back() == "1:2!");
      CHECK(rig.disk->effects().write_errors == (fault == WriteFault::kWriteError ? 1 : 0));
      CHECK(rig.disk->effects().sync_errors == (fault == WriteFault::kSyncError ? 1 : 0));
      lasts.insert(rig.disk->Find(1)->last().value());
    }
    CHECK(lasts.contains(0));
    CHECK(lasts.contains(1) == (fault == WriteFault::kSyncError));
  }
}

TEST_CASE("of a task that the power interrupts a prefix of its operations is there") {
  std::set<std::pair<bool, std::size_t>> seen;  // the value, and how many partitions
  std::uint64_t lost = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Rig rig(seed);
    bool interrupted = false;
    rig.disk->Await(DiskMoment::kTask, [&] { interrupted = true; });
    REQUIRE_FALSE(rig.io->SubmitTask(0, [](Wal& wal, bool) {
      if (wal.PutMetadata("key", Payload("value"))) return;
      const WriteUnit one = MakeUnit(1, 1, {});
      const WriteUnit two = MakeUnit(2, 1, {});
      const WriteUnit* units[] = {&one, &two};
      (void)wal.Write(units);
    }));
    while (!interrupted) REQUIRE(rig.world.Step());
    CHECK(rig.disk->IsIn(DiskMoment::kTask));
    rig.PowerLoss();
    CHECK_FALSE(rig.disk->IsIn(DiskMoment::kTask));
    seen.emplace(rig.disk->metadata().contains("key"), rig.disk->partitions().size());
    lost += rig.disk->effects().operations_lost;
    rig.Boot();
  }
  const std::set<std::pair<bool, std::size_t>> prefixes{
      {false, 0}, {true, 0}, {true, 1}, {true, 2}};
  CHECK(seen == prefixes);
  CHECK(lost > 30);
}

TEST_CASE("a moment is told once, when it comes or at once when it is there") {
  Rig rig(10);
  int told = 0;
  rig.disk->Await(DiskMoment::kWrite, [&] { ++told; });
  CHECK(rig.disk->IsAwaited(DiskMoment::kWrite));
  rig.Submit(MakeUnit(1, 1, {}));
  CHECK(told == 0);
  rig.world.Step();
  CHECK(told == 1);
  CHECK_FALSE(rig.disk->IsAwaited(DiskMoment::kWrite));
  rig.disk->Await(DiskMoment::kWrite, [&] { ++told; });
  CHECK(told == 2);
  rig.world.RunUntilIdle();
  rig.disk->Await(DiskMoment::kWrite, [&] { ++told; });
  rig.disk->Await(DiskMoment::kWrite, nullptr);
  rig.Submit(MakeUnit(1, 2, {}));
  rig.world.RunUntilIdle();
  CHECK(told == 2);
}

TEST_CASE("a stalled disk answers when the stall is over") {
  Rig rig(7);
  rig.mood->stalled_until = rig.world.Now() + 3s;
  const Instant start = rig.world.Now();
  rig.Submit(MakeUnit(1, 1, {}));
  rig.world.RunUntil(start + 2999ms);
  CHECK(rig.answers->log.empty());
  rig.world.RunUntil(start + 3001ms);
  CHECK(rig.answers->log.size() == 1);
}

TEST_CASE("stop drains what was accepted, then closes; abort finishes the running write only") {
  Rig rig(8);
  rig.Submit(MakeUnit(1, 1, {MakeEntry(1, 1)}));
  rig.Submit(MakeUnit(1, 2, {MakeEntry(2, 1)}));
  int done = 0;
  rig.io->Stop([&] { ++done; });
  rig.io->Stop([&] { ++done; });
  CHECK(rig.io->SubmitWrite(MakeUnit(1, 3, {}), rig.answers) == RaftErrc::NodeStopped);
  CHECK(done == 0);
  rig.world.RunUntilIdle();
  CHECK(done == 2);
  CHECK(rig.disk->Find(1)->last() == LogIndex(2));
  rig.PowerLoss();
  rig.Boot();
  rig.answers->log.clear();
  rig.Submit(MakeUnit(1, 1, {MakeEntry(3, 1)}));
  rig.Submit(MakeUnit(1, 2, {MakeEntry(4, 1)}));
  rig.world.Step();
  rig.io->Abort();
  CHECK(rig.answers->log == std::vector<std::string>{"1:1"});
  CHECK(rig.disk->Find(1)->last() == LogIndex(3));
  rig.world.RunUntilIdle();
  CHECK(rig.answers->log.size() == 1);
}

TEST_CASE("reads and tasks go through the scheduler, tasks never beside a write") {
  Rig rig(9);
  rig.Submit(MakeUnit(1, 1, {MakeEntry(1, 1), MakeEntry(2, 1), MakeEntry(3, 2)}));
  rig.world.RunUntilIdle();
  ReadRequest request;
  request.partition = 1;
  request.request = 77;
  request.first = LogIndex(2);
  request.last = LogIndex(9);
  request.bytes_max = 1u << 20;
  REQUIRE_FALSE(rig.io->SubmitRead(request, rig.answers));
  rig.world.RunUntilIdle();
  REQUIRE(rig.answers->reads.size() == 1);
  CHECK(rig.answers->reads[0].request == 77);
  CHECK(rig.answers->reads[0].entries.size() == 2);
  rig.disk->FailReads(true);
  REQUIRE_FALSE(rig.io->SubmitRead(request, rig.answers));
  bool ran = false;
  REQUIRE_FALSE(rig.io->SubmitTask(0, [&](Wal& wal, bool cancelled) {
    ran = true;
    CHECK_FALSE(cancelled);
    RecoveredPartition recovered;
    CHECK_FALSE(wal.Recover(1, recovered));
    CHECK(recovered.terms.size() == 2);
  }));
  rig.world.RunUntilIdle();
  CHECK(rig.answers->reads[1].error == RaftErrc::WalCorrupted);
  CHECK(ran);
}

TEST_CASE("a unit that breaks the contract is refused and told") {
  struct Told final : Observer {
    void OnContractBroken(NodeId, const std::string& what) override { text = what; }
    std::string text;
  } told;
  SimDisk disk(NodeId(1), Chance(1), &told);
  const auto write = [&](const WriteUnit& unit) {
    told.text.clear();
    const WriteUnit* units[] = {&unit};
    return disk.Write(units);
  };
  CHECK(write(MakeUnit(1, 2, {})));
  CHECK(told.text.find("no boundary record") != std::string::npos);
  CHECK_FALSE(write(MakeUnit(1, 1, {MakeEntry(1, 1), MakeEntry(2, 1)})));
  CHECK(write(MakeUnit(1, 3, {MakeEntry(4, 1)})));
  CHECK(told.text.find("does not follow") != std::string::npos);
  WriteUnit truncation = MakeUnit(1, 4, {MakeEntry(2, 2)});
  truncation.truncate_from = LogIndex(2);
  CHECK_FALSE(write(truncation));
  CHECK(disk.Find(1)->TermAt(LogIndex(2)) == Term(2));
  WriteUnit compaction = MakeUnit(1, 5, {});
  compaction.boundary = BoundaryRecord();
  compaction.boundary->index = LogIndex(1);
  compaction.boundary->term = Term(1);
  CHECK_FALSE(write(compaction));
  CHECK(disk.Find(1)->last() == LogIndex(2));
  CHECK(disk.Find(1)->Find(LogIndex(1)) == nullptr);
  CHECK(disk.Find(1)->TermAt(LogIndex(1)) == Term(1));
  compaction.boundary->index = LogIndex(0);
  CHECK(write(compaction));
  CHECK(told.text.find("goes backwards") != std::string::npos);
}
