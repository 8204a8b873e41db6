// Order, fairness, bounds and failure of the fair I/O scheduler.
#include "runtime/io_scheduler.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <thread>
#include <vector>

#include "io_harness.hpp"

using namespace kommander;
using namespace kommander::test;
using runtime::IoSchedulerOptions;

namespace {

constexpr std::uint32_t kHot = 0;

IoSchedulerOptions Wide() {
  IoSchedulerOptions options;
  options.lane_units_max = 1'000'000;
  options.lane_bytes_max = std::size_t{1} << 32;
  options.units_max = 1'000'000;
  options.bytes_max = std::size_t{1} << 32;
  options.lane_reads_max = 1'000'000;
  options.reads_max = 1'000'000;
  return options;
}

// In which batch, counted from `from`, the partition's unit went out.
std::size_t BatchOf(const std::vector<ScriptedWal::Batch>& batches, PartitionId partition,
                    UnitId unit, std::size_t from) {
  for (std::size_t i = from; i < batches.size(); ++i) {
    for (const auto& written : batches[i]) {
      if (written.partition == partition && written.unit >= unit) return i - from;
    }
  }
  return SIZE_MAX;
}

}  // namespace

TEST_CASE("What queues during a write is the next write", "[io_scheduler]") {
  IoHarness io;
  io.HoldWriter(1);
  for (std::uint32_t p = 2; p <= 9; ++p) REQUIRE_FALSE(io.Write(MakeUnit(p, 1)));
  io.wal->writes.Open();
  for (std::uint32_t p = 1; p <= 9; ++p) REQUIRE(io.sink->AwaitWritten(p, UnitId(1)));
  const auto batches = io.wal->batches();
  REQUIRE(batches.size() == 2);
  CHECK(batches[0].size() == 1);
  CHECK(batches[1].size() == 8);
  const IoStatistics statistics = io.scheduler->Statistics();
  CHECK(statistics.write_batches == 2);
  CHECK(statistics.write_units == 9);
  CHECK(statistics.queued_write_bytes == 0);
}

TEST_CASE("One hot lane does not delay a thousand cold ones", "[io_scheduler]") {
  const bool separate = GENERATE(true, false);
  const std::size_t partitions_max = GENERATE(1U, 64U, 1000U);
  IoSchedulerOptions options = Wide();
  options.batch_partitions_max = partitions_max;
  IoHarness io(options);
  io.HoldWriter(kHot);
  constexpr std::uint64_t kHotUnits = 10'000;
  constexpr std::uint32_t kCold = 1000;
  for (std::uint64_t u = 2; u <= kHotUnits; ++u) {
    REQUIRE_FALSE(io.Write(MakeUnit(kHot, u, separate)));
  }
  for (std::uint32_t p = 1; p <= kCold; ++p) REQUIRE_FALSE(io.Write(MakeUnit(p, 1)));
  io.wal->writes.Open();
  io.StopAndWait();

  const auto batches = io.wal->batches();
  const std::size_t bound = (kCold + partitions_max - 1) / partitions_max + 1;
  for (std::uint32_t p = 1; p <= kCold; ++p) {
    REQUIRE(BatchOf(batches, p, UnitId(1), 1) < bound);
  }
  CHECK(BatchOf(batches, kHot, UnitId(kHotUnits), 0) != SIZE_MAX);
}

TEST_CASE("A cold unit that arrives in the middle of a hot stream waits for one batch",
          "[io_scheduler]") {
  IoHarness io(Wide());
  io.HoldWriter(kHot);
  for (std::uint64_t u = 2; u <= 1000; ++u) REQUIRE_FALSE(io.Write(MakeUnit(kHot, u, true)));
  for (std::uint32_t p = 1; p <= 50; ++p) {
    const std::size_t running = io.wal->writes.arrivals();
    REQUIRE_FALSE(io.Write(MakeUnit(p, 1)));
    io.wal->writes.Let(1);
    REQUIRE(io.wal->writes.AwaitArrivals(running + 1));
    CHECK(BatchOf(io.wal->batches(), p, UnitId(1), running) == 0);
  }
}

