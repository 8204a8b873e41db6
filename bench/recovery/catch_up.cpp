// A follower comes back to a leader under load, whose log still has everything that it missed.
#include <chrono>
#include <thread>

#include "group.hpp"
#include "measurements.hpp"

namespace kommander::bench {

Table MeasureCatchUp(const RecoveryOptions& options, const std::string& directory) {
  using Clock = std::chrono::steady_clock;
  constexpr std::size_t kLast = 2;
  constexpr std::uint64_t kNear = 1000;  // entries: it is back
  Group group(LoadOf(options, 3, 1), directory, [](std::size_t) { return NodeExtras(); });
  group.StartAll();
  group.StartLoad();
  group.KeepFromLeading(kLast, 1);
  const LogIndex had = group.node(kLast).raft().Status(1).last;
  group.Stop(kLast);
  const std::size_t leader = group.Leader(1);
  const auto last = [&] { return group.node(leader).raft().Status(1).committed; };
  Await("the log to grow", [&] { return LogIndex::Distance(had, last()) >= options.entries; });

  const double before = PerSecond(group.Measure(std::chrono::duration<double>(options.seconds)));
  const std::uint64_t missed = LogIndex::Distance(had, last());
  const Clock::time_point begin = Clock::now();
  group.Start(kLast);
  group.BeginMeasuring();
  group.node(kLast).AwaitReady();
  Await("the follower", [&] {
    return LogIndex::Distance(group.node(kLast).raft().Status(1).last, last()) < kNear;
  });
  const double during = PerSecond(group.EndMeasuring());
  const std::chrono::duration<double> took = Clock::now() - begin;
  const double after = PerSecond(group.Measure(std::chrono::duration<double>(options.seconds)));
  group.StopLoad();
  return {
      {"payload", Format(options.payload_bytes)},   {"outstanding", Format(options.outstanding)},
      {"missed_entries", Format(missed)},           {"catch_up_seconds", Format(took.count())},
      {"writes_per_second_before", Format(before)}, {"writes_per_second_during", Format(during)},
      {"writes_per_second_after", Format(after)},   {"during_to_before", Format(during / before)}};
}

}  // namespace kommander::bench
