// The pauses between attempts.
#include "common/back_off.hpp"

#include <set>

#include "catch.hpp"

using namespace kommander;
using kommander::transports::BackOff;
using namespace std::chrono_literals;

TEST_CASE("back-off: it doubles to its bound, within the upper half, and begins anew") {
  BackOff pauses(100ms, 1s, 7);
  for (int round = 0; round < 3; ++round) {
    for (const Duration bound : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms, 1000ms}) {
      const Duration pause = pauses.Next();
      CHECK(pause >= bound / 2);
      CHECK(pause <= bound);
    }
    pauses.Reset();
  }
}

TEST_CASE("back-off: it is jittered, and the same for the same seed") {
  std::set<Duration> different;
  BackOff first(1s, 1s, 1);
  BackOff same(1s, 1s, 1);
  BackOff other(1s, 1s, 2);
  for (int i = 0; i < 50; ++i) {
    const Duration pause = first.Next();
    CHECK(pause == same.Next());
    different.insert(pause);
    different.insert(other.Next());
  }
  CHECK(different.size() > 90);
}

TEST_CASE("back-off: bounds that make no sense still give a pause") {
  BackOff none(Duration{}, Duration{}, 1);
  CHECK(none.Next() <= Duration(1));
  BackOff reversed(10ms, 1ms, 1);
  for (int i = 0; i < 5; ++i) CHECK(reversed.Next() <= 10ms);
}