TEST_CASE("A hot lane with big units leaves room in the batch", "[io_scheduler]") {
  IoSchedulerOptions options = Wide();
  options.batch_bytes_max = 64 * 1024;
  options.batch_lane_bytes_max = 16 * 1024;
  IoHarness io(options);
  io.HoldWriter(99);
  std::uint64_t index = 1;
  for (std::uint64_t u = 1; u <= 100; ++u) {
    WriteUnit unit = MakeUnit(kHot, u);
    unit.entries.emplace_back(Term(1), LogIndex(index++), EntryKind::kNoop, Ticket(),
                              Payload(std::vector<std::byte>(4000)));
    REQUIRE_FALSE(io.Write(std::move(unit)));
  }
  for (std::uint32_t p = 1; p <= 20; ++p) REQUIRE_FALSE(io.Write(MakeUnit(p, 1)));
  io.wal->writes.Open();
  io.StopAndWait();
  const auto batches = io.wal->batches();
  REQUIRE(batches.size() > 2);
  CHECK(batches[1].size() == 21);
  CHECK(batches[1][0].partition == PartitionId(kHot));
  CHECK(batches[1][0].bytes <= options.batch_lane_bytes_max);
  // Alone at last, the hot lane may fill whole batches.
  const std::size_t hot_bytes_max =
      std::max_element(batches.begin() + 2, batches.end(),
                       [](const auto& a, const auto& b) { return a[0].bytes < b[0].bytes; })
          ->at(0)
          .bytes;
  CHECK(hot_bytes_max > options.batch_lane_bytes_max);
  CHECK(hot_bytes_max <= options.batch_bytes_max);
}

TEST_CASE("A hot lane with many small units leaves room in the batch", "[io_scheduler]") {
  IoSchedulerOptions options = Wide();
  options.batch_units_max = 100;
  options.batch_lane_units_max = 10;
  IoHarness io(options);
  io.HoldWriter(99);
  for (std::uint64_t u = 1; u <= 200; ++u) REQUIRE_FALSE(io.Write(MakeUnit(kHot, u)));
  for (std::uint32_t p = 1; p <= 20; ++p) REQUIRE_FALSE(io.Write(MakeUnit(p, 1)));
  io.wal->writes.Open();
  io.StopAndWait();
  const auto batches = io.wal->batches();
  REQUIRE(batches.size() == 4);
  CHECK(batches[1].size() == 21);
  CHECK(batches[1][0].unit == UnitId(10));
  CHECK(batches[2][0].unit == UnitId(110));  // alone: as much as a batch may carry
}

TEST_CASE("A batch keeps its bounds", "[io_scheduler]") {
  const bool separate = GENERATE(true, false);
  IoSchedulerOptions options = Wide();
  options.batch_partitions_max = 7;
  options.batch_units_max = 10;
  options.batch_bytes_max = 64 * 8;  // an empty unit counts 64
  options.batch_lane_bytes_max = 64 * 8;
  IoHarness io(options);
  io.HoldWriter(99);
  for (std::uint64_t u = 1; u <= 5; ++u) {
    for (std::uint32_t p = 1; p <= 30; ++p) REQUIRE_FALSE(io.Write(MakeUnit(p, u, separate)));
  }
  WriteUnit big = MakeUnit(31, 1);
  big.entries.emplace_back(Term(1), LogIndex(1), EntryKind::kNoop, Ticket(),
                           Payload(std::vector<std::byte>(4000)));
  REQUIRE_FALSE(io.Write(std::move(big)));
  io.wal->writes.Open();
  io.StopAndWait();
  std::size_t units = 0;
  for (const auto& batch : io.wal->batches()) {
    CHECK(batch.size() <= 7);
    std::size_t bytes = 0;
    for (const auto& written : batch) bytes += written.bytes;
    CHECK((bytes <= options.batch_bytes_max || batch.size() == 1));  // too big: alone
    if (batch[0].partition == PartitionId(31)) ++units;
  }
  CHECK(units == 1);
  for (std::uint32_t p = 1; p <= 30; ++p) REQUIRE(io.sink->AwaitWritten(p, UnitId(5)));
}

