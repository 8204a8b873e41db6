// Many threads against the fair I/O scheduler, ended at any moment and in any way: whatever it
// accepted it answers exactly once. And: what it merges is what was asked for.
#include <algorithm>
#include <array>
#include <atomic>
#include <latch>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include <kommander/memory_wal.hpp>

#include "io_harness.hpp"
#include "runtime/io_scheduler.hpp"

using namespace kommander;
using namespace kommander::test;
using runtime::FairIoScheduler;
using runtime::IoSchedulerOptions;

namespace {

constexpr std::uint32_t kProducers = 4;
constexpr std::uint32_t kLanesPerProducer = 16;
constexpr std::uint32_t kLanes = kProducers * kLanesPerProducer;

// Judges the answers of every lane as they come.
class JudgingSink final : public IoSink {
 public:
  struct LaneState {
    std::uint64_t answered = 0;  // every unit up to here
    std::uint64_t lost_from = 0;
    std::uint64_t reads = 0;
  };

  void OnWritten(PartitionId partition, UnitId unit, error_code error) noexcept override {
    const std::lock_guard lock(mutex_);
    LaneState& lane = lanes_[partition.value()];
    if (lane.lost_from != 0) ++breaches_;  // nothing comes after an error
    if (error) {
      lane.lost_from = unit.value();
      if (lane.lost_from != lane.answered + 1) ++breaches_;
    } else {
      if (unit.value() <= lane.answered) ++breaches_;  // answered twice
      lane.answered = unit.value();
    }
  }
  void OnRead(ReadResult result) noexcept override {
    const std::lock_guard lock(mutex_);
    if (result.request != ++lanes_[result.partition.value()].reads) ++breaches_;
  }
  [[nodiscard]] int breaches() const { return breaches_; }
  [[nodiscard]] const LaneState& lane(std::uint32_t lane) const { return lanes_[lane]; }

 private:
  std::mutex mutex_;
  std::array<LaneState, kLanes> lanes_;
  int breaches_ = 0;
};

// What a producer got accepted, per lane.
struct Accepted {
  std::array<std::uint64_t, kLanes> units{};
  std::array<std::uint64_t, kLanes> reads{};
  std::uint64_t tasks = 0;
  std::uint64_t refused = 0;
};

// Until the scheduler stops, or for so many steps.
void Produce(FairIoScheduler& scheduler, const std::shared_ptr<JudgingSink>& sink, int steps,
             std::uint32_t producer, std::uint64_t seed, std::atomic<std::uint64_t>& tasks_ran,
             Accepted& accepted) {
  std::mt19937_64 random(seed);
  for (int step = 0; step < steps; ++step) {
    const auto lane =
        static_cast<std::uint32_t>(producer * kLanesPerProducer + random() % kLanesPerProducer);
    error_code error;
    switch (random() % 16) {
      case 0:
        error = scheduler.SubmitTask(lane, [&tasks_ran](Wal&, bool) { ++tasks_ran; });
        if (!error) ++accepted.tasks;
        break;
      case 1:
      case 2:
      case 3:
        error = scheduler.SubmitRead(MakeRead(lane, accepted.reads[lane] + 1), sink);
        if (!error) ++accepted.reads[lane];
        break;
      default:
        if (random() % 2 == 0 && scheduler.IsSaturated(lane)) {
          error = RaftErrc::ProposalQueueFull;
          break;
        }
        error = scheduler.SubmitWrite(MakeUnit(lane, accepted.units[lane] + 1, random() % 4 == 0),
                                      sink);
        if (!error) ++accepted.units[lane];
        break;
    }
    if (error == RaftErrc::ProposalQueueFull) {
      ++accepted.refused;
      std::this_thread::yield();
    } else if (error == RaftErrc::NodeStopped) {
      return;
    }
    if (random() % 64 == 0) static_cast<void>(scheduler.Statistics());
    if (random() % 64 == 0) static_cast<void>(scheduler.IsDiskFull());
  }
}

enum class Ending { kStop, kStopEarly, kFail, kAbort };

void Judge(const JudgingSink& sink, const ScriptedWal& wal,
           const std::array<Accepted, kProducers>& accepted, std::uint64_t tasks_ran,
           Ending ending) {
  CHECK(sink.breaches() == 0);
  std::uint64_t tasks = 0;
  std::uint64_t units = 0;
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    const Accepted& own = accepted[lane / kLanesPerProducer];
    const JudgingSink::LaneState& state = sink.lane(lane);
    units += own.units[lane];
    if (ending == Ending::kAbort) {
      REQUIRE(state.answered <= own.units[lane]);
      REQUIRE(state.reads <= own.reads[lane]);
      REQUIRE(state.lost_from == 0);
      continue;
    }
    REQUIRE(state.reads == own.reads[lane]);
    const bool lost = state.answered < own.units[lane];
    REQUIRE(state.lost_from == (lost ? state.answered + 1 : 0));
    if (lost) REQUIRE(wal.has_failed(wal.FileSetOf(lane)));
    if (ending != Ending::kFail) REQUIRE_FALSE(lost);
  }
  for (const Accepted& own : accepted) tasks += own.tasks;
  CHECK(units > 0);
  if (ending == Ending::kAbort) {
    CHECK(tasks_ran <= tasks);
  } else {
    CHECK(tasks_ran == tasks);
  }
}

