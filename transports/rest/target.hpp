// The target of a request, taken apart: a path, and a query of names with values. Nothing in either
// of the routes' own needs a percent sign, so none is decoded, and what has one is none of them.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kommander::rest {

struct Target {
  explicit Target(std::string_view text) noexcept {
    // "http://host/path": as a proxy is asked, and as every server must understand.
    constexpr std::string_view kScheme = "http://";
    if (text.substr(0, kScheme.size()) == kScheme) {
      const std::size_t slash = text.find('/', kScheme.size());
      text = slash == text.npos ? std::string_view("/") : text.substr(slash);
    }
    const std::size_t mark = text.find('?');
    path = text.substr(0, mark);
    if (mark != text.npos) query = text.substr(mark + 1);
  }
  // Takes one "name=value" off the front of the query; false: there is none left.
  [[nodiscard]] bool NextParameter(std::string_view& name, std::string_view& value) noexcept {
    if (query.empty()) return false;
    const std::size_t end = query.find('&');
    const std::string_view one = query.substr(0, end);
    query = end == query.npos ? std::string_view() : query.substr(end + 1);
    const std::size_t equals = one.find('=');
    name = one.substr(0, equals);
    value = equals == one.npos ? std::string_view() : one.substr(equals + 1);
    return true;
  }

  std::string_view path;
  std::string_view query;
};

// Decimal digits and nothing else, without zeros before them, at most `most`.
[[nodiscard]] inline std::optional<std::uint32_t> ParseNumber(std::string_view text,
                                                              std::uint32_t most) noexcept {
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, number);
  const bool is_whole = error == std::errc() && parsed == end;
  if (!is_whole || number > most || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  return number;
}

}  // namespace kommander::rest