TEST_CASE("A lane is FIFO and has one write in flight", "[io_scheduler]") {
  const bool separate = GENERATE(true, false);
  IoHarness io(Wide());
  io.HoldWriter(1);
  for (std::uint64_t u = 2; u <= 50; ++u) REQUIRE_FALSE(io.Write(MakeUnit(1, u, separate)));
  // Whatever runs, no second unit of the lane joins it.
  io.wal->writes.Open();
  REQUIRE(io.sink->AwaitWritten(1, UnitId(50)));
  std::uint64_t last = 0;
  for (const auto& batch : io.wal->batches()) {
    REQUIRE(batch.size() == 1);
    CHECK(batch[0].unit.value() > last);
    last = batch[0].unit.value();
  }
  last = 0;
  for (const auto& told : io.sink->written()) {
    CHECK_FALSE(told.error);
    CHECK(told.unit.value() > last);
    last = told.unit.value();
  }
  CHECK(last == 50);
  CHECK(io.wal->batches().size() == (separate ? 50U : 2U));
}

TEST_CASE("Answers come after the sync, not before", "[io_scheduler]") {
  IoHarness io;
  io.HoldWriter(1);
  CHECK(io.sink->written().empty());
  CHECK(io.wal->is_writing());
  io.wal->writes.Open();
  REQUIRE(io.sink->AwaitWritten(1, UnitId(1)));
}

TEST_CASE("A saturated lane says so, and takes every unit that exists", "[io_scheduler]") {
  IoSchedulerOptions options = Wide();
  const bool by_bytes = GENERATE(true, false);
  if (by_bytes) {
    options.lane_bytes_max = 64 * 4;
  } else {
    options.lane_units_max = 4;
  }
  IoHarness io(options);
  io.HoldWriter(1);  // the unit in flight counts
  CHECK_FALSE(io.scheduler->IsSaturated(1));
  std::uint64_t u = 2;
  for (; u <= 4; ++u) REQUIRE_FALSE(io.Write(MakeUnit(1, u)));
  CHECK(io.scheduler->IsSaturated(1));
  CHECK_FALSE(io.scheduler->IsSaturated(2));
  CHECK_FALSE(io.Write(MakeUnit(2, 1)));
  for (; u <= 40; ++u) REQUIRE_FALSE(io.Write(MakeUnit(1, u)));
  CHECK(io.scheduler->Statistics().refused == 0);
  CHECK(io.scheduler->Statistics().queued_write_bytes == 64 * 41);

  io.wal->writes.Open();
  REQUIRE(io.sink->AwaitWritten(1, UnitId(40)));
  CHECK_FALSE(io.scheduler->IsSaturated(1));  // free as soon as it is answered
  CHECK_FALSE(io.Write(MakeUnit(1, u)));
  REQUIRE(io.sink->AwaitWritten(1, UnitId(u)));
}

TEST_CASE("The caps of the node count all lanes", "[io_scheduler]") {
  IoSchedulerOptions options = Wide();
  const bool by_bytes = GENERATE(true, false);
  if (by_bytes) {
    options.bytes_max = 64 * 4;
  } else {
    options.units_max = 4;
  }
  IoHarness io(options);
  io.HoldWriter(1);
  for (std::uint32_t p = 2; p <= 4; ++p) REQUIRE_FALSE(io.Write(MakeUnit(p, 1)));
  CHECK(io.scheduler->IsSaturated(77));
  for (std::uint32_t p = 5; p <= 8; ++p) REQUIRE_FALSE(io.Write(MakeUnit(p, 1)));
  io.wal->writes.Open();
  for (std::uint32_t p = 1; p <= 8; ++p) REQUIRE(io.sink->AwaitWritten(p, UnitId(1)));
  CHECK_FALSE(io.scheduler->IsSaturated(77));
}