void RunRound(std::uint64_t seed, Ending ending) {
  std::mt19937_64 random(seed);
  IoSchedulerOptions options;
  options.lane_units_max = 1 + random() % 32;
  options.units_max = 1 + random() % 512;
  options.lane_reads_max = 1 + random() % 8;
  options.tasks_max = 1 + random() % 8;
  options.batch_partitions_max = 1 + random() % kLanes;
  options.batch_lane_units_max = 1 + random() % 8;
  options.reader_threads = 1 + random() % 3;
  const std::size_t file_sets = 1 + random() % 4;
  const auto wal = std::make_shared<ScriptedWal>(file_sets);
  const std::uint64_t end_at = 1 + random() % 200;  // writes
  if (ending == Ending::kFail) wal->fail_at_write = end_at;
  const auto clock = std::make_shared<ManualClock>();
  wal->on_write = [&clock] { clock->Advance(std::chrono::milliseconds(300)); };
  const auto sink = std::make_shared<JudgingSink>();
  FairIoScheduler scheduler(options, clock);
  REQUIRE_FALSE(scheduler.Start(wal));
  Event opened;
  error_code refused;
  REQUIRE_FALSE(scheduler.SubmitTask(0, [&](Wal&, bool) {
    refused = scheduler.UseFileSets();
    opened.Set();
  }));
  REQUIRE(opened.Await());
  REQUIRE_FALSE(refused);

  const bool early = ending == Ending::kStopEarly || ending == Ending::kAbort;
  std::atomic<std::uint64_t> tasks_ran{0};
  std::array<Accepted, kProducers> accepted{};
  std::latch begin(kProducers + 1);
  std::vector<std::thread> producers;
  for (std::uint32_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      begin.arrive_and_wait();
      Produce(scheduler, sink, early ? std::numeric_limits<int>::max() : 3000, p,
              seed * kProducers + p, tasks_ran, accepted[p]);
    });
  }
  begin.arrive_and_wait();
  if (early) {
    static_cast<void>(wal->writes.AwaitArrivals(end_at));  // the producers go on until then
  } else {
    for (std::thread& producer : producers) producer.join();
  }
  Event stopped;
  if (ending == Ending::kAbort) {
    scheduler.Abort();
  } else {
    scheduler.Stop([&] { stopped.Set(); });
    REQUIRE(stopped.Await());
  }
  if (early) {
    for (std::thread& producer : producers) producer.join();
  }

  CHECK(wal->breach().empty());
  CHECK(wal->is_closed());
  CHECK(scheduler.Statistics().queued_write_bytes == 0);
  Judge(*sink, *wal, accepted, tasks_ran, ending);
}

// A run of units that a store accepts: appends, truncations, terms, hints and removals.
class UnitMaker {
 public:
  UnitMaker(PartitionId partition, std::uint64_t seed) : partition_(partition), random_(seed) {}

