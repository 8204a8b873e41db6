// Stamps are unique and ordered, whatever the wall clock does.
#include "runtime/hybrid_clock.hpp"

#include <algorithm>
#include <barrier>
#include <thread>
#include <vector>

#include "catch.hpp"

using namespace kommander;
using kommander::runtime::HybridClock;

TEST_CASE("stamps follow the wall, and count within a millisecond") {
  HybridClock clock(NodeId(3));
  REQUIRE(clock.Draw(1000) == HlcTimestamp(1000, 0, NodeId(3)));
  REQUIRE(clock.Draw(1000) == HlcTimestamp(1000, 1, NodeId(3)));
  REQUIRE(clock.Draw(1001) == HlcTimestamp(1001, 0, NodeId(3)));
}

TEST_CASE("a wall clock that goes back does not take stamps with it") {
  HybridClock clock(NodeId(1));
  const auto before = clock.Draw(5000);
  REQUIRE(clock.Draw(10) > before);
}

TEST_CASE("a merged stamp is behind every later one") {
  HybridClock clock(NodeId(1));
  clock.Merge(HlcTimestamp(9000, 17, NodeId(2)));
  REQUIRE(clock.Draw(100) == HlcTimestamp(9000, 18, NodeId(1)));
}

TEST_CASE("a counter that overflows carries into the milliseconds") {
  HybridClock clock(NodeId(1));
  clock.Merge(HlcTimestamp(9000, (1u << 22) - 1, NodeId(2)));
  REQUIRE(clock.Draw(100) == HlcTimestamp(9001, 0, NodeId(1)));
}

TEST_CASE("no stamp is handed out twice, from several threads") {
  constexpr int kThreads = 4;
  HybridClock clock(NodeId(1));
  // All of them at once: one thread's draws take no longer than it takes to start another.
  for (int round = 0; round < 10; ++round) {
    std::barrier together(kThreads);
    std::vector<std::vector<HlcTimestamp>> drawn(kThreads);
    std::vector<std::thread> threads;
    for (auto& mine : drawn) {
      mine.reserve(20'000);
      threads.emplace_back([&] {
        together.arrive_and_wait();
        for (int i = 0; i < 20'000; ++i) mine.push_back(clock.Draw(1));
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::vector<HlcTimestamp> all;
    for (const auto& mine : drawn) {
      REQUIRE(std::is_sorted(mine.begin(), mine.end()));
      all.insert(all.end(), mine.begin(), mine.end());
    }
    std::sort(all.begin(), all.end());
    REQUIRE(std::adjacent_find(all.begin(), all.end()) == all.end());
  }
}
