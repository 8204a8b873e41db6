// Durability by answers alone: truncations are for good, and the same (index, term) in a later unit
// is another promise.
#include "raft/units.hpp"

#include <map>

#include "catch.hpp"
#include "raft/random.hpp"

using namespace kommander;
using namespace kommander::raft;

TEST_CASE("an answered unit raises the durable index to what it recorded") {
  Units units(LogIndex(5));
  REQUIRE(units.durable() == LogIndex(5));
  const UnitId first = units.Issue(LogIndex(7), Instant());
  const UnitId second = units.Issue(LogIndex(9), Instant());
  REQUIRE(units.durable() == LogIndex(5));
  REQUIRE(units.Answer(first));
  REQUIRE(units.durable() == LogIndex(7));
  REQUIRE_FALSE(units.Answer(first));
  REQUIRE(units.Answer(second));
  REQUIRE(units.durable() == LogIndex(9));
  REQUIRE(units.IsIdle());
}

TEST_CASE("one answer may speak for several units") {
  Units units{LogIndex()};
  units.Issue(LogIndex(3), Instant());
  units.Issue(LogIndex(4), Instant());
  const UnitId last = units.Issue(LogIndex(4), Instant());
  REQUIRE(units.Answer(last));
  REQUIRE(units.durable() == LogIndex(4));
}

TEST_CASE("an overwritten entry of the same index and term does not count before its own unit") {
  // Entry 3 of term 1 is on its way, a truncation by another leader removes it, a third leader
  // brings the very same entry back: the answer to the first unit must not make it durable.
  Units units(LogIndex(2));
  const UnitId original = units.Issue(LogIndex(3), Instant());
  units.Truncate(LogIndex(3));
  const UnitId other = units.Issue(LogIndex(4), Instant());
  units.Truncate(LogIndex(3));
  const UnitId again = units.Issue(LogIndex(3), Instant());
  units.Answer(original);
  REQUIRE(units.durable() == LogIndex(2));
  units.Answer(other);
  REQUIRE(units.durable() == LogIndex(2));
  units.Answer(again);
  REQUIRE(units.durable() == LogIndex(3));
}

TEST_CASE("the age of the disk is that of the oldest unanswered unit") {
  using namespace std::chrono_literals;
  Units units{LogIndex()};
  REQUIRE_FALSE(units.OldestIssue());
  const UnitId first = units.Issue(LogIndex(1), Instant(1s));
  units.Issue(LogIndex(2), Instant(2s));
  REQUIRE(*units.OldestIssue() == Instant(1s));
  units.Answer(first);
  REQUIRE(*units.OldestIssue() == Instant(2s));
}

// The model: a disk that really applies units to a list of marks. A mark is unique per append, so
// "the log up to i is synced" means the marks of log and disk agree up to i.
TEST_CASE("durable never promises more than a modelled disk holds") {
  struct Unit {
    std::size_t keep;
    std::vector<std::uint64_t> marks;
  };
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    Random random(seed);
    Units units{LogIndex()};
    std::vector<std::uint64_t> log;
    std::vector<std::uint64_t> disk;
    std::map<UnitId, Unit> pending;
    std::uint64_t next_mark = 1;
    std::size_t written = 0;
    for (int i = 0; i < 100; ++i) {
      if (random.Below(2) == 0 && !pending.empty()) {
        const auto [id, unit] = *pending.begin();
        pending.erase(pending.begin());
        disk.resize(unit.keep);
        disk.insert(disk.end(), unit.marks.begin(), unit.marks.end());
        units.Answer(id);
      } else {
        if (random.Below(3) == 0) {
          const std::size_t keep = random.Below(log.size() + 1);
          units.Truncate(LogIndex(keep + 1));
          log.resize(keep);
          written = std::min(written, keep);
        }
        for (std::uint64_t count = random.Below(4); count > 0; --count) log.push_back(next_mark++);
        const auto begin = log.begin() + static_cast<std::ptrdiff_t>(written);
        const UnitId id = units.Issue(LogIndex(log.size()), Instant());
        pending[id] = {written, std::vector<std::uint64_t>(begin, log.end())};
        written = log.size();
      }
      const std::size_t durable = units.durable().value();
      REQUIRE(durable <= disk.size());
      REQUIRE(durable <= log.size());
      REQUIRE(std::equal(log.begin(), log.begin() + static_cast<std::ptrdiff_t>(durable),
                         disk.begin()));
      if (pending.empty()) REQUIRE(durable == log.size());
    }
  }
}
