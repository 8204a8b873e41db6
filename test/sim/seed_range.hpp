// Seeds as command lines name them.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace kommander::sim {

struct SeedRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;  // of the range, too
};

// "A..B" with A <= B, or "A" alone; none: anything else.
[[nodiscard]] inline std::optional<SeedRange> ParseSeeds(std::string_view text) {
  const auto number = [](std::string_view digits, std::uint64_t& value) {
    const char* const end = digits.data() + digits.size();
    const auto [parsed, error] = std::from_chars(digits.data(), end, value);
    return error == std::errc() && parsed == end;
  };
  const std::size_t dots = text.find("..");
  const std::string_view last = dots == text.npos ? text : text.substr(dots + 2);
  SeedRange range;
  const bool is_range = number(text.substr(0, dots), range.first) && number(last, range.last) &&
                        range.first <= range.last;
  return is_range ? std::optional(range) : std::nullopt;
}

}  // namespace kommander::sim
