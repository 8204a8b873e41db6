// A store of several file sets: each is written, fails and is drained by itself.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <pthread.h>
#include <string>
#include <thread>
#include <vector>

#include "io_harness.hpp"
#include "runtime/io_scheduler.hpp"

using namespace kommander;
using namespace kommander::test;
using runtime::FairIoScheduler;
using runtime::IoSchedulerOptions;

namespace {

// Partitions 0, 2, 4 ... lie in set 0, and 1, 3, 5 ... in set 1.
constexpr std::size_t kTwo = 2;

// Units of the partition that were answered so.
std::size_t CountAnswers(const IoHarness& io, PartitionId partition, error_code error) {
  std::size_t count = 0;
  for (const CollectingSink::Written& told : io.sink->written()) {
    if (told.partition == partition && told.error == error) ++count;
  }
  return count;
}

// New threads of this process get a stack that no address space has room for.
class NoMoreThreads {
 public:
  NoMoreThreads() {
    REQUIRE(pthread_getattr_default_np(&before_) == 0);
    pthread_attr_t huge;
    REQUIRE(pthread_attr_init(&huge) == 0);
    REQUIRE(pthread_attr_setstacksize(&huge, std::size_t{1} << 52) == 0);
    REQUIRE(pthread_setattr_default_np(&huge) == 0);
    pthread_attr_destroy(&huge);
  }
  ~NoMoreThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }
  NoMoreThreads(const NoMoreThreads&) = delete;
  NoMoreThreads& operator=(const NoMoreThreads&) = delete;

 private:
  pthread_attr_t before_;
};

}  // namespace

TEST_CASE("A write that hangs in one file set holds up no other", "[io_scheduler][file_sets]") {
  IoHarness io({}, nullptr, 3);
  for (const std::uint32_t held : {0u, 1u, 2u}) {
    const std::uint64_t u = 10 * held + 1;
    io.HoldWriter(held);
    for (std::uint32_t p = 0; p < 6; ++p) {
      if (p % 3 == held) continue;
      REQUIRE_FALSE(io.Write(MakeUnit(p, u)));
      REQUIRE(io.sink->AwaitWritten(p, UnitId(u)));
    }
    CHECK(io.wal->is_writing(held));
    io.wal->writes_of(held).Open();
    REQUIRE(io.sink->AwaitWritten(held, UnitId(1)));
  }
}

TEST_CASE("A batch holds units of one file set", "[io_scheduler][file_sets]") {
  IoHarness io({}, nullptr, kTwo);
  io.HoldWriter(0);
  io.HoldWriter(1);
  for (std::uint32_t p = 2; p < 20; ++p) REQUIRE_FALSE(io.Write(MakeUnit(p, 1)));
  io.wal->writes_of(0).Open();
  io.wal->writes_of(1).Open();
  io.StopAndWait();
  std::vector<std::size_t> sizes;
  for (const auto& batch : io.wal->batches()) {
    sizes.push_back(batch.size());
    for (const auto& unit : batch) {
      CHECK(io.wal->FileSetOf(unit.partition) == io.wal->FileSetOf(batch.front().partition));
    }
  }
  std::sort(sizes.begin(), sizes.end());
  CHECK(sizes ==
        std::vector<std::size_t>{1, 1, 9, 9});  // what queued meanwhile is one sync of each
  const IoStatistics statistics = io.scheduler->Statistics();
  CHECK(statistics.write_batches == 4);
  CHECK(statistics.write_units == 20);
  CHECK(statistics.queued_write_bytes == 0);
}

TEST_CASE("A file set fails alone", "[io_scheduler][file_sets]") {
  IoHarness io({}, nullptr, kTwo);
  io.wal->FailSet(1);
  io.HoldWriter(1);
  io.HoldWriter(0);
  for (std::uint64_t u = 2; u <= 5; ++u) REQUIRE_FALSE(io.Write(MakeUnit(1, u, true)));
  REQUIRE_FALSE(io.Write(MakeUnit(3, 1)));
  REQUIRE_FALSE(io.Write(MakeUnit(2, 1)));
  io.wal->writes_of(1).Open();
  REQUIRE(io.sink->AwaitWritten(1, UnitId(5)));
  REQUIRE(io.sink->AwaitWritten(3, UnitId(1)));
  // Each lane is told the first unit that is lost.
  CHECK(CountAnswers(io, 1, RaftErrc::WalUnavailable) == 1);
  CHECK(CountAnswers(io, 3, RaftErrc::WalUnavailable) == 1);
  for (const std::uint32_t p : {1u, 3u, 5u}) {
    CHECK(io.Write(MakeUnit(p, 9)) == RaftErrc::StorageFailed);
  }
  CHECK_FALSE(io.scheduler->IsSaturated(1));
  io.wal->writes_of(0).Open();
  for (const std::uint32_t p : {0u, 2u, 4u}) {
    REQUIRE_FALSE(io.Write(MakeUnit(p, 2)));
    REQUIRE(io.sink->AwaitWritten(p, UnitId(2)));
    CHECK(CountAnswers(io, p, RaftErrc::WalUnavailable) == 0);
  }
  // What only reads goes on, as it does in a store of one set.
  REQUIRE_FALSE(io.Read(MakeRead(1, 1)));
  REQUIRE(io.sink->AwaitReads(1));
  Event ran;
  REQUIRE_FALSE(io.scheduler->SubmitTask(1, [&](Wal&, bool cancelled) {
    if (!cancelled) ran.Set();
  }));
  REQUIRE(ran.Await());
}

