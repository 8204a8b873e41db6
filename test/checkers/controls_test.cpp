// A checker that accepts everything would pass every run: here are histories, written by hand or
// spoiled on purpose, that it must refuse, and as many that it must accept.
//
// One operation per word: what, then when. w1 writes 1, r1 reads 1, r0 finds nothing, d+ deletes
// something, d- finds nothing to delete, c1>2+ swaps 1 for 2, c1>2- does not, c1>2=3 does not and
// saw 3. "0-2" is from call to answer, "0-?" without an answer, "0-x" refused without effect.
#include <cstdlib>
#include <functional>
#include <sstream>
#include <string>

#include "catch.hpp"
#include "linearizability.hpp"

using namespace kommander::checkers;

namespace {

RegisterOperation ParseWhat(const char* text) {
  RegisterOperation operation;
  char* rest = nullptr;
  const auto number = [&](const char* from) { return std::strtoull(from, &rest, 10); };
  switch (*text) {
    case 'w':
      operation.kind = RegisterKind::kWrite;
      operation.value = number(text + 1);
      break;
    case 'r': operation.seen = number(text + 1); break;
    case 'd':
      operation.kind = RegisterKind::kDelete;
      operation.did = text[1] == '+';
      break;
    default:
      operation.kind = RegisterKind::kCompareAndSwap;
      operation.expect = number(text + 1);
      operation.value = number(rest + 1);
      operation.did = *rest == '+';
      if (*rest == '=') operation.seen = number(rest + 1);
  }
  return operation;
}

std::vector<RegisterOperation> Parse(const std::string& text) {
  std::vector<RegisterOperation> history;
  std::istringstream words(text);
  std::string what;
  std::string when;
  while (words >> what >> when) {
    RegisterOperation operation = ParseWhat(what.c_str());
    operation.client = static_cast<std::uint32_t>(history.size());
    char* rest = nullptr;
    operation.call = std::strtoll(when.c_str(), &rest, 10);
    if (rest[1] == 'x') {
      operation.outcome = Outcome::kFailed;
    } else if (rest[1] != '?') {
      operation.outcome = Outcome::kOk;
      operation.end = std::strtoll(rest + 1, nullptr, 10);
    }
    REQUIRE_FALSE(FindFlaw(operation));
    history.push_back(operation);
  }
  return history;
}

constexpr const char* kGood[] = {
    "r0 0-1",
    "w1 0-1 r1 2-3",
    "w1 0-1 w2 2-3 r2 4-5",
    "w1 0-3 w2 1-2 r1 4-5",
    "w1 0-3 w2 1-2 r2 4-5",
    "w1 0-9 r0 1-2 r1 3-4",
    "w1 0-1 w2 2-9 r1 3-4 r2 5-6",
    "w1 0-? r1 5-6",
    "w1 0-? r0 5-6",
    "w1 0-? r0 5-6 r1 7-8",
    "w1 0-1 w2 2-? r1 3-4 r1 5-6",
    "w1 0-1 w2 2-? r1 3-4 r2 5-6",
    "w1 0-x r0 1-2",
    "w1 0-1 w2 2-x r1 3-4",
    "w1 0-1 d+ 2-3 r0 4-5",
    "d- 0-1",
    "w1 0-1 d+ 2-3 d- 4-5",
    "w1 0-1 d? 2-? r1 3-4 r0 5-6",
    "w1 0-2 d+ 1-3",
    "w1 0-2 d- 1-3 r1 4-5",
    "c0>1+ 0-1 r1 2-3",
    "w1 0-1 c1>2+ 2-3 r2 4-5",
    "w1 0-1 c2>3- 2-3 r1 4-5",
    "w1 0-1 c2>3=1 2-3",
    "w1 0-1 c1>0+ 2-3 r0 4-5",
    "c0>1+ 0-5 c0>2- 0-5 r1 6-7",
    "c0>1+ 0-5 c0>2=1 0-5 r1 6-7",
    "c0>1+ 0-3 c1>2+ 0-3 r2 4-5",
    "c0>1? 0-? c1>2+ 5-6",
    "w1 0-1 c1>2? 2-? r1 3-4 r2 5-6",
    "w1 0-1 c1>2? 2-? w1 3-4 r2 5-6",
    "w1 0-9 w2 0-9 r1 1-2 r2 3-4",
    "w1 0-1 r1 1-2",
    "w1 0-1 w2 1-2 r1 3-4",
    "w1 0-? w1 0-? r1 1-2 w2 3-4 r1 5-6",
    "w1 0-2 w2 0-2 w3 0-2 r2 3-4 r2 5-6",
};

constexpr const char* kBad[] = {
    "r1 0-1",                              // a value from nowhere
    "w1 0-1 r0 2-3",                       // an acknowledged write is not there
    "w1 0-1 r2 2-3",                       // another value from nowhere
    "w1 0-1 w2 2-3 r1 4-5",                // stale
    "w1 0-1 w2 2-3 r2 4-5 r1 6-7",         // back in time
    "w1 0-9 r1 1-2 r0 3-4",                // seen, then not
    "w1 0-1 w2 2-9 r2 3-4 r1 5-6",         // seen, then the one before
    "w1 0-? r1 5-6 r0 7-8",                // the same without an answer
    "r1 0-1 w1 2-?",                       // before it was sent
    "w1 0-x r1 1-2",                       // refused, and there
    "w1 0-1 w2 2-x r2 3-4",                // the same over another value
    "w1 0-1 d+ 2-3 r1 4-5",                // risen again
    "d+ 0-1",                              // deleted what never was
    "w1 0-1 d- 2-3",                       // did not see what was there
    "w1 0-1 d+ 2-3 d+ 4-5",                // deleted twice
    "w1 0-1 d? 2-? r0 3-4 r1 5-6",         // deleted by nobody's answer, then back
    "w1 0-1 d? 2-x r0 3-4",                // refused, and deleted
    "c0>1+ 0-1 r0 2-3",                    // a swap that got lost
    "c1>2+ 0-1",                           // swapped what was not there
    "w1 0-1 c2>3+ 2-3",                    // the same with another value there
    "w1 0-1 c1>2- 2-3",                    // refused although it was there
    "w1 0-1 c1>2- 2-3 r2 4-5",             // refused and done
    "w1 0-1 c2>3=4 2-3",                   // saw a value from nowhere
    "w1 0-1 c2>3=0 2-3",                   // saw nothing
    "w1 0-1 c2>3=2 2-3",                   // saw what it wanted
    "c0>1+ 0-5 c0>2+ 0-5",                 // both won
    "w1 0-1 c1>2+ 2-9 c1>3+ 2-9",          // both won, later
    "c0>1+ 0-5 c0>2- 0-5 r2 6-7",          // the loser's value
    "c0>1+ 0-1 c1>2+ 2-3 r1 4-5",          // half of a chain
    "w1 0-1 c1>2? 2-? r2 3-4 r1 5-6",      // taken back
    "w1 0-9 w2 0-9 r1 1-2 r2 3-4 r1 5-6",  // to and fro
    "w1 0-9 w2 0-9 r1 10-11 r2 12-13",     // both last
    "w1 0-1 r1 2-3 r0 4-5",                // lost after it was seen
    "w1 0-1 w2 2-3 w3 4-5 r1 6-7",         // very stale
    "w1 0-1 w2 2-3 r1 4-9 r2 4-5 r1 6-7",  // one may be early, not two
    "w1 0-? r1 1-2 w2 3-4 r2 5-6 r1 7-8",  // done twice
    "c0>1? 0-? r1 1-2 d+ 3-4 r1 5-6",      // a swap done twice
    "w1 0-2 w2 0-2 w3 0-2 r2 3-4 r3 5-6",  // the order changes afterwards
};

void CheckAll(const char* const* begin, const char* const* end, Verdict expected) {
  for (const char* const* text = begin; text != end; ++text) {
    const std::vector<RegisterOperation> history = Parse(*text);
    const KeyReport report = CheckRegister(history);
    INFO(*text << "\n" << Explain(report, history));
    CHECK(report.verdict == expected);
  }
}

// One client after another, every value new: nothing overlaps, so every lie shows.
std::vector<RegisterOperation> Sequence(int turn) {
  std::string text;
  Value value = 0;
  std::int64_t at = 0;
  const auto add = [&](const std::string& what) {
    text += what + " " + std::to_string(at) + "-" + std::to_string(at + 1) + " ";
    at += 2;
  };
  for (int i = 0; i < 6 + turn; ++i) {
    const Value next = 100 + static_cast<Value>(i);
    const std::string found = std::to_string(value);
    if ((i + turn) % 3 == 0) {
      add("w" + std::to_string(next));
    } else {
      add("c" + found + ">" + std::to_string(next) + "+");
    }
    value = next;
    add("r" + std::to_string(value));
    add("c1>2=" + std::to_string(value));
    if ((i + turn) % 4 == 3) {
      add("d+");
      add("r0");
      value = 0;
    }
  }
  return Parse(text);
}

using Lie = std::function<void(std::vector<RegisterOperation>&, std::size_t)>;

// Tells the lie at the `turn`-th operation that suits it; false: there is none.
bool Tell(std::vector<RegisterOperation>& history, std::size_t turn,
          const std::function<bool(const RegisterOperation&)>& suits, const Lie& lie) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < history.size(); ++i) {
    if (suits(history[i])) places.push_back(i);
  }
  if (places.empty()) return false;
  lie(history, places[turn % places.size()]);
  return true;
}

