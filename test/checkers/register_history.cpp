// The sequential meaning of a register.
#include "register_history.hpp"

namespace kommander::checkers {

namespace {

std::string Show(Value value, const ValueText& text) {
  return value == kAbsent ? "nothing" : text(value);
}

std::string Answer(const RegisterOperation& operation, const ValueText& show) {
  if (operation.outcome == Outcome::kUnknown) return " unknown";
  if (operation.outcome == Outcome::kFailed) return " failed";
  const bool is_delete = operation.kind == RegisterKind::kDelete;
  std::string text;
  if (operation.did) {
    text = *operation.did ? (is_delete ? " found one" : " swapped")
                          : (is_delete ? " found none" : " did not swap");
  }
  if (operation.seen) text += " saw " + Show(*operation.seen, show);
  return text.empty() ? " ok" : text;
}

}  // namespace

std::optional<std::string> FindFlaw(const RegisterOperation& operation) {
  if (operation.kind == RegisterKind::kWrite && operation.value == kAbsent) {
    return "a write without a value";
  }
  if (operation.outcome != Outcome::kOk) return std::nullopt;
  if (operation.end == kOpenEnd) return "it succeeded and has no end";
  if (operation.end < operation.call) return "it ends before its call";
  if (operation.kind == RegisterKind::kRead && !operation.seen) return "a read without a result";
  return std::nullopt;
}

std::string NumberText(Value value) { return std::to_string(value); }

std::string Describe(const RegisterOperation& operation, const ValueText& show) {
  std::string text;
  switch (operation.kind) {
    case RegisterKind::kRead: text = "read"; break;
    case RegisterKind::kWrite: text = "write(" + Show(operation.value, show) + ")"; break;
    case RegisterKind::kDelete: text = "delete"; break;
    case RegisterKind::kCompareAndSwap:
      text = "cas(" + Show(operation.expect, show) + " -> " + Show(operation.value, show) + ")";
      break;
  }
  text += Answer(operation, show) + " by client " + std::to_string(operation.client) + " [" +
          std::to_string(operation.call) + ", ";
  return text + (operation.end == kOpenEnd ? "open" : std::to_string(operation.end)) + "]";
}

std::optional<Value> Apply(const RegisterOperation& operation, Value before) noexcept {
  const bool is_answered = operation.outcome == Outcome::kOk;
  if (is_answered && operation.seen && *operation.seen != before) return std::nullopt;
  switch (operation.kind) {
    case RegisterKind::kRead: return before;
    case RegisterKind::kWrite: return operation.value;
    case RegisterKind::kDelete:
      if (is_answered && operation.did && *operation.did != (before != kAbsent)) {
        return std::nullopt;
      }
      return kAbsent;
    case RegisterKind::kCompareAndSwap:
      if (is_answered && operation.did && *operation.did != (before == operation.expect)) {
        return std::nullopt;
      }
      return before == operation.expect ? operation.value : before;
  }
  return std::nullopt;
}

}  // namespace kommander::checkers
