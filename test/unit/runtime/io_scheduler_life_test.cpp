// Start, tasks, stop, abort and destruction of the fair I/O scheduler.
#include <atomic>
#include <thread>
#include <vector>

#include "io_harness.hpp"
#include "runtime/io_scheduler.hpp"

using namespace kommander;
using namespace kommander::test;
using runtime::FairIoScheduler;
using runtime::IoSchedulerOptions;

TEST_CASE("Nothing is accepted before the start", "[io_scheduler][life]") {
  FairIoScheduler scheduler({}, std::make_shared<ManualClock>());
  const auto sink = std::make_shared<CollectingSink>();
  CHECK(scheduler.SubmitWrite(MakeUnit(1, 1), sink) == RaftErrc::NodeIsNotReady);
  CHECK(scheduler.SubmitRead(MakeRead(1, 1), sink) == RaftErrc::NodeIsNotReady);
  CHECK(scheduler.SubmitTask(0, [](Wal&, bool) {}) == RaftErrc::NodeIsNotReady);
  CHECK_FALSE(scheduler.IsSaturated(1));
  CHECK_FALSE(scheduler.IsDiskFull());
  CHECK(scheduler.Statistics().write_batches == 0);
}

TEST_CASE("A scheduler that never started stops at once and does not start any more",
          "[io_scheduler][life]") {
  FairIoScheduler scheduler({}, std::make_shared<ManualClock>());
  int stopped = 0;
  scheduler.Stop([&] { ++stopped; });
  CHECK(stopped == 1);
  const auto wal = std::make_shared<ScriptedWal>();
  CHECK(scheduler.Start(wal) == RaftErrc::NodeStopped);
  scheduler.Abort();
  CHECK_FALSE(wal->is_closed());
  CHECK(wal.use_count() == 1);
}

TEST_CASE("It starts once", "[io_scheduler][life]") {
  IoHarness io;
  CHECK(io.scheduler->Start(std::make_shared<ScriptedWal>()) == RaftErrc::InvalidArgument);
  io.StopAndWait();
  CHECK(io.scheduler->Start(std::make_shared<ScriptedWal>()) == RaftErrc::NodeStopped);
}

TEST_CASE("Stop drains writes and reads, then closes the store, then tells", "[io_scheduler]") {
  IoHarness io;
  io.HoldWriter(1);
  io.wal->reads.Close();
  for (std::uint64_t u = 2; u <= 20; ++u) {
    REQUIRE_FALSE(io.Write(MakeUnit(1, u, true)));
    REQUIRE_FALSE(io.Write(MakeUnit(2, u - 1, true)));
  }
  for (std::uint64_t r = 1; r <= 20; ++r) REQUIRE_FALSE(io.Read(MakeRead(1, r)));
  Event stopped;
  bool was_closed = false;
  io.scheduler->Stop([&] {
    was_closed = io.wal->is_closed();
    stopped.Set();
  });
  Event stopped_again;
  io.scheduler->Stop([&] { stopped_again.Set(); });
  CHECK(io.Write(MakeUnit(3, 1)) == RaftErrc::NodeStopped);
  CHECK(io.Read(MakeRead(3, 1)) == RaftErrc::NodeStopped);
  CHECK(io.scheduler->SubmitTask(0, [](Wal&, bool) {}) == RaftErrc::NodeStopped);
  CHECK(stopped.count() == 0);
  io.wal->writes.Open();
  REQUIRE(io.sink->AwaitWritten(1, UnitId(20)));
  REQUIRE(io.sink->AwaitWritten(2, UnitId(19)));
  CHECK(stopped.count() == 0);  // a read is still running
  io.wal->reads.Open();
  REQUIRE(stopped.Await());
  REQUIRE(stopped_again.Await());
  CHECK(was_closed);
  CHECK(io.sink->reads().size() == 20);
  CHECK(stopped.count() == 1);
  CHECK(stopped_again.count() == 1);

  int third = 0;
  io.scheduler->Stop([&] { ++third; });
  CHECK(third == 1);  // already stopped: at once
}