bool IsRead(const RegisterOperation& operation) { return operation.kind == RegisterKind::kRead; }
bool Swaps(const RegisterOperation& operation) {
  return operation.kind == RegisterKind::kCompareAndSwap && operation.did == true;
}
bool Refuses(const RegisterOperation& operation) {
  return operation.kind == RegisterKind::kCompareAndSwap && operation.did == false;
}
bool Stores(const RegisterOperation& operation) {
  return Swaps(operation) || operation.kind == RegisterKind::kWrite;
}
bool Deletes(const RegisterOperation& operation) { return operation.kind == RegisterKind::kDelete; }

struct NamedLie {
  const char* name;
  bool (*suits)(const RegisterOperation&);
  Lie lie;
};

std::vector<NamedLie> Lies() {
  using History = std::vector<RegisterOperation>;
  return {
      {"a phantom is read", IsRead, [](History& h, std::size_t i) { h[i].seen = 999; }},
      {"the read comes late, its value is stale", IsRead,
       [](History& h, std::size_t i) {
         h[i].call += 10'000;
         h[i].end += 10'000;
         h.push_back(Parse("w998 9000-9001")[0]);
       }},
      {"the read sees what comes later", IsRead,
       [](History& h, std::size_t i) {
         h[i].call -= 10'000;
         h[i].end -= 10'000;
         if (h[i].seen == kAbsent) h[i].seen = 999;
       }},
      {"the store is lost", Stores,
       [](History& h, std::size_t i) { h.erase(h.begin() + static_cast<std::ptrdiff_t>(i)); }},
      {"the store was refused and is there", Stores,
       [](History& h, std::size_t i) { h[i].outcome = Outcome::kFailed; }},
      {"the swap won against another value", Swaps,
       [](History& h, std::size_t i) { h[i].expect = 999; }},
      {"the swap was done twice", Swaps,
       [](History& h, std::size_t i) {
         RegisterOperation again = h[i];
         again.call = again.end;
         h.push_back(again);
       }},
      {"the loser won", Refuses,
       [](History& h, std::size_t i) {
         h[i].did = true;
         h[i].seen.reset();
       }},
      {"the loser saw another value", Refuses, [](History& h, std::size_t i) { h[i].seen = 999; }},
      {"the delete found nothing", Deletes, [](History& h, std::size_t i) { h[i].did = false; }},
      {"the delete did not happen", Deletes,
       [](History& h, std::size_t i) { h[i].outcome = Outcome::kFailed; }},
  };
}

}  // namespace