TEST_CASE("A unit larger than a batch is written alone", "[io_scheduler]") {
  IoSchedulerOptions options;
  options.batch_bytes_max = 100;
  IoHarness io(options);
  WriteUnit big = MakeUnit(1, 1);
  big.entries.emplace_back(Term(1), LogIndex(1), EntryKind::kNoop, Ticket(),
                           Payload(std::vector<std::byte>(4000)));
  REQUIRE_FALSE(io.Write(std::move(big)));
  REQUIRE(io.sink->AwaitWritten(1, UnitId(1)));
}

TEST_CASE("Consecutive appends of a lane become one unit", "[io_scheduler]") {
  IoHarness io;
  io.HoldWriter(2);
  const auto append = [](std::uint64_t unit, std::uint64_t index, int count) {
    WriteUnit made = MakeUnit(1, unit);
    made.commit_hint.reset();
    for (int i = 0; i < count; ++i) {
      made.entries.emplace_back(Term(1), LogIndex(index++), EntryKind::kNoop, Ticket(), Payload());
    }
    return made;
  };
  REQUIRE_FALSE(io.Write(append(1, 1, 2)));
  REQUIRE_FALSE(io.Write(append(2, 3, 1)));
  REQUIRE_FALSE(io.Write(MakeUnit(1, 3)));   // a hint alone
  REQUIRE_FALSE(io.Write(append(4, 4, 1)));  // follows across it
  REQUIRE_FALSE(io.Write(append(5, 9, 1)));  // a gap: not to be hidden from the store
  WriteUnit truncating = append(6, 5, 1);
  truncating.truncate_from = LogIndex(5);
  REQUIRE_FALSE(io.Write(std::move(truncating)));
  REQUIRE_FALSE(io.Write(append(7, 6, 1)));  // joins the truncation
  WriteUnit boundary = append(8, 7, 0);
  boundary.boundary = BoundaryRecord();
  REQUIRE_FALSE(io.Write(std::move(boundary)));
  io.wal->writes.Open();
  REQUIRE(io.sink->AwaitWritten(1, UnitId(8)));
  std::vector<std::uint64_t> written;
  for (const auto& batch : io.wal->batches()) {
    if (batch[0].partition == PartitionId(1)) written.push_back(batch[0].unit.value());
  }
  CHECK(written == std::vector<std::uint64_t>{4, 5, 7, 8});
  std::vector<std::uint64_t> answers;
  for (const auto& told : io.sink->written()) {
    if (told.partition == PartitionId(1)) answers.push_back(told.unit.value());
  }
  CHECK(answers == written);  // one answer per write
}

TEST_CASE("Each of several sinks of a lane is told", "[io_scheduler]") {
  IoHarness io;
  io.HoldWriter(2);
  const auto other = std::make_shared<CollectingSink>();
  REQUIRE_FALSE(io.Write(MakeUnit(1, 1)));
  REQUIRE_FALSE(io.scheduler->SubmitWrite(MakeUnit(1, 2), other));
  REQUIRE_FALSE(io.scheduler->SubmitWrite(MakeUnit(1, 3), other));
  io.wal->writes.Open();
  REQUIRE(io.sink->AwaitWritten(1, UnitId(1)));
  REQUIRE(other->AwaitWritten(1, UnitId(3)));
  CHECK(other->written().size() == 1);
  CHECK(io.sink->written().back().unit == UnitId(1));
}

