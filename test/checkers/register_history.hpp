// What clients saw of a key/value store: one operation per call, with the instants between which it
// must have taken effect. The input of the linearizability checker.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace kommander::checkers {

// Texts are interned by whoever records them: the checker compares only.
using Value = std::uint64_t;
inline constexpr Value kAbsent = 0;  // the key does not exist

enum class RegisterKind : std::uint8_t { kRead, kWrite, kDelete, kCompareAndSwap };

enum class Outcome : std::uint8_t {
  kOk,
  kFailed,   // the store promised that it had no effect
  kUnknown,  // nobody answered: it may take effect at any time after the call, or never
};

inline constexpr std::int64_t kOpenEnd = std::numeric_limits<std::int64_t>::max();

struct RegisterOperation {
  std::uint32_t client = 0;
  std::uint64_t key = 0;
  RegisterKind kind = RegisterKind::kRead;
  Outcome outcome = Outcome::kUnknown;
  Value value = kAbsent;        // what a write or a swap stores
  Value expect = kAbsent;       // what a swap wants to find
  std::optional<bool> did;      // a swap has swapped, a delete has found something; none: not told
  std::optional<Value> seen;    // what a read, or a swap that did not swap, has found
  std::int64_t call = 0;        // any clock that all clients share
  std::int64_t end = kOpenEnd;  // of the answer; kOpenEnd unless the outcome is kOk
};

// Why the operation is no part of any history (an answer before its call, a read that answers
// nothing); none: it is well formed.
[[nodiscard]] std::optional<std::string> FindFlaw(const RegisterOperation& operation);

// How a value is shown to a person; kAbsent never is asked for.
using ValueText = std::function<std::string(Value)>;
[[nodiscard]] std::string NumberText(Value value);

// "cas(3 -> 5) swapped by client 2 [17, 23]"
[[nodiscard]] std::string Describe(const RegisterOperation& operation,
                                   const ValueText& text = NumberText);

// The value after the operation if what it answered fits the value before it; else none. An unknown
// outcome fits everything.
[[nodiscard]] std::optional<Value> Apply(const RegisterOperation& operation, Value before) noexcept;

}  // namespace kommander::checkers