TEST_CASE("good histories, written by hand, are accepted") {
  CheckAll(std::begin(kGood), std::end(kGood), Verdict::kLinearizable);
}

TEST_CASE("bad histories, written by hand, are refused") {
  CheckAll(std::begin(kBad), std::end(kBad), Verdict::kIllegal);
}

TEST_CASE("every kind of lie in a longer history is found") {
  int told = 0;
  for (const NamedLie& lie : Lies()) {
    for (int turn = 0; turn < 6; ++turn) {
      std::vector<RegisterOperation> history = Sequence(turn);
      REQUIRE(CheckRegister(history).verdict == Verdict::kLinearizable);
      if (!Tell(history, static_cast<std::size_t>(turn) * 7, lie.suits, lie.lie)) continue;
      ++told;
      const KeyReport report = CheckRegister(history);
      INFO(lie.name << ", turn " << turn << "\n" << Explain(report, history));
      CHECK(report.verdict == Verdict::kIllegal);
    }
  }
  CHECK(told >= 60);
}

TEST_CASE("an illegal history is explained") {
  const std::vector<RegisterOperation> history =
      Parse("w1 0-1 w2 2-3 r2 4-5 w3 6-? r1 7-8 r1 9-10");
  const KeyReport report = CheckRegister(history);
  REQUIRE(report.verdict == Verdict::kIllegal);
  CHECK(report.culprit == 4);
  CHECK(report.order == std::vector<std::size_t>{0, 1, 2});
  CHECK(report.last == 2);
  const std::string text = Explain(report, history);
  CHECK(text.find("no order goes on to\n    read saw 1 by client 4 [7, 8]") != std::string::npos);
}
