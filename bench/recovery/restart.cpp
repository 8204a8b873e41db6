// A node is stopped in order and started again, with its log in the page cache; its state machine
// has nothing, and is given every payload that is known to be committed (all but the last batch or
// so: nobody noted their commit, and they come with the first leader).
#include <atomic>
#include <chrono>

#include "group.hpp"
#include "measurements.hpp"
#include "state.hpp"

namespace kommander::bench {

Table MeasureRestart(const RecoveryOptions& options, const std::string& directory) {
  using Clock = std::chrono::steady_clock;
  std::shared_ptr<CountingState> state;
  std::atomic<std::uint64_t> restored{0};  // payloads
  Group group(LoadOf(options, 1, 1), directory, [&](std::size_t) {
    NodeExtras extras;
    extras.machine = state = std::make_shared<CountingState>();
    extras.restored = [&restored, state](PartitionId partition) {
      if (partition == PartitionId(1)) restored = state->applied();
    };
    return extras;
  });
  group.StartAll();
  group.StartLoad();
  Await("the log to fill", [&] { return state->applied() >= options.entries; });
  group.StopLoad();
  const std::uint64_t written = [&] {
    Await("the last writes", [&] {
      const PartitionStatus status = group.node(0).raft().Status(1);
      return status.committed == status.last && status.applied == status.last;
    });
    return state->applied();
  }();

  std::vector<double> entries;
  std::vector<double> seconds;
  std::vector<double> leading_seconds;
  std::vector<double> rates;
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    group.Stop(0);
    restored = 0;
    const Clock::time_point begin = Clock::now();
    const auto elapsed = [begin] {
      return std::chrono::duration<double>(Clock::now() - begin).count();
    };
    group.Start(0);
    Await("the restore", [&] { return restored != 0; });
    entries.push_back(static_cast<double>(restored));
    seconds.push_back(elapsed());
    rates.push_back(entries.back() / seconds.back());
    group.node(0).AwaitReady();
    leading_seconds.push_back(elapsed());
    Await("the last writes", [&] { return state->applied() >= written; });
  }
  return {{"payload", Format(options.payload_bytes)},
          {"entries", Format(written)},
          {"restored", Format(static_cast<std::uint64_t>(Median(entries)))},
          {"rounds", Format(options.rounds)},
          {"restart_seconds", Format(Median(seconds))},
          {"leading_seconds", Format(Median(leading_seconds))},
          {"entries_per_second", Format(Median(rates))}};
}

}  // namespace kommander::bench
