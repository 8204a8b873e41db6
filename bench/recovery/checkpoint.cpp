// Pairs of two halves: partition 1 of four checkpoints and compacts in one of them, and the load is
// the same in both. Compared is how long writes of the others take.
#include <chrono>

#include <boost/asio/use_future.hpp>

#include "group.hpp"
#include "measurements.hpp"

namespace kommander::bench {
namespace {

using Clock = std::chrono::steady_clock;

double P99(std::vector<NodeReport> reports) {
  LatencyHistogram all;
  for (const NodeReport& report : reports) all.Merge(report.latencies);
  return static_cast<double>(all.QuantileUs(0.99));
}

}  // namespace

Table MeasureCheckpoint(const RecoveryOptions& options, const std::string& directory) {
  constexpr auto kPause = std::chrono::milliseconds(100);
  Options load = LoadOf(options, 3, 4);
  load.first_measured = 2;
  Group group(load, directory, [](std::size_t) {
    NodeExtras extras;
    extras.configure = [](RaftConfiguration& configuration) {
      configuration.RetainedEntries(0).CompactionStep(64);
    };
    return extras;
  });
  group.StartAll();
  group.StartLoad();
  Pass(std::chrono::seconds(2));

  const auto length =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds));
  std::uint64_t checkpoints = 0;
  const auto without = [&] { return P99(group.Measure(length)); };
  const auto with = [&] {
    const std::size_t leader = group.Leader(1);
    const Clock::time_point end = Clock::now() + length;
    group.BeginMeasuring();
    for (; Clock::now() < end; ++checkpoints) {
      group.node(leader).raft().ReplicateCheckpoint(1, boost::asio::use_future).get();
      Pass(kPause);
    }
    return P99(group.EndMeasuring());
  };
  std::vector<double> quiet;
  std::vector<double> busy;
  std::vector<double> ratios;
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    if (round % 2 == 0) {
      quiet.push_back(without());
      busy.push_back(with());
    } else {
      busy.push_back(with());
      quiet.push_back(without());
    }
    ratios.push_back(busy.back() / quiet.back());
  }
  const LogIndex first = group.node(group.Leader(1)).raft().Status(1).first;
  group.StopLoad();
  return {{"payload", Format(options.payload_bytes)},
          {"outstanding", Format(options.outstanding)},
          {"rounds", Format(options.rounds)},
          {"checkpoints", Format(checkpoints)},
          {"entries_removed", Format(first.Previous().value())},
          {"p99_us_without", Format(Median(quiet))},
          {"p99_us_with", Format(Median(busy))},
          {"with_to_without", Format(Median(ratios))}};
}

}  // namespace kommander::bench
