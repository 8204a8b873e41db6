#include "multicast/table.hpp"

#include "announcements.hpp"
#include "catch.hpp"

using namespace kommander;
using namespace kommander::testing;
using namespace std::chrono_literals;
using multicast::Announcement;
using multicast::Table;
using Verdict = Table::Verdict;

namespace {

constexpr Instant kStart{1000s};

Table::Limits Limits(std::size_t nodes_max = 8) {
  Table::Limits limits;
  limits.nodes_max = nodes_max;
  limits.expiry = 15s;
  limits.clock_skew = 60s;
  return limits;
}

Announcement Said(std::uint64_t boot, std::uint64_t number, std::uint64_t time_ms,
                  std::uint32_t node = 7) {
  Announcement announcement = MakeAnnouncement(node);
  announcement.boot = boot;
  announcement.number = number;
  announcement.time_ms = time_ms;
  return announcement;
}

}  // namespace

TEST_CASE("table: a node is named until it was silent for the time of expiry") {
  Table table(Limits());
  CHECK(table.Accept(Said(1, 1, 100), kStart) == Verdict::kNew);
  CHECK(table.Accept(Said(1, 2, 100), kStart + 10s) == Verdict::kKnown);
  CHECK(table.Nodes(kStart + 25s - 1ns).size() == 1);
  CHECK(table.Expire(kStart + 25s - 1ns) == 0);
  CHECK(table.Nodes(kStart + 25s).empty());
  CHECK(table.Expire(kStart + 25s) == 1);
  CHECK(table.Expire(kStart + 26s) == 0);  // told once
  CHECK(table.Accept(Said(1, 3, 100), kStart + 27s) == Verdict::kNew);
  CHECK(table.Nodes(kStart + 27s).size() == 1);
}

TEST_CASE("table: the newest address holds, in the order of ids") {
  Table table(Limits());
  Announcement moved = Said(2, 1, 200, 9);
  moved.node.endpoint = Endpoint("10.0.0.10", 7002);
  CHECK(table.Accept(Said(1, 1, 100, 9), kStart) == Verdict::kNew);
  CHECK(table.Accept(Said(1, 1, 100, 3), kStart) == Verdict::kNew);
  CHECK(table.Accept(moved, kStart) == Verdict::kNew);  // another process of the node
  CHECK(table.Nodes(kStart) == std::vector<NodeAddress>{Said(1, 1, 100, 3).node, moved.node});
}

TEST_CASE("table: what was said is not taken again, nor anything older") {
  Table table(Limits());
  REQUIRE(table.Accept(Said(1, 5, 100), kStart) == Verdict::kNew);
  CHECK(table.Accept(Said(1, 5, 100), kStart) == Verdict::kRepeated);
  CHECK(table.Accept(Said(1, 4, 101), kStart) == Verdict::kRepeated);
  CHECK(table.Accept(Said(2, 1, 100), kStart) == Verdict::kRepeated);
  CHECK(table.Accept(Said(2, 9, 99), kStart) == Verdict::kRepeated);
  REQUIRE(table.Accept(Said(2, 1, 101), kStart) == Verdict::kNew);
  CHECK(table.Accept(Said(1, 6, 101), kStart) == Verdict::kRepeated);  // of the process before
}

TEST_CASE("table: a clock that is set back does not let older words of another process in") {
  Table table(Limits());
  REQUIRE(table.Accept(Said(1, 1, 500), kStart) == Verdict::kNew);
  REQUIRE(table.Accept(Said(1, 2, 400), kStart) == Verdict::kKnown);
  CHECK(table.Accept(Said(2, 1, 450), kStart) == Verdict::kRepeated);
}

TEST_CASE("table: silence does not make a repetition good while it would be timely") {
  Table table(Limits());
  REQUIRE(table.Accept(Said(1, 1, 100), kStart) == Verdict::kNew);
  (void)table.Expire(kStart + 120s);
  CHECK(table.Accept(Said(1, 1, 100), kStart + 120s) == Verdict::kRepeated);
  (void)table.Expire(kStart + 120s + 1ns);
  CHECK(table.Accept(Said(1, 1, 100), kStart + 120s + 1ns) == Verdict::kNew);
}

TEST_CASE("table: one node too many is refused until another is forgotten") {
  Table table(Limits(2));
  REQUIRE(table.Accept(Said(1, 1, 100, 1), kStart) == Verdict::kNew);
  REQUIRE(table.Accept(Said(1, 1, 100, 2), kStart + 60s) == Verdict::kNew);
  CHECK(table.Accept(Said(1, 1, 100, 3), kStart + 60s) == Verdict::kFull);
  CHECK(table.Accept(Said(1, 2, 100, 1), kStart + 60s) == Verdict::kNew);  // who is known is heard
  (void)table.Expire(kStart + 181s);
  CHECK(table.Accept(Said(1, 1, 100, 3), kStart + 181s) == Verdict::kNew);
}
