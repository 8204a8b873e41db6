// The definition of linearizability, tried out: every order of every choice of the unanswered
// operations, against a register written down once more. Only for a handful of operations; it
// shares no code with the checker that it judges.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "register_history.hpp"

namespace kommander::checkers {

class BruteForce {
 public:
  explicit BruteForce(std::span<const RegisterOperation> history)
      : history_(history), used_(history.size()) {}
  // Whether some order exists.
  [[nodiscard]] bool FindsAnOrder() { return Extend(kAbsent); }

 private:
  // An order that begins with those used can be completed.
  bool Extend(Value value) {
    bool is_complete = true;
    for (std::size_t i = 0; i < history_.size(); ++i) {
      if (!used_[i] && history_[i].outcome == Outcome::kOk) is_complete = false;
    }
    if (is_complete) return true;
    for (std::size_t i = 0; i < history_.size(); ++i) {
      if (used_[i] || history_[i].outcome == Outcome::kFailed || IsTooEarly(i)) continue;
      Value after = value;
      if (!Fits(history_[i], value, after)) continue;
      used_[i] = true;
      const bool found = Extend(after);
      used_[i] = false;
      if (found) return true;
    }
    return false;
  }
  // Somebody not yet in the order had been answered before this one was called.
  [[nodiscard]] bool IsTooEarly(std::size_t i) const {
    for (std::size_t j = 0; j < history_.size(); ++j) {
      const bool precedes =
          history_[j].outcome == Outcome::kOk && history_[j].end < history_[i].call;
      if (precedes && !used_[j]) return true;
    }
    return false;
  }
  static bool Fits(const RegisterOperation& operation, Value before, Value& after) {
    const bool exists = before != kAbsent;
    const bool is_told = operation.outcome == Outcome::kOk;
    if (operation.kind == RegisterKind::kRead) return !is_told || operation.seen == before;
    if (operation.kind == RegisterKind::kWrite) {
      after = operation.value;
      return true;
    }
    if (operation.kind == RegisterKind::kDelete) {
      after = kAbsent;
      return !is_told || !operation.did || *operation.did == exists;
    }
    const bool swaps = before == operation.expect;
    if (swaps) after = operation.value;
    if (!is_told) return true;
    if (operation.did && *operation.did != swaps) return false;
    return !operation.seen || *operation.seen == before;
  }

  std::span<const RegisterOperation> history_;
  std::vector<bool> used_;
};

}  // namespace kommander::checkers