TEST_CASE("A task keeps off writes of its file set only", "[io_scheduler][file_sets]") {
  IoHarness io({}, nullptr, kTwo);
  io.HoldWriter(1);
  Event own;
  std::atomic<bool> was_beside_its_own{false};
  REQUIRE_FALSE(io.scheduler->SubmitTask(3, [&](Wal&, bool) {
    was_beside_its_own = io.wal->is_writing(1);
    own.Set();
  }));
  Event other;
  bool was_beside = false;
  REQUIRE_FALSE(io.scheduler->SubmitTask(2, [&](Wal&, bool) {
    was_beside = io.wal->is_writing(1);
    other.Set();
  }));
  REQUIRE(other.Await());
  CHECK(was_beside);
  CHECK(own.count() == 0);
  // And the other way round: tasks of two sets beside each other.
  io.wal->writes_of(1).Open();
  REQUIRE(own.Await());
  CHECK_FALSE(was_beside_its_own);
  Event met[kTwo];
  for (std::uint32_t set = 0; set < kTwo; ++set) {
    REQUIRE_FALSE(io.scheduler->SubmitTask(set, [&met, set](Wal&, bool) {
      met[set].Set();
      (void)met[1 - set].Await();
    }));
  }
  io.StopAndWait();
  CHECK(met[0].count() == 1);
  CHECK(met[1].count() == 1);
}

TEST_CASE("Tasks of one file set run one after the other", "[io_scheduler][file_sets]") {
  IoHarness io({}, nullptr, kTwo);
  std::atomic<int> running{0};
  std::atomic<int> overlaps{0};
  std::atomic<int> ran{0};
  for (std::uint32_t i = 0; i < 200; ++i) {
    REQUIRE_FALSE(io.scheduler->SubmitTask(2 * i + 1, [&](Wal&, bool) {
      if (running.fetch_add(1) != 0) ++overlaps;
      std::this_thread::yield();
      --running;
      ++ran;
    }));
  }
  io.StopAndWait();
  CHECK(ran == 200);
  CHECK(overlaps == 0);
}

TEST_CASE("A stop drains every file set before the store is closed", "[io_scheduler][file_sets]") {
  IoHarness io({}, nullptr, kTwo);
  io.HoldWriter(0);
  io.HoldWriter(1);
  for (std::uint64_t u = 2; u <= 9; ++u) {
    for (std::uint32_t p = 0; p < 4; ++p) REQUIRE_FALSE(io.Write(MakeUnit(p, u, true)));
  }
  std::atomic<int> cancelled{0};
  for (const std::uint32_t p : {0u, 1u}) {
    REQUIRE_FALSE(io.scheduler->SubmitTask(p, [&](Wal&, bool is_cancelled) {
      if (is_cancelled) ++cancelled;
    }));
  }
  Event stopped;
  bool was_closed = false;
  io.scheduler->Stop([&] {
    was_closed = io.wal->is_closed();
    stopped.Set();
  });
  for (std::uint32_t p = 0; p < 4; ++p) {
    CHECK(io.Write(MakeUnit(p, 10)) == RaftErrc::NodeStopped);
    CHECK(io.scheduler->SubmitTask(p, [](Wal&, bool) {}) == RaftErrc::NodeStopped);
  }
  io.wal->writes_of(0).Open();
  for (const std::uint32_t p : {0u, 2u}) REQUIRE(io.sink->AwaitWritten(p, UnitId(9)));
  CHECK_FALSE(io.wal->is_closed());
  CHECK(stopped.count() == 0);
  io.wal->writes_of(1).Open();
  REQUIRE(stopped.Await());
  CHECK(was_closed);
  for (const std::uint32_t p : {1u, 3u}) REQUIRE(io.sink->AwaitWritten(p, UnitId(9)));
  CHECK(cancelled == 2);
}

TEST_CASE("Abort waits for the running write of each file set and drops the rest",
          "[io_scheduler][file_sets]") {
  IoHarness io({}, nullptr, kTwo);
  io.HoldWriter(0);
  io.HoldWriter(1);
  const auto dropped = std::make_shared<CollectingSink>();
  for (std::uint32_t p = 0; p < 4; ++p) {
    REQUIRE_FALSE(io.scheduler->SubmitWrite(MakeUnit(p, 2), dropped));
  }
  const auto captured = std::make_shared<int>(0);
  bool task_ran = false;
  REQUIRE_FALSE(
      io.scheduler->SubmitTask(1, [&task_ran, captured](Wal&, bool) { task_ran = true; }));
  Event aborted;
  std::thread aborter([&] {
    io.scheduler->Abort();
    aborted.Set();
  });
  REQUIRE(AwaitTrue([&] { return io.Write(MakeUnit(5, 1)) == RaftErrc::NodeStopped; }));
  io.wal->writes_of(0).Open();
  REQUIRE(io.sink->AwaitWritten(0, UnitId(1)));
  CHECK(aborted.count() == 0);
  CHECK_FALSE(io.wal->is_closed());
  io.wal->writes_of(1).Open();
  aborter.join();
  CHECK(io.wal->is_closed());
  CHECK(io.sink->AwaitWritten(1, UnitId(1)));
  CHECK(dropped->written().empty());
  CHECK(dropped.use_count() == 1);
  CHECK(captured.use_count() == 1);
  CHECK_FALSE(task_ran);
}