TEST_CASE("A failed write fails the whole domain, for good", "[io_scheduler]") {
  IoHarness io({}, [](ScriptedWal& wal) { wal.fail_at_write = 2; });
  REQUIRE_FALSE(io.Write(MakeUnit(9, 1)));
  REQUIRE(io.sink->AwaitWritten(9, UnitId(1)));
  io.HoldWriter(1);  // write 2, which will fail
  for (std::uint64_t u = 2; u <= 5; ++u) REQUIRE_FALSE(io.Write(MakeUnit(1, u, true)));
  for (std::uint32_t p = 2; p <= 4; ++p) {
    for (std::uint64_t u = 1; u <= 3; ++u) REQUIRE_FALSE(io.Write(MakeUnit(p, u, true)));
  }
  io.wal->writes.Open();
  for (std::uint32_t p = 1; p <= 4; ++p) REQUIRE(io.sink->AwaitWritten(p, UnitId(1)));

  std::map<std::uint32_t, std::vector<std::uint64_t>> told;
  for (const auto& written : io.sink->written()) {
    if (written.partition == PartitionId(9)) continue;
    CHECK(written.error);
    told[written.partition.value()].push_back(written.unit.value());
  }
  // Once per lane, naming the first unit that is lost.
  CHECK(told == std::map<std::uint32_t, std::vector<std::uint64_t>>{
                    {1, {1}}, {2, {1}}, {3, {1}}, {4, {1}}});
  CHECK(io.Write(MakeUnit(1, 6)) == RaftErrc::StorageFailed);
  CHECK(io.Write(MakeUnit(5, 1)) == RaftErrc::StorageFailed);
  CHECK(io.wal->batches().size() == 2);  // no retry
  CHECK(io.scheduler->Statistics().queued_write_bytes == 0);

  // What does not write goes on.
  REQUIRE_FALSE(io.Read(MakeRead(1, 1)));
  REQUIRE(io.sink->AwaitReads(1));
  Event ran;
  REQUIRE_FALSE(io.scheduler->SubmitTask(0, [&](Wal&, bool cancelled) {
    if (!cancelled) ran.Set();
  }));
  REQUIRE(ran.Await());
  io.StopAndWait();
}

TEST_CASE("The units of the failed write learn the store's reason", "[io_scheduler]") {
  IoHarness io({}, [](ScriptedWal& wal) { wal.fail_at_write = 1; });
  REQUIRE_FALSE(io.Write(MakeUnit(1, 1)));
  REQUIRE(io.sink->AwaitWritten(1, UnitId(1)));
  CHECK(io.sink->written()[0].error == RaftErrc::WalUnavailable);
}

TEST_CASE("One hot reader does not delay a thousand cold ones", "[io_scheduler]") {
  IoSchedulerOptions options = Wide();
  options.reader_threads = 1;
  IoHarness io(options);
  io.wal->reads.Close();
  constexpr std::uint64_t kHotReads = 10'000;
  constexpr std::uint32_t kCold = 1000;
  for (std::uint64_t r = 1; r <= kHotReads; ++r) REQUIRE_FALSE(io.Read(MakeRead(kHot, r)));
  for (std::uint32_t p = 1; p <= kCold; ++p) REQUIRE_FALSE(io.Read(MakeRead(p, 1)));
  io.wal->reads.Open();
  REQUIRE(io.sink->AwaitReads(kHotReads + kCold));
  const auto order = io.wal->read_order();
  for (std::size_t i = 0; i < order.size(); ++i) {
    // Behind: the hot read that was running, at most one of its successors, and the other colds.
    if (order[i].partition != PartitionId(kHot)) REQUIRE(i < kCold + 2);
  }
}

TEST_CASE("Reads of a lane are answered in order by any number of threads", "[io_scheduler]") {
  IoSchedulerOptions options = Wide();
  options.reader_threads = 4;
  IoHarness io(options);
  constexpr std::uint64_t kReads = 500;
  for (std::uint64_t r = 1; r <= kReads; ++r) {
    for (std::uint32_t p = 1; p <= 3; ++p) REQUIRE_FALSE(io.Read(MakeRead(p, r)));
  }
  REQUIRE(io.sink->AwaitReads(3 * kReads));
  std::map<std::uint32_t, std::uint64_t> last;
  for (const ReadResult& result : io.sink->reads()) {
    CHECK(result.request == ++last[result.partition.value()]);
    CHECK(result.first == LogIndex(result.request));
    REQUIRE(result.entries.size() == 1);
    CHECK(result.entries[0].index == result.first);
  }
}

