#include "plan_text.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <sstream>

namespace kommander::sim {
namespace {

constexpr std::int64_t kNanoseconds = 1'000'000'000;

// Seconds with all nine digits after the point, so that nothing is lost.
std::string Seconds(Duration duration) {
  char text[40];
  std::snprintf(text, sizeof text, "%" PRId64 ".%09" PRId64,
                static_cast<std::int64_t>(duration.count()) / kNanoseconds,
                static_cast<std::int64_t>(duration.count()) % kNanoseconds);
  return text;
}

bool ReadSeconds(std::istream& in, Duration& duration) {
  std::int64_t whole = 0;
  std::string fraction;
  char point = 0;
  if (!(in >> whole >> point >> fraction) || point != '.' || fraction.size() != 9) return false;
  const bool has_digits_only =
      std::all_of(fraction.begin(), fraction.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (whole < 0 || whole > 1'000'000'000 || !has_digits_only) return false;
  duration = Duration(whole * kNanoseconds + std::stoll(fraction));
  return true;
}

bool ReadFault(const std::string& line, Fault& fault) {
  std::istringstream in(line);
  std::string kind;
  std::string rest;
  if (!ReadSeconds(in, fault.at) || !ReadSeconds(in, fault.length) || !(in >> kind)) return false;
  const std::optional<FaultKind> known = FaultKindOf(kind);
  if (!known) return false;
  fault.kind = *known;
  if (!(in >> fault.node >> fault.other >> fault.partition >> std::hex >> fault.draw)) return false;
  if (fault.node == 0 || fault.other == 0 || in >> rest) return false;
  --fault.node;
  --fault.other;
  return true;
}

}  // namespace

std::string PrintPlan(const std::vector<Fault>& plan) {
  std::string text = "# at s, for s, kind, node, other, partition, draw\n";
  for (const Fault& fault : plan) {
    char tail[80];
    std::snprintf(tail, sizeof tail, "%-13s %u %u %u %016" PRIx64 "\n",
                  std::string(ToString(fault.kind)).c_str(), fault.node + 1, fault.other + 1,
                  fault.partition, fault.draw);
    text += Seconds(fault.at) + " " + Seconds(fault.length) + " " + tail;
  }
  return text;
}

bool ParsePlan(std::string_view text, std::vector<Fault>& plan, std::string& problem) {
  plan.clear();
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#') continue;
    Fault fault;
    if (!ReadFault(line, fault)) {
      problem = "line " + std::to_string(number) + " is no fault: " + line;
      return false;
    }
    if (!plan.empty() && fault.at < plan.back().at) {
      problem = "line " + std::to_string(number) + " comes before the fault above it";
      return false;
    }
    plan.push_back(fault);
  }
  return true;
}

}  // namespace kommander::sim
