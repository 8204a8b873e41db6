// What a bench found, in its two forms: a table for people, flat JSON for programs.
#pragma once

#include <iomanip>
#include <ostream>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace kommander::bench {

// Names and values in order; the values as JSON writes them.
using Table = std::vector<std::pair<std::string, std::string>>;

template <class Value>
std::string Format(const Value& value) {
  if constexpr (std::is_same_v<Value, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_arithmetic_v<Value>) {
    std::ostringstream text;
    text << std::setprecision(std::is_floating_point_v<Value> ? 6 : 0) << value;
    return text.str();
  } else {
    return '"' + std::string(value) + '"';
  }
}

// Of at least one value.
[[nodiscard]] double Median(std::vector<double> values);

void PrintTable(const Table& table, std::ostream& out);
// Throws std::runtime_error when the file cannot be written.
void WriteJson(const Table& table, const std::string& file);

}  // namespace kommander::bench