TEST_CASE("Reads of different lanes run beside each other and beside a write", "[io_scheduler]") {
  IoSchedulerOptions options = Wide();
  options.reader_threads = 2;
  IoHarness io(options);
  io.HoldWriter(1);
  io.wal->reads.Close();
  REQUIRE_FALSE(io.Read(MakeRead(1, 1)));
  REQUIRE_FALSE(io.Read(MakeRead(1, 2)));
  REQUIRE(io.wal->reads.AwaitArrivals(1));
  REQUIRE_FALSE(io.Read(MakeRead(2, 1)));   // for the other thread
  REQUIRE(io.wal->reads.AwaitArrivals(2));  // both inside Read, and the writer inside Write
  CHECK(io.wal->is_writing());
  io.wal->reads.Open();
  REQUIRE(io.sink->AwaitReads(3));
  CHECK(io.sink->written().empty());
}

TEST_CASE("Caps of reads", "[io_scheduler]") {
  IoSchedulerOptions options;
  options.reader_threads = 1;
  options.lane_reads_max = 3;
  options.reads_max = 5;
  IoHarness io(options);
  io.wal->reads.Close();
  REQUIRE_FALSE(io.Read(MakeRead(1, 1)));
  REQUIRE(io.wal->reads.AwaitArrivals(1));  // taken: no longer queued
  for (std::uint64_t r = 2; r <= 4; ++r) REQUIRE_FALSE(io.Read(MakeRead(1, r)));
  CHECK(io.Read(MakeRead(1, 5)) == RaftErrc::ProposalQueueFull);
  REQUIRE_FALSE(io.Read(MakeRead(2, 1)));
  REQUIRE_FALSE(io.Read(MakeRead(3, 1)));
  CHECK(io.Read(MakeRead(4, 1)) == RaftErrc::ProposalQueueFull);
  io.wal->reads.Open();
  REQUIRE(io.sink->AwaitReads(6));
  CHECK(io.scheduler->Statistics().refused == 2);
  CHECK(io.scheduler->Statistics().reads == 6);
}

TEST_CASE("A batch carries so many units at most", "[io_scheduler]") {
  const bool separate = GENERATE(true, false);
  IoSchedulerOptions options = Wide();
  options.batch_units_max = 10;
  IoHarness io(options);
  io.HoldWriter(99);
  for (std::uint64_t u = 1; u <= 3; ++u) {
    for (std::uint32_t p = 1; p <= 30; ++p) REQUIRE_FALSE(io.Write(MakeUnit(p, u, separate)));
  }
  io.wal->writes.Open();
  io.StopAndWait();
  const auto batches = io.wal->batches();
  CHECK(batches.size() == 10);  // the held one and 90 units by tens
  for (const auto& batch : batches) CHECK(batch.size() <= 10);
}

TEST_CASE("A linger waits for company until the batch is full", "[io_scheduler]") {
  IoSchedulerOptions options = Wide();
  options.linger = std::chrono::hours(1);
  options.batch_partitions_max = 3;
  IoHarness io(options);
  for (std::uint64_t round = 1; round <= 200; ++round) {
    for (std::uint32_t p = 1; p <= 3; ++p) {
      for (int i = 0; i < 20; ++i) std::this_thread::yield();  // so that the writer lingers by then
      REQUIRE_FALSE(io.Write(MakeUnit(p, round, true)));
    }
    for (std::uint32_t p = 1; p <= 3; ++p) REQUIRE(io.sink->AwaitWritten(p, UnitId(round)));
  }
  CHECK(io.wal->batches().size() == 200);
}

TEST_CASE("A linger counts what was left behind by the last batch", "[io_scheduler]") {
  IoSchedulerOptions options = Wide();
  options.linger = std::chrono::hours(1);
  options.batch_partitions_max = 2;
  IoHarness io(options);
  io.wal->writes.Close();
  REQUIRE_FALSE(io.Write(MakeUnit(1, 1)));
  REQUIRE_FALSE(io.Write(MakeUnit(2, 1)));
  REQUIRE(io.wal->writes.AwaitArrivals(1));
  for (std::uint64_t u = 2; u <= 4; ++u) REQUIRE_FALSE(io.Write(MakeUnit(1, u, true)));
  io.wal->writes.Open();
  REQUIRE(io.sink->AwaitWritten(1, UnitId(1)));
  for (std::uint64_t u = 2; u <= 4; ++u) {
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    REQUIRE_FALSE(io.Write(MakeUnit(2, u, true)));
    REQUIRE(io.sink->AwaitWritten(2, UnitId(u)));
  }
  const auto batches = io.wal->batches();
  REQUIRE(batches.size() == 4);
  for (const auto& batch : batches) CHECK(batch.size() == 2);
}

