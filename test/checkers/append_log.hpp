// Does every node's log hold exactly what it should? Clients append lines that are all different;
// the store tells where each went. In one pass per log, beside the sorting: every acknowledged line
// is in its place on every node, once; the nodes differ nowhere; nothing stands there that was
// refused or that nobody sent; and a line that was acknowledged before another was sent stands
// before it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "register_history.hpp"

namespace kommander::checkers {

struct Append {
  std::uint32_t partition = 0;
  std::string data;  // no two appends of a partition have the same
  Outcome outcome = Outcome::kUnknown;
  std::uint64_t index = 0;  // of one that succeeded
  std::int64_t call = 0;
  std::int64_t end = kOpenEnd;
};

struct AppliedLine {
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  std::string data;
};

// Everything that a node has applied of a partition, in its order, once the cluster is at rest.
struct AppliedLog {
  std::uint32_t node = 0;
  std::uint32_t partition = 0;
  std::vector<AppliedLine> lines;
};

enum class LogFlaw : std::uint8_t {
  kHole,        // an acknowledged line is missing, later ones are there
  kLostTail,    // an acknowledged line is missing, and so is everything after it
  kDuplicate,   // a line stands in two places
  kMisplaced,   // an acknowledged line stands elsewhere, or two lines were promised one place
  kPhantom,     // a line that nobody has appended, or that was refused
  kDivergence,  // two nodes differ
  kOrder,       // indexes do not ascend, terms descend, or real time is contradicted
};
[[nodiscard]] std::string_view ToString(LogFlaw flaw) noexcept;

struct LogFinding {
  LogFlaw flaw = LogFlaw::kHole;
  std::string what;
};

// Why these are no input (two appends of one text, a node without a log of some partition); none:
// they are.
[[nodiscard]] std::optional<std::string> FindFlaw(std::span<const Append> appends,
                                                  std::span<const AppliedLog> logs);

// Of one flaw in one log the first few are told. Empty: everything is as it should be.
[[nodiscard]] std::vector<LogFinding> CheckAppendLogs(std::span<const Append> appends,
                                                      std::span<const AppliedLog> logs);

}  // namespace kommander::checkers
