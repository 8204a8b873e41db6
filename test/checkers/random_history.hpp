// Small histories for the tests of the checker: taken from a real register, so that they are good,
// and spoiled afterwards by a lie here and there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "register_history.hpp"

namespace kommander::checkers {

struct RandomHistoryOptions {
  std::size_t operations = 8;
  std::size_t values = 3;
  std::int64_t overlap = 6;  // how far calls and answers lie from the instant of the effect
  std::uint32_t unknown_permille = 200;
};

class RandomHistory {
 public:
  explicit RandomHistory(std::uint64_t seed) : random_(seed) {}

  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }

  // What clients of a correct register may see.
  std::vector<RegisterOperation> Good(const RandomHistoryOptions& options) {
    std::vector<RegisterOperation> history;
    Value now = kAbsent;
    for (std::size_t i = 0; i < options.operations; ++i) {
      const std::int64_t effect = static_cast<std::int64_t>(i) * 2;
      RegisterOperation operation = Draw(options);
      operation.client = static_cast<std::uint32_t>(i);
      operation.call = effect - Distance(options);
      const std::int64_t end = effect + Distance(options);
      if (Below(1000) < options.unknown_permille) {
        if (Below(2) == 0) now = Effect(operation, now);
      } else {
        operation.outcome = Outcome::kOk;
        operation.end = end;
        now = Answer(operation, now);
      }
      history.push_back(operation);
    }
    std::shuffle(history.begin(), history.end(), random_);
    return history;
  }

  // Another answer, or another place in time, for one operation; often enough that is a lie.
  void Spoil(std::vector<RegisterOperation>& history, const RandomHistoryOptions& options) {
    RegisterOperation& operation = history[Below(history.size())];
    if (operation.outcome != Outcome::kOk) return;
    if (Below(4) == 0) {
      const std::int64_t shift = Distance(options) - Distance(options);
      operation.call += shift;
      operation.end += shift;
    } else if (operation.kind == RegisterKind::kRead) {
      operation.seen = Below(options.values + 1);
    } else if (operation.did) {
      operation.did = !*operation.did;
      operation.seen.reset();
    }
  }

 private:
  std::int64_t Distance(const RandomHistoryOptions& options) {
    return static_cast<std::int64_t>(Below(static_cast<std::uint64_t>(options.overlap)));
  }
  RegisterOperation Draw(const RandomHistoryOptions& options) {
    RegisterOperation operation;
    operation.kind = static_cast<RegisterKind>(Below(4));
    operation.value = 1 + Below(options.values);
    operation.expect = Below(options.values + 1);
    if (operation.kind == RegisterKind::kCompareAndSwap && Below(8) == 0) operation.value = kAbsent;
    return operation;
  }
  static Value Effect(const RegisterOperation& operation, Value now) {
    RegisterOperation untold = operation;
    untold.outcome = Outcome::kUnknown;
    return Apply(untold, now).value_or(now);
  }
  // Fills in what the register answers, all of it or not.
  Value Answer(RegisterOperation& operation, Value now) {
    const Value after = Effect(operation, now);
    if (operation.kind == RegisterKind::kRead) operation.seen = now;
    if (operation.kind == RegisterKind::kDelete && Below(2) == 0) operation.did = now != kAbsent;
    if (operation.kind == RegisterKind::kCompareAndSwap && Below(8) != 0) {
      operation.did = now == operation.expect;
      if (!*operation.did && Below(2) == 0) operation.seen = now;
    }
    return after;
  }

  std::mt19937_64 random_;
};

}  // namespace kommander::checkers