TEST_CASE("Tasks run in order, never beside a write, and see the store", "[io_scheduler][life]") {
  IoHarness io;
  std::vector<int> order;  // of the writer's thread
  std::atomic<int> wrong{0};
  Event ran;
  io.HoldWriter(1);
  std::uint64_t u = 1;
  for (int i = 0; i < 50; ++i) {
    REQUIRE_FALSE(io.scheduler->SubmitTask(0, [&, i](Wal& wal, bool cancelled) {
      if (&wal != io.wal.get() || io.wal->is_writing() || cancelled) ++wrong;
      order.push_back(i);
      ran.Set();
    }));
    REQUIRE_FALSE(io.Write(MakeUnit(2, u++, true)));
  }
  CHECK(ran.count() == 0);
  io.wal->writes.Open();
  REQUIRE(ran.Await(50));
  CHECK(wrong == 0);
  for (int i = 0; i < 50; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("Tasks and batches take turns", "[io_scheduler][life]") {
  IoHarness io;
  io.HoldWriter(1);
  std::vector<std::size_t> batches_seen;
  Event ran;
  for (int i = 0; i < 10; ++i) {
    REQUIRE_FALSE(io.scheduler->SubmitTask(0, [&](Wal&, bool) {
      batches_seen.push_back(io.wal->batches().size());
      ran.Set();
    }));
  }
  for (std::uint64_t u = 2; u <= 11; ++u) REQUIRE_FALSE(io.Write(MakeUnit(1, u, true)));
  io.wal->writes.Open();
  REQUIRE(ran.Await(10));
  for (std::size_t i = 1; i < batches_seen.size(); ++i) {
    CHECK(batches_seen[i] == batches_seen[i - 1] + 1);
  }
}

TEST_CASE("A task may submit work", "[io_scheduler][life]") {
  IoHarness io;
  Event second;
  std::atomic<int> refused{0};
  REQUIRE_FALSE(io.scheduler->SubmitTask(0, [&](Wal&, bool) {
    if (io.Write(MakeUnit(1, 1))) ++refused;
    if (io.Read(MakeRead(1, 1))) ++refused;
    if (io.scheduler->SubmitTask(0, [&](Wal&, bool) { second.Set(); })) ++refused;
  }));
  REQUIRE(second.Await());
  REQUIRE(io.sink->AwaitWritten(1, UnitId(1)));
  REQUIRE(io.sink->AwaitReads(1));
  CHECK(refused == 0);
}

TEST_CASE("The number of tasks is bounded", "[io_scheduler][life]") {
  IoSchedulerOptions options;
  options.tasks_max = 2;
  IoHarness io(options);
  io.HoldWriter(1);
  CHECK_FALSE(io.scheduler->SubmitTask(0, [](Wal&, bool) {}));
  CHECK_FALSE(io.scheduler->SubmitTask(0, [](Wal&, bool) {}));
  CHECK(io.scheduler->SubmitTask(0, [](Wal&, bool) {}) == RaftErrc::ProposalQueueFull);
}

TEST_CASE("Stop cancels tasks that did not run, and calls each", "[io_scheduler][life]") {
  IoHarness io;
  io.HoldWriter(1);
  std::atomic<int> cancelled_tasks{0};
  for (int i = 0; i < 10; ++i) {
    REQUIRE_FALSE(io.scheduler->SubmitTask(0, [&](Wal&, bool cancelled) {
      const bool refused = io.Write(MakeUnit(5, 1)) == RaftErrc::NodeStopped;
      if (cancelled && refused) ++cancelled_tasks;
    }));
  }
  Event stopped;
  io.scheduler->Stop([&] { stopped.Set(); });
  io.wal->writes.Open();
  REQUIRE(stopped.Await());
  CHECK(cancelled_tasks == 10);
}

TEST_CASE("File tasks run beside a write and leave a thread to reads", "[io_scheduler][life]") {
  IoSchedulerOptions options;
  options.reader_threads = 2;
  IoHarness io(options);
  io.HoldWriter(1);
  Gate files;
  files.Close();
  Event ran;
  for (int i = 0; i < 5; ++i) {
    REQUIRE_FALSE(io.scheduler->SubmitFileTask([&](bool cancelled) {
      files.Pass();
      if (!cancelled) ran.Set();
    }));
  }
  REQUIRE(files.AwaitArrivals(1));
  for (std::uint64_t read = 1; read <= 20; ++read) REQUIRE_FALSE(io.Read(MakeRead(1, read)));
  REQUIRE(io.sink->AwaitReads(20));
  CHECK(ran.count() == 0);
  files.Open();
  REQUIRE(ran.Await(5));
  CHECK(io.wal->is_writing());
}

TEST_CASE("One reader takes turns between reads and file tasks", "[io_scheduler][life]") {
  IoSchedulerOptions options;
  options.reader_threads = 1;
  IoHarness io(options);
  io.wal->reads.Close();
  REQUIRE_FALSE(io.Read(MakeRead(1, 1)));
  REQUIRE(io.wal->reads.AwaitArrivals(1));
  std::vector<std::size_t> reads_before;
  Event ran;
  for (int i = 0; i < 3; ++i) {
    REQUIRE_FALSE(io.scheduler->SubmitFileTask([&](bool) {
      reads_before.push_back(io.wal->reads.arrivals());
      ran.Set();
    }));
  }
  for (std::uint64_t read = 2; read <= 9; ++read) REQUIRE_FALSE(io.Read(MakeRead(1, read)));
  io.wal->reads.Open();
  REQUIRE(ran.Await(3));
  REQUIRE(io.sink->AwaitReads(9));
  CHECK(reads_before == std::vector<std::size_t>{1, 2, 3});
}

TEST_CASE("The number of file tasks is bounded", "[io_scheduler][life]") {
  IoSchedulerOptions options;
  options.tasks_max = 2;
  Gate files;
  files.Close();
  IoHarness io(options);
  const auto pass = [&](bool) { files.Pass(); };
  REQUIRE_FALSE(io.scheduler->SubmitFileTask(pass));
  REQUIRE(files.AwaitArrivals(1));
  CHECK_FALSE(io.scheduler->SubmitFileTask(pass));
  CHECK_FALSE(io.scheduler->SubmitFileTask(pass));
  CHECK(io.scheduler->SubmitFileTask(pass) == RaftErrc::ProposalQueueFull);
  CHECK(io.scheduler->Statistics().refused == 1);
  files.Open();
  REQUIRE(files.AwaitArrivals(3));
}

TEST_CASE("Stop cancels file tasks that did not run, and calls each", "[io_scheduler][life]") {
  IoHarness io;
  Gate files;
  files.Close();
  std::atomic<int> cancelled_tasks{0};
  for (int i = 0; i < 10; ++i) {
    REQUIRE_FALSE(io.scheduler->SubmitFileTask([&](bool cancelled) {
      files.Pass();
      if (cancelled) ++cancelled_tasks;
    }));
  }
  REQUIRE(files.AwaitArrivals(1));
  Event stopped;
  io.scheduler->Stop([&] { stopped.Set(); });
  CHECK(io.scheduler->SubmitFileTask([](bool) {}) == RaftErrc::NodeStopped);
  files.Open();
  REQUIRE(stopped.Await());
  CHECK(cancelled_tasks == 9);
}

TEST_CASE("Abort finishes the running write and drops the rest unanswered",
          "[io_scheduler][life]") {
  IoHarness io;
  io.HoldWriter(1);
  auto dropped = std::make_shared<CollectingSink>();
  for (std::uint64_t u = 2; u <= 10; ++u) {
    REQUIRE_FALSE(io.scheduler->SubmitWrite(MakeUnit(1, u), dropped));
  }
  REQUIRE_FALSE(io.scheduler->SubmitWrite(MakeUnit(2, 1), dropped));
  io.wal->reads.Close();
  REQUIRE_FALSE(io.Read(MakeRead(1, 1)));
  REQUIRE(io.wal->reads.AwaitArrivals(1));
  REQUIRE_FALSE(io.scheduler->SubmitRead(MakeRead(1, 2), dropped));
  bool task_ran = false;
  auto captured = std::make_shared<int>(0);
  REQUIRE_FALSE(
      io.scheduler->SubmitTask(0, [&task_ran, captured](Wal&, bool) { task_ran = true; }));

  Event aborted;
  std::thread aborter([&] {
    io.scheduler->Abort();
    aborted.Set();
  });
  while (io.Write(MakeUnit(3, 1)) != RaftErrc::NodeStopped) std::this_thread::yield();
  CHECK(aborted.count() == 0);
  std::atomic<bool> second_saw_close{false};
  std::atomic<bool> second_begins{false};
  std::thread second([&] {  // whoever comes second waits as well
    second_begins = true;
    io.scheduler->Abort();
    second_saw_close = io.wal->is_closed();
  });
  REQUIRE(AwaitTrue([&] { return second_begins.load(); }));
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  io.wal->writes.Open();
  io.wal->reads.Open();
  aborter.join();
  second.join();
  CHECK(io.wal->is_closed());
  CHECK(second_saw_close);
  CHECK(io.wal->batches().size() == 1);
  CHECK(io.sink->written().size() == 1);
  CHECK(io.sink->reads().size() == 1);
  CHECK(dropped->written().empty());
  CHECK(dropped->reads().empty());
  CHECK_FALSE(task_ran);
  CHECK(dropped.use_count() == 1);  // nothing queued is kept
  CHECK(captured.use_count() == 1);
  io.scheduler->Abort();  // again
}

TEST_CASE("Abort during a stop still tells those who wait for the stop", "[io_scheduler][life]") {
  IoHarness io;
  io.HoldWriter(1);
  for (std::uint64_t u = 2; u <= 10; ++u) REQUIRE_FALSE(io.Write(MakeUnit(1, u, true)));
  Event stopped;
  io.scheduler->Stop([&] { stopped.Set(); });
  io.wal->writes.Let(1);
  REQUIRE(io.wal->writes.AwaitArrivals(2));
  std::thread aborter([&] { io.scheduler->Abort(); });
  io.wal->writes.Open();
  aborter.join();
  CHECK(stopped.count() == 1);
}

TEST_CASE("The last reference may go in the call that ends a stop", "[io_scheduler][life]") {
  for (int round = 0; round < 50; ++round) {
    const auto wal = std::make_shared<ScriptedWal>();
    auto owner =
        std::make_shared<FairIoScheduler>(IoSchedulerOptions(), std::make_shared<ManualClock>());
    REQUIRE_FALSE(owner->Start(wal));
    const auto sink = std::make_shared<CollectingSink>();
    REQUIRE_FALSE(owner->SubmitWrite(MakeUnit(1, 1), sink));
    const auto destroyed = std::make_shared<Event>();  // the thread may outlive this round
    FairIoScheduler& scheduler = *owner;
    std::atomic<bool> ready{false};
    scheduler.Stop([&owner, &ready, destroyed] {
      while (!ready) std::this_thread::yield();  // Stop itself must have returned
      owner.reset();
      destroyed->Set();
    });
    ready = true;
    REQUIRE(destroyed->Await());
    CHECK(wal->is_closed());
    CHECK(wal->breach().empty());
    CHECK(sink->written().size() == 1);
  }
}

TEST_CASE("The last reference may go in a task", "[io_scheduler][life]") {
  const auto wal = std::make_shared<ScriptedWal>();
  auto owner =
      std::make_shared<FairIoScheduler>(IoSchedulerOptions(), std::make_shared<ManualClock>());
  REQUIRE_FALSE(owner->Start(wal));
  const auto destroyed = std::make_shared<Event>();
  std::atomic<bool> ready{false};
  FairIoScheduler& scheduler = *owner;
  REQUIRE_FALSE(scheduler.SubmitTask(0, [&owner, &ready, destroyed](Wal&, bool) {
    while (!ready) std::this_thread::yield();
    owner.reset();
    destroyed->Set();
  }));
  ready = true;
  REQUIRE(destroyed->Await());
  CHECK(owner == nullptr);
  CHECK(wal->breach().empty());
}

TEST_CASE("A running scheduler can be destroyed while idle", "[io_scheduler][life]") {
  for (int round = 0; round < 50; ++round) {
    IoHarness io;
    if (round % 2 == 1) {
      REQUIRE_FALSE(io.Write(MakeUnit(1, 1)));
      REQUIRE_FALSE(io.Read(MakeRead(1, 1)));
    }
  }
}