TEST_CASE("A linger ends by bytes, by a task and by a stop", "[io_scheduler]") {
  IoSchedulerOptions options = Wide();
  options.linger = std::chrono::hours(1);
  options.batch_bytes_max = 64 * 3;
  IoHarness io(options);
  for (std::uint64_t u = 1; u <= 3; ++u) REQUIRE_FALSE(io.Write(MakeUnit(1, u)));
  REQUIRE(io.sink->AwaitWritten(1, UnitId(3)));
  CHECK(io.wal->batches().size() == 1);
  REQUIRE_FALSE(io.Write(MakeUnit(1, 4)));
  Event ran;
  REQUIRE_FALSE(io.scheduler->SubmitTask(0, [&](Wal&, bool) { ran.Set(); }));
  REQUIRE(ran.Await());
  REQUIRE_FALSE(io.Write(MakeUnit(2, 1)));
  io.StopAndWait();
  CHECK(io.sink->AwaitWritten(2, UnitId(1)));
}

TEST_CASE("A full disk is said and taken back", "[io_scheduler]") {
  IoSchedulerOptions options = Wide();
  options.free_bytes_min = 1000;
  options.free_check_interval = std::chrono::seconds(1);
  options.free_check_bytes = 64 * 10;
  IoHarness io(options);
  std::uint64_t u = 0;
  const auto write = [&] {
    ++u;
    REQUIRE_FALSE(io.Write(MakeUnit(1, u)));
    REQUIRE(io.sink->AwaitWritten(1, UnitId(u)));
    Event behind;  // a task runs after the look that follows the write
    REQUIRE_FALSE(io.scheduler->SubmitTask(0, [&](Wal&, bool) { behind.Set(); }));
    REQUIRE(behind.Await());
  };
  write();
  CHECK_FALSE(io.scheduler->IsDiskFull());
  io.wal->free_bytes = 999;
  const int looks = io.wal->free_looks;
  for (int i = 0; i < 5; ++i) write();
  CHECK(io.wal->free_looks == looks);  // not on every write
  CHECK_FALSE(io.scheduler->IsDiskFull());
  io.clock->Advance(std::chrono::seconds(1));
  write();
  CHECK(io.wal->free_looks == looks + 1);
  CHECK(io.scheduler->IsDiskFull());
  CHECK_FALSE(io.scheduler->IsSaturated(1));  // writes go on; proposals are admission's matter

  // Nothing is written while proposals are refused: asking is what looks again.
  io.wal->free_bytes = 1000;
  CHECK(io.scheduler->IsDiskFull());
  io.clock->Advance(std::chrono::seconds(1));
  CHECK(AwaitTrue([&] { return !io.scheduler->IsDiskFull(); }));

  // Many bytes at once are looked at before the interval ends.
  io.wal->free_bytes = 1;
  for (int i = 0; i < 11; ++i) write();
  CHECK(io.scheduler->IsDiskFull());
}

TEST_CASE("No watermark, no look", "[io_scheduler]") {
  IoSchedulerOptions options;
  options.free_bytes_min = 0;
  IoHarness io(options, [](ScriptedWal& wal) { wal.free_bytes = 0; });
  REQUIRE_FALSE(io.Write(MakeUnit(1, 1)));
  REQUIRE(io.sink->AwaitWritten(1, UnitId(1)));
  io.StopAndWait();
  CHECK_FALSE(io.scheduler->IsDiskFull());
  CHECK(io.wal->free_looks == 0);
}