  WriteUnit Next() {
    WriteUnit unit;
    unit.partition = partition_;
    unit.unit = unit_ = unit_.Next();
    if (unit_ == UnitId(1)) {
      unit.boundary = BoundaryRecord();
      return unit;
    }
    if (random_() % 8 == 0) {
      term_ = term_.Next();
      unit.hard_state = HardState{term_, NodeId(static_cast<std::uint32_t>(1 + random_() % 3))};
    }
    if (random_() % 8 == 0 && last_ > boundary_) {
      const std::uint64_t from = boundary_ + 1 + random_() % (last_ - boundary_);
      unit.truncate_from = LogIndex(from);
      last_ = from - 1;
    }
    for (std::uint64_t i = random_() % 4; i > 0; --i) {
      unit.entries.emplace_back(term_, LogIndex(++last_), EntryKind::kApplication, Ticket(),
                                Payload(std::to_string(random_())));
    }
    if (random_() % 16 == 0 && !unit.truncate_from && unit.entries.empty() && last_ > boundary_) {
      unit.boundary = BoundaryRecord();
      boundary_ += 1 + random_() % (last_ - boundary_);
      unit.boundary->index = LogIndex(boundary_);
      unit.boundary->term = term_;
    }
    if (random_() % 4 == 0) unit.commit_hint = LogIndex(boundary_);
    return unit;
  }

 private:
  const PartitionId partition_;
  std::mt19937_64 random_;
  UnitId unit_;
  Term term_{1};
  std::uint64_t last_ = 0;
  std::uint64_t boundary_ = 0;
};

// The log of every partition as text, to be compared.
struct Contents {
  LogIndex boundary;
  HardState hard_state;
  LogIndex last_index;
  LogIndex commit_hint;
  std::vector<Entry> entries;
  friend bool operator==(const Contents&, const Contents&) = default;
};

Contents ContentsOf(Wal& wal, PartitionId partition) {
  RecoveredPartition recovered;
  REQUIRE_FALSE(wal.Recover(partition, recovered));
  Contents contents{recovered.boundary.index,
                    recovered.hard_state,
                    recovered.last_index,
                    recovered.commit_hint,
                    {}};
  if (recovered.last_index > recovered.boundary.index) {
    REQUIRE_FALSE(wal.Read(partition, recovered.boundary.index.Next(), recovered.last_index,
                           std::size_t{1} << 30, contents.entries));
  }
  return contents;
}

}  // namespace

TEST_CASE("Every accepted submission is answered exactly once", "[io_scheduler][stress]") {
  const auto ending = GENERATE(Ending::kStop, Ending::kStopEarly, Ending::kFail, Ending::kAbort);
  const auto seed = GENERATE(range(1, 9));
  CAPTURE(seed, static_cast<int>(ending));
  RunRound(static_cast<std::uint64_t>(seed), ending);
}

TEST_CASE("A merged write stores what its units would store one by one", "[io_scheduler][stress]") {
  constexpr std::uint32_t kPartitions = 5;
  constexpr int kUnits = 300;
  const auto seed = static_cast<std::uint64_t>(GENERATE(range(1, 9)));
  CAPTURE(seed);
  std::optional<StoreIdentity> identity;
  std::string detail;
  MemoryWal one_by_one;
  REQUIRE_FALSE(one_by_one.Open(identity, detail));
  const auto merged = std::make_shared<MemoryWal>();
  const auto sink = std::make_shared<CollectingSink>();
  {
    FairIoScheduler scheduler({}, std::make_shared<ManualClock>());
    REQUIRE_FALSE(scheduler.Start(merged));
    // Held by this task, the writer finds everything queued at once.
    Event go;
    Event opened;
    error_code open_error;
    REQUIRE_FALSE(scheduler.SubmitTask(0, [&](Wal& wal, bool) {
      open_error = wal.Open(identity, detail);
      opened.Set();
      static_cast<void>(go.Await());
    }));
    REQUIRE(opened.Await());
    REQUIRE_FALSE(open_error);
    for (std::uint32_t p = 1; p <= kPartitions; ++p) {
      UnitMaker maker(p, seed * 100 + p);
      for (int i = 0; i < kUnits; ++i) {
        WriteUnit unit = maker.Next();
        const WriteUnit* const alone = &unit;
        REQUIRE_FALSE(one_by_one.Write({&alone, 1}));
        REQUIRE_FALSE(scheduler.SubmitWrite(std::move(unit), sink));
      }
    }
    go.Set();
    for (std::uint32_t p = 1; p <= kPartitions; ++p) {
      REQUIRE(sink->AwaitWritten(p, UnitId(kUnits)));
    }
    for (const auto& told : sink->written()) REQUIRE_FALSE(told.error);
    CHECK(scheduler.Statistics().write_units == kPartitions * kUnits);
    CHECK(merged->Statistics().units < kPartitions * kUnits);  // it did merge
    for (std::uint32_t p = 1; p <= kPartitions; ++p) {
      CHECK(ContentsOf(*merged, p) == ContentsOf(one_by_one, p));
    }
  }
}
