// What the library tells the people who run it: records with a name and fields, given to a function
// of the application. Without one nothing is made or formatted.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <kommander/detail/export.hpp>
#include <kommander/ids.hpp>

namespace kommander {

// How much a record matters.
enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
[[nodiscard]] KOMMANDER_EXPORT std::string_view ToString(LogLevel level) noexcept;  // "debug", ...

// A fact of a record: a name, with a number or a text.
struct LogField {
  LogField(std::string_view field_key, std::uint64_t number) noexcept
      : key(field_key), value(number) {}
  LogField(std::string_view field_key, std::string_view text) noexcept
      : key(field_key), value(text) {}
  std::string_view key;
  std::variant<std::uint64_t, std::string_view> value;
};

// Valid during the call only. Events and keys are listed in docs/operations.md and keep their
// names.
struct LogRecord {
  LogRecord() = default;
  LogLevel level = LogLevel::kInfo;
  std::string_view event;  // "became_leader"
  NodeId node;             // this one
  std::optional<PartitionId> partition;
  std::span<const LogField> fields;
  // Records of this event and partition that were left out since the last one: each pair tells at
  // most once in RaftConfiguration::LogInterval.
  std::uint64_t suppressed = 0;
};

// Called from any thread, calls may overlap, and from a partition's strand: it hands the record to
// a logger that queues, and returns. What it throws is swallowed.
using LogSink = std::function<void(const LogRecord&)>;

// One line without its end: `level=info event=became_leader node=1 partition=7 term=3`. Texts are
// quoted where they need it, control characters escaped.
[[nodiscard]] KOMMANDER_EXPORT std::string ToLogfmt(const LogRecord& record);

}  // namespace kommander
