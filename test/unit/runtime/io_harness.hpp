// A fair I/O scheduler over a scripted store, and units to give it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "catch.hpp"
#include "runtime/io_scheduler.hpp"
#include "scripted_wal.hpp"

namespace kommander::test {

// The smallest unit there is. `separate`: one that cannot be merged with the one before it.
inline WriteUnit MakeUnit(PartitionId partition, std::uint64_t unit, bool separate = false) {
  WriteUnit made;
  made.partition = partition;
  made.unit = UnitId(unit);
  if (separate) made.truncate_from = LogIndex(unit);
  made.commit_hint = LogIndex(unit);
  return made;
}

inline ReadRequest MakeRead(PartitionId partition, std::uint64_t request) {
  return {partition, request, LogIndex(request), LogIndex(request), 1024};
}

// Running; stops, and looks for breaches of the store's contract, when it goes.
class IoHarness {
 public:
  explicit IoHarness(const runtime::IoSchedulerOptions& options = {},
                     std::function<void(ScriptedWal&)> prepare = nullptr, std::size_t file_sets = 1)
      : wal(std::make_shared<ScriptedWal>(file_sets)),
        scheduler(std::make_unique<runtime::FairIoScheduler>(options, clock)) {
    if (prepare) prepare(*wal);
    REQUIRE_FALSE(scheduler->Start(wal));
    if (file_sets > 1) OpenFileSets();
  }
  ~IoHarness() {
    for (std::size_t set = 0; set < wal->FileSets(); ++set) wal->writes_of(set).Open();
    wal->reads.Open();
    scheduler.reset();
    CHECK(wal->breach().empty());
    CHECK(wal->is_closed());
  }

  error_code Write(WriteUnit unit) { return scheduler->SubmitWrite(std::move(unit), sink); }
  error_code Read(const ReadRequest& request) { return scheduler->SubmitRead(request, sink); }

  // What the task does that opens a store.
  void OpenFileSets() {
    Event done;
    error_code error;
    REQUIRE_FALSE(scheduler->SubmitTask(0, [&](Wal&, bool) {
      error = scheduler->UseFileSets();
      done.Set();
    }));
    REQUIRE(done.Await());
    REQUIRE_FALSE(error);
  }
  // Brings the writer into a write of `partition` that lasts until the test lets it go.
  void HoldWriter(PartitionId partition) {
    Gate& writes = wal->writes_of(wal->FileSetOf(partition));
    writes.Close();
    const std::size_t arrivals = writes.arrivals();
    REQUIRE_FALSE(Write(MakeUnit(partition, 1)));
    REQUIRE(writes.AwaitArrivals(arrivals + 1));
  }
  void StopAndWait() {
    Event stopped;
    scheduler->Stop([&] { stopped.Set(); });
    REQUIRE(stopped.Await());
  }

  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  std::shared_ptr<ScriptedWal> wal;
  std::shared_ptr<CollectingSink> sink = std::make_shared<CollectingSink>();
  std::unique_ptr<runtime::FairIoScheduler> scheduler;
};

}  // namespace kommander::test
