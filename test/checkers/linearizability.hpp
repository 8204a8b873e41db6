// Is there an order of a history's operations that every client could have seen? The search of Wing
// and Gong (1993) with the memory of Lowe (2017), one key at a time, which Herlihy and Wing's
// locality allows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "register_history.hpp"

namespace kommander::checkers {

enum class Verdict : std::uint8_t {
  kLinearizable,
  kIllegal,
  kUndecided,  // the budget was spent first; never as good as linearizable
};
[[nodiscard]] std::string_view ToString(Verdict verdict) noexcept;

// Attempts to place an operation, per key.
inline constexpr std::uint64_t kStepsMax = 5'000'000;

// All indexes are into the history that was checked.
struct KeyReport {
  std::uint64_t key = 0;
  std::size_t operations = 0;
  Verdict verdict = Verdict::kLinearizable;
  std::uint64_t steps = 0;
  // kLinearizable: a whole order. kIllegal: one of everything that was known before the culprit's
  // answer. kUndecided: the longest that was found.
  std::vector<std::size_t> order;
  Value last = kAbsent;  // the value at the end of the order
  // kIllegal: what had been answered before this operation's answer has an order, and with this
  // answer none has. That is the smallest illegal prefix, unless the budget hid a smaller one.
  std::size_t culprit = 0;
  std::vector<std::size_t> open;  // what else had been called by then and is not in the order
};

// Operations of one key, or of several as if they were of one. Every one must be well formed.
[[nodiscard]] KeyReport CheckRegister(std::span<const RegisterOperation> history,
                                      std::uint64_t steps_max = kStepsMax);

// One report per key, keys ascending.
[[nodiscard]] std::vector<KeyReport> CheckRegisters(std::span<const RegisterOperation> history,
                                                    std::uint64_t steps_max = kStepsMax);

// For a person who wants to see why: several lines, the last operations of a long order only.
[[nodiscard]] std::string Explain(const KeyReport& report,
                                  std::span<const RegisterOperation> history,
                                  const ValueText& text = NumberText);

}  // namespace kommander::checkers