TEST_CASE("Caps of a lane are its own, those of the node count every file set",
          "[io_scheduler][file_sets]") {
  IoSchedulerOptions options;
  options.lane_units_max = 3;
  options.units_max = 6;
  IoHarness io(options, nullptr, kTwo);
  io.HoldWriter(0);
  io.HoldWriter(1);
  for (std::uint64_t u = 2; u <= 3; ++u) REQUIRE_FALSE(io.Write(MakeUnit(1, u)));
  CHECK(io.scheduler->IsSaturated(1));
  for (const std::uint32_t p : {0u, 2u, 3u}) CHECK_FALSE(io.scheduler->IsSaturated(p));
  REQUIRE_FALSE(io.Write(MakeUnit(2, 1)));
  CHECK_FALSE(io.scheduler->IsSaturated(3));
  REQUIRE_FALSE(io.Write(MakeUnit(2, 2)));
  for (std::uint32_t p = 0; p < 5; ++p) CHECK(io.scheduler->IsSaturated(p));
  io.wal->writes_of(1).Open();
  REQUIRE(io.sink->AwaitWritten(1, UnitId(3)));
  for (std::uint32_t p = 0; p < 5; ++p) CHECK_FALSE(io.scheduler->IsSaturated(p));
}

TEST_CASE("Free space is looked at whichever file set writes, and while another one hangs",
          "[io_scheduler][file_sets]") {
  IoSchedulerOptions options;
  options.free_bytes_min = 1000;
  options.free_check_interval = std::chrono::seconds(1);
  IoHarness io(options, nullptr, kTwo);
  io.HoldWriter(0);
  io.wal->free_bytes = 999;
  io.clock->Advance(std::chrono::seconds(1));
  REQUIRE_FALSE(io.Write(MakeUnit(1, 1)));
  REQUIRE(AwaitTrue([&] { return io.scheduler->IsDiskFull(); }));
  io.wal->free_bytes = 1000;
  io.clock->Advance(std::chrono::seconds(1));
  REQUIRE(AwaitTrue([&] { return !io.scheduler->IsDiskFull(); }));
  CHECK(io.wal->is_writing(0));
}

TEST_CASE("Every file set has a thread of its own, by name", "[io_scheduler][file_sets]") {
  IoHarness io({}, nullptr, 3);
  std::vector<std::string> names(3);
  Event ran;
  for (std::uint32_t set = 0; set < 3; ++set) {
    REQUIRE_FALSE(io.scheduler->SubmitTask(set, [&names, &ran, set](Wal&, bool) {
      char name[16] = {};
      pthread_getname_np(pthread_self(), name, sizeof(name));
      names[set] = name;
      ran.Set();
    }));
  }
  REQUIRE(ran.Await(3));
  CHECK(names == std::vector<std::string>{"kmd-wal", "kmd-wal-1", "kmd-wal-2"});
}

TEST_CASE("File sets are served once, by a scheduler that runs", "[io_scheduler][file_sets]") {
  FairIoScheduler fresh({}, std::make_shared<ManualClock>());
  CHECK(fresh.UseFileSets() == RaftErrc::NodeIsNotReady);
  IoHarness io({}, nullptr, kTwo);
  CHECK(io.scheduler->UseFileSets() == RaftErrc::InvalidArgument);
  io.StopAndWait();
  CHECK(io.scheduler->UseFileSets() == RaftErrc::NodeStopped);
}

TEST_CASE("A file set without a thread is an error, and no hang", "[io_scheduler][file_sets]") {
  const auto wal = std::make_shared<ScriptedWal>(3);
  FairIoScheduler scheduler({}, std::make_shared<ManualClock>());
  REQUIRE_FALSE(scheduler.Start(wal));
  error_code error;
  {
    const NoMoreThreads none;
    Event asked;
    REQUIRE_FALSE(scheduler.SubmitTask(0, [&](Wal&, bool) {
      error = scheduler.UseFileSets();
      asked.Set();
    }));
    REQUIRE(asked.Await());
  }
  CHECK(error == boost::system::errc::resource_unavailable_try_again);
  Event ran;
  REQUIRE_FALSE(scheduler.SubmitTask(0, [&](Wal&, bool) { ran.Set(); }));
  REQUIRE(ran.Await());
  Event stopped;
  scheduler.Stop([&] { stopped.Set(); });
  REQUIRE(stopped.Await());
  CHECK(wal->is_closed());
  CHECK(wal->breach().empty());
}
