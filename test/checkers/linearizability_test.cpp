// The checker against the definition, tried out on very many small histories; and the size of
// history that it manages.
#include "linearizability.hpp"

#include <cstdio>
#include <string>

#include "brute_force.hpp"
#include "catch.hpp"
#include "random_history.hpp"

using namespace kommander::checkers;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kHistories = 20'000;
#else
constexpr std::uint64_t kHistories = 200'000;
#endif

RandomHistoryOptions DrawOptions(RandomHistory& random) {
  RandomHistoryOptions options;
  options.operations = 1 + random.Below(8);
  options.values = 1 + random.Below(4);
  options.overlap = static_cast<std::int64_t>(1 + random.Below(10));
  options.unknown_permille =
      random.Below(3) == 0 ? 0 : static_cast<std::uint32_t>(random.Below(600));
  return options;
}

std::string Text(const std::vector<RegisterOperation>& history) {
  std::string text;
  for (const RegisterOperation& operation : history) text += "  " + Describe(operation) + "\n";
  return text;
}

// The order contains every answered operation once, agrees with time and with the register.
bool IsProof(const KeyReport& report, const std::vector<RegisterOperation>& history) {
  std::vector<bool> placed(history.size());
  Value value = kAbsent;
  for (std::size_t i = 0; i < report.order.size(); ++i) {
    const RegisterOperation& operation = history[report.order[i]];
    if (placed[report.order[i]]) return false;
    placed[report.order[i]] = true;
    for (std::size_t j = i + 1; j < report.order.size(); ++j) {
      if (history[report.order[j]].end < operation.call) return false;
    }
    const std::optional<Value> after = Apply(operation, value);
    if (!after) return false;
    value = *after;
  }
  for (std::size_t i = 0; i < history.size(); ++i) {
    if (history[i].outcome == Outcome::kOk && !placed[i]) return false;
  }
  return value == report.last;
}

// What had happened by that instant, as seen then.
std::vector<RegisterOperation> Prefix(const std::vector<RegisterOperation>& history,
                                      std::int64_t until, std::size_t without) {
  std::vector<RegisterOperation> prefix;
  for (std::size_t i = 0; i < history.size(); ++i) {
    RegisterOperation operation = history[i];
    if (operation.call > until) continue;
    if (operation.outcome == Outcome::kOk && (operation.end > until || i == without)) {
      operation.outcome = Outcome::kUnknown;
      operation.end = kOpenEnd;
    }
    prefix.push_back(operation);
  }
  return prefix;
}

}  // namespace

TEST_CASE("the checker agrees with the definition on many small histories") {
  RandomHistory random(20250101);
  std::uint64_t legal = 0;
  std::uint64_t illegal = 0;
  std::uint64_t with_unknown = 0;
  for (std::uint64_t turn = 0; turn < kHistories; ++turn) {
    const RandomHistoryOptions options = DrawOptions(random);
    std::vector<RegisterOperation> history = random.Good(options);
    const std::uint64_t lies = random.Below(4);
    for (std::uint64_t lie = 0; lie < lies; ++lie) random.Spoil(history, options);
    const bool truth = BruteForce(history).FindsAnOrder();
    const KeyReport report = CheckRegister(history);
    ++(truth ? legal : illegal);
    for (const RegisterOperation& operation : history) {
      if (operation.outcome == Outcome::kUnknown) {
        ++with_unknown;
        break;
      }
    }
    const bool agrees = report.verdict == (truth ? Verdict::kLinearizable : Verdict::kIllegal);
    const bool is_honest = lies != 0 || truth;
    const bool is_proven = !truth || IsProof(report, history);
    if (agrees && is_honest && is_proven) continue;
    INFO("history " << turn << ", truth " << truth << "\n"
                    << Text(history) << Explain(report, history));
    CHECK(agrees);
    CHECK(is_honest);
    REQUIRE(is_proven);
  }
  std::printf("histories=%llu legal=%llu illegal=%llu with_unknown=%llu\n",
              static_cast<unsigned long long>(kHistories), static_cast<unsigned long long>(legal),
              static_cast<unsigned long long>(illegal),
              static_cast<unsigned long long>(with_unknown));
  CHECK(legal > kHistories / 10);
  CHECK(illegal > kHistories / 10);
  CHECK(with_unknown > kHistories / 10);
}

TEST_CASE("the smallest illegal prefix ends with the operation that is blamed") {
  RandomHistory random(20250102);
  std::uint64_t illegal = 0;
  for (std::uint64_t turn = 0; turn < kHistories / 10; ++turn) {
    const RandomHistoryOptions options = DrawOptions(random);
    std::vector<RegisterOperation> history = random.Good(options);
    random.Spoil(history, options);
    // No two answers at one instant, so that a prefix is one.
    for (RegisterOperation& operation : history) {
      operation.call *= 100;
      if (operation.outcome == Outcome::kOk) operation.end = operation.end * 100 + operation.client;
    }
    const KeyReport report = CheckRegister(history);
    if (report.verdict != Verdict::kIllegal) continue;
    ++illegal;
    const std::int64_t until = history[report.culprit].end;
    INFO(Text(history) << Explain(report, history));
    REQUIRE_FALSE(BruteForce(Prefix(history, until, history.size())).FindsAnOrder());
    REQUIRE(BruteForce(Prefix(history, until, report.culprit)).FindsAnOrder());
  }
  CHECK(illegal > kHistories / 1000);
}

TEST_CASE("histories of the size that is recorded are decided") {
  RandomHistory random(20250103);
  RandomHistoryOptions options;
  options.operations = 200;
  options.values = 200;
  options.overlap = 10;
  options.unknown_permille = 60;
  std::uint64_t steps = 0;
  for (int turn = 0; turn < 100; ++turn) {
    const std::vector<RegisterOperation> history = random.Good(options);
    const KeyReport report = CheckRegister(history);
    REQUIRE(report.verdict == Verdict::kLinearizable);
    REQUIRE(IsProof(report, history));
    steps = std::max(steps, report.steps);
  }
  CHECK(steps < kStepsMax / 10);
}

TEST_CASE("a spent budget is said, and is no success") {
  RandomHistory random(20250104);
  RandomHistoryOptions options;
  options.operations = 50;
  const std::vector<RegisterOperation> history = random.Good(options);
  const KeyReport report = CheckRegister(history, 3);
  CHECK(report.verdict == Verdict::kUndecided);
  CHECK(report.steps == 3);
  CHECK(Explain(report, history).find("UNDECIDED") != std::string::npos);
}

TEST_CASE("keys are judged by themselves, in their order") {
  RegisterOperation write;
  write.kind = RegisterKind::kWrite;
  write.outcome = Outcome::kOk;
  write.value = 7;
  write.key = 9;
  write.call = 1;
  write.end = 2;
  RegisterOperation read;
  read.outcome = Outcome::kOk;
  read.seen = 7;
  read.key = 4;
  read.call = 3;
  read.end = 4;
  const std::vector<RegisterOperation> history{write, read};
  const std::vector<KeyReport> reports = CheckRegisters(history);
  REQUIRE(reports.size() == 2);
  CHECK(reports[0].key == 4);
  CHECK(reports[0].verdict == Verdict::kIllegal);
  CHECK(reports[0].culprit == 1);
  CHECK(reports[1].key == 9);
  CHECK(reports[1].verdict == Verdict::kLinearizable);
  CHECK(CheckRegister(history).verdict == Verdict::kLinearizable);
}
