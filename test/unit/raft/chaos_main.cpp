// raft_chaos A..B [seconds [trace]]: one life of a cluster of pure cores per seed, inclusive. Exits
// 1 at the first seed that breaks a rule and says how to repeat it.
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>

#include <kommander/assert.hpp>

#include "unit/raft/chaos.hpp"

using kommander::raft::test::Chaos;

int main(int argc, char** argv) {
  const std::string range = argc > 1 ? argv[1] : "1..100";
  const auto dots = range.find("..");
  const std::uint64_t first = std::stoull(range);
  const std::uint64_t last =
      dots == std::string::npos ? first : std::stoull(range.substr(dots + 2));
  const int seconds = argc > 2 ? std::atoi(argv[2]) : 10;
  kommander::SetAssertHandler([](const kommander::AssertFailure& failure) {
    throw std::logic_error(std::string(failure.message) + " (" + failure.condition + ") at " +
                           failure.file + ":" + std::to_string(failure.line));
  });
  Chaos::Report total;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    try {
      Chaos chaos(seed);
      if (argc > 3 && std::string(argv[3]) == "trace") chaos.Trace();
      const Chaos::Report report = chaos.Run(std::chrono::seconds(seconds));
      total.steps += report.steps;
      total.messages += report.messages;
      total.answered += report.answered;
      total.crashes += report.crashes;
      total.changes += report.changes;
      total.snapshots += report.snapshots;
      total.leaders += report.leaders;
    } catch (const std::exception& failure) {
      std::cout << "seed " << seed << ": " << failure.what() << "\nrepeat: raft_chaos " << seed
                << ".." << seed << " " << seconds << "\n";
      return 1;
    }
  }
  std::cout << "chaos: seeds=" << last - first + 1 << " steps=" << total.steps
            << " messages=" << total.messages << " answered=" << total.answered
            << " leaders=" << total.leaders << " crashes=" << total.crashes
            << " changes=" << total.changes << " snapshots=" << total.snapshots << "\n";
  return 0;
}
