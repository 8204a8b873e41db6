#include "runtime/retention.hpp"

#include <string>

#include "catch.hpp"

using namespace kommander;
using namespace kommander::runtime;

namespace {

constexpr LogIndex kAnywhere{1'000'000'000};
constexpr std::uint64_t kAll = 1'000'000'000;

CutPoint At(std::uint64_t index, std::size_t bytes = 1) {
  CutPoint point;
  point.index = LogIndex(index);
  point.term = Term(1);
  point.digest = index * 3;
  point.ledger = Payload(std::string(bytes, 'l'));
  return point;
}

LogIndex Taken(Retention& retention, std::uint64_t boundary = 0, LogIndex limit = kAnywhere,
               std::uint64_t entries_max = kAll) {
  const auto point = retention.Take(LogIndex(boundary), limit, entries_max);
  return point ? point->index : LogIndex();
}

}  // namespace

TEST_CASE("a log is cut at the newest point that the application has below it") {
  Retention retention;
  for (const std::uint64_t index : {10, 20, 30, 40}) retention.Add(At(index));
  CHECK(Taken(retention) == LogIndex());  // no floor
  retention.RaiseFloor(LogIndex(29));
  retention.RaiseFloor(LogIndex(5));
  const auto point = retention.Take(LogIndex(), kAnywhere, kAll);
  REQUIRE(point);
  CHECK(point->index == LogIndex(20));
  CHECK(point->digest == 60);
  CHECK(Taken(retention, 20) == LogIndex());
  retention.RaiseFloor(LogIndex(40));
  CHECK(Taken(retention, 20, LogIndex(39)) == LogIndex(30));
  CHECK(Taken(retention, 30, kAnywhere) == LogIndex(40));
}

TEST_CASE("what anybody holds stays") {
  Retention retention;
  for (const std::uint64_t index : {10, 20, 30, 40}) retention.Add(At(index));
  retention.RaiseFloor(LogIndex(40));
  const std::uint64_t low = retention.Hold(LogIndex(10));
  const std::uint64_t high = retention.Hold(LogIndex(31));
  CHECK(Taken(retention) == LogIndex());  // entry 10 itself is held
  retention.Release(low);
  CHECK(Taken(retention) == LogIndex(30));
  retention.KeepFrom(LogIndex(40));
  retention.Release(high);
  CHECK(Taken(retention, 30) == LogIndex());
  retention.KeepFrom(LogIndex());
  CHECK(Taken(retention, 30) == LogIndex(40));
}

TEST_CASE("a pass removes a bounded number of entries, and at least what lies before one point") {
  Retention retention;
  for (std::uint64_t index = 100; index <= 1000; index += 100) retention.Add(At(index));
  retention.RaiseFloor(LogIndex(1000));
  CHECK(Taken(retention, 0, kAnywhere, 350) == LogIndex(300));
  CHECK(Taken(retention, 300, kAnywhere, 50) == LogIndex(400));
  CHECK(Taken(retention, 400, kAnywhere, 1000) == LogIndex(1000));
}

TEST_CASE("points are thinned out, and never all at one end") {
  SECTION("by count") {
    Retention retention;
    for (std::uint64_t index = 1; index <= 10'000; ++index) retention.Add(At(index));
    retention.RaiseFloor(LogIndex(5'000));
    const LogIndex first = Taken(retention);
    CHECK(first <= LogIndex(5'000));
    CHECK(first > LogIndex(4'000));
    retention.RaiseFloor(LogIndex(10'000));
    CHECK(Taken(retention) == LogIndex(10'000));
  }
  SECTION("by bytes") {
    Retention retention;
    for (std::uint64_t index = 1; index <= 20; ++index) retention.Add(At(index, 3u << 20));
    retention.RaiseFloor(LogIndex(20));
    CHECK(Taken(retention) == LogIndex(20));
    int points = 0;
    Retention again;
    for (std::uint64_t index = 1; index <= 20; ++index) again.Add(At(index, 3u << 20));
    again.RaiseFloor(LogIndex(20));
    while (Taken(again, 0, kAnywhere, 0)) ++points;
    CHECK(points <= 2);
  }
}

TEST_CASE("after a snapshot nothing older is a place to cut at") {
  Retention retention;
  retention.Add(At(10));
  retention.Reset(LogIndex(50));
  retention.Add(At(60));
  CHECK(retention.floor() == LogIndex(50));
  CHECK(Taken(retention, 50) == LogIndex());
  retention.RaiseFloor(LogIndex(60));
  CHECK(Taken(retention, 50) == LogIndex(60));
}
