// The log against a plain vector of entries, under random operations.
#include "raft/log.hpp"

#include <algorithm>

#include "catch.hpp"
#include "raft/random.hpp"

using namespace kommander;
using namespace kommander::raft;

namespace {

Entry MakeEntry(std::uint64_t index, std::uint64_t term) {
  return Entry(Term(term), LogIndex(index), EntryKind::kApplication, Ticket(),
               Payload("entry " + std::to_string(index) + " of " + std::to_string(term)));
}

// What a log is by definition: entries after a boundary, all remembered; `cached` says from where
// on the real one must still have them in memory.
struct NaiveLog {
  LogIndex boundary;
  Term boundary_term;
  std::vector<Entry> entries;
  LogIndex cache_first{1};

  LogIndex last() const { return boundary + entries.size(); }
  Term TermAt(LogIndex index) const {
    if (index == boundary) return boundary_term;
    if (index < boundary || index > last()) return Term();
    return entries[LogIndex::Distance(boundary, index) - 1].term;
  }
  Log::Position AgreementLimit(Log::Position at) const {
    LogIndex index = std::max(boundary, std::min(at.index, last()));
    while (index > boundary && TermAt(index) > at.term) index = index.Previous();
    return {index, TermAt(index)};
  }
};

void Compare(const Log& log, const NaiveLog& naive, Random& random) {
  REQUIRE(log.boundary() == Log::Position{naive.boundary, naive.boundary_term});
  REQUIRE(log.last() == naive.last());
  REQUIRE(log.last_term() == naive.TermAt(naive.last()));
  REQUIRE(log.cache_first() == naive.cache_first);
  std::size_t bytes = 0;
  for (std::uint64_t i = 0; i <= naive.last().value() + 2; ++i) {
    const LogIndex index(i);
    REQUIRE(log.TermAt(index) == naive.TermAt(index));
    const Entry* entry = log.Find(index);
    REQUIRE((entry != nullptr) == (index >= naive.cache_first && index <= naive.last()));
    if (entry == nullptr) continue;
    REQUIRE(*entry == naive.entries[LogIndex::Distance(naive.boundary, index) - 1]);
    bytes += entry->SizeBytes();
  }
  REQUIRE(log.cache_bytes() == bytes);
  for (int i = 0; i < 5; ++i) {
    const Log::Position at{LogIndex(random.Below(naive.last().value() + 3)),
                           Term(random.Below(naive.TermAt(naive.last()).value() + 3))};
    REQUIRE(log.AgreementLimit(at) == naive.AgreementLimit(at));
    const bool inside = at.index >= naive.boundary && at.index <= naive.last();
    REQUIRE(log.Matches(at) == (inside && naive.TermAt(at.index) == at.term));
    const Term last_term = naive.TermAt(naive.last());
    REQUIRE(log.IsCoveredBy(at) ==
            (at.term > last_term || (at.term == last_term && at.index >= naive.last())));
  }
}

void RandomOperation(Log& log, NaiveLog& naive, Random& random) {
  const std::uint64_t length = naive.entries.size();
  switch (random.Below(8)) {
    case 0:
    case 1:
    case 2: {
      const std::uint64_t term = std::max<std::uint64_t>(1, naive.TermAt(naive.last()).value()) +
                                 (random.Below(4) == 0 ? 1 + random.Below(3) : 0);
      for (std::uint64_t i = random.Below(6); i > 0; --i) {
        naive.entries.push_back(MakeEntry(naive.last().value() + 1, term));
        log.Append(naive.entries.back());
      }
      break;
    }
    case 3: {
      const LogIndex from = naive.boundary + 1 + random.Below(length + 1);
      log.TruncateFrom(from);
      naive.entries.resize(LogIndex::Distance(naive.boundary, from) - 1);
      break;
    }
    case 4: {
      const LogIndex index = naive.boundary + random.Below(length + 1);
      const Term term = naive.TermAt(index);
      log.CompactTo(index);
      const auto removed = static_cast<std::ptrdiff_t>(LogIndex::Distance(naive.boundary, index));
      naive.entries.erase(naive.entries.begin(), naive.entries.begin() + removed);
      naive.boundary = index;
      naive.boundary_term = term;
      naive.cache_first = std::max(naive.cache_first, index.Next());
      break;
    }
    case 5:
    case 6: {
      const LogIndex index = naive.boundary + random.Below(length + 1);
      log.EvictTo(index);
      naive.cache_first = std::max(naive.cache_first, index.Next());
      break;
    }
    case 7: log.ShrinkIdle(); break;
  }
  if (naive.cache_first > naive.last()) naive.cache_first = naive.last().Next();
}

}  // namespace

TEST_CASE("a log does what a plain vector of entries does") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    NaiveLog naive;
    naive.boundary = LogIndex(random.Below(3));
    naive.boundary_term = Term(naive.boundary.value() == 0 ? 0 : 1);
    naive.cache_first = naive.boundary.Next();
    Log log({naive.boundary, naive.boundary_term}, naive.boundary, {});
    for (int i = 0; i < 150; ++i) {
      RandomOperation(log, naive, random);
      Compare(log, naive, random);
    }
  }
}

TEST_CASE("a recovered log has terms and no entry in memory") {
  Log log({LogIndex(10), Term(2)}, LogIndex(20),
          {{LogIndex(11), Term(2)}, {LogIndex(14), Term(5)}});
  REQUIRE(log.TermAt(LogIndex(10)) == Term(2));
  REQUIRE(log.TermAt(LogIndex(13)) == Term(2));
  REQUIRE(log.TermAt(LogIndex(14)) == Term(5));
  REQUIRE(log.TermAt(LogIndex(21)) == Term());
  REQUIRE(log.Find(LogIndex(20)) == nullptr);
  log.TruncateFrom(LogIndex(13));
  REQUIRE(log.last() == LogIndex(12));
  log.Append(MakeEntry(13, 6));
  REQUIRE(log.Find(LogIndex(13)) != nullptr);
  REQUIRE(log.Find(LogIndex(12)) == nullptr);
}

TEST_CASE("one run per term, however many entries") {
  Log log({LogIndex(0), Term(0)}, LogIndex(0), {});
  for (std::uint64_t i = 1; i <= 30000; ++i) log.Append(MakeEntry(i, 1 + i / 10000));
  REQUIRE(log.run_count() == 4);
  log.CompactTo(LogIndex(25000));
  REQUIRE(log.run_count() == 2);
}

TEST_CASE("memory of a burst is given back when it is over") {
  Log log({LogIndex(0), Term(0)}, LogIndex(0), {});
  for (std::uint64_t i = 1; i <= 10000; ++i) log.Append(MakeEntry(i, 1));
  log.EvictTo(LogIndex(10000));
  REQUIRE(log.cache_bytes() == 0);
  log.ShrinkIdle();
  log.ShrinkIdle();
  log.Append(MakeEntry(10001, 1));
  REQUIRE(log.Find(LogIndex(10001))->body.text() == "entry 10001 of 1");
}
