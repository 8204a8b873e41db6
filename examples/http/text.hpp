// Texts out of requests: numbers, percent signs, queries, UTF-8.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/locale/utf.hpp>

namespace web {

// The whole text as a decimal number; none when it is anything else or too large.
template <class Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && parsed == end ? std::optional(number) : std::nullopt;
}

// "%41b" is "Ab"; empty when a percent sign is not followed by two hexadecimal digits.
inline std::string PercentDecode(std::string_view text) {
  std::string decoded;
  for (; !text.empty(); text.remove_prefix(1)) {
    auto byte = static_cast<std::uint8_t>(text[0]);
    if (byte == '%') {
      const char* const end = text.data() + 3;
      if (text.size() < 3 || std::from_chars(end - 2, end, byte, 16).ptr != end) return "";
      text.remove_prefix(2);
    }
    decoded += static_cast<char>(byte);
  }
  return decoded;
}

// "?a=1&b=2": the value of the first parameter of that name.
inline std::string Parameter(std::string query, std::string name, std::string otherwise) {
  std::replace(query.begin(), query.end(), '?', '&');
  const std::size_t at = query.find("&" + name + "=");
  if (at == query.npos) return otherwise;
  const std::string value = query.substr(at + name.size() + 2);
  return value.substr(0, value.find('&'));
}

inline bool IsUtf8(std::string_view text) {
  using Utf8 = boost::locale::utf::utf_traits<char>;
  for (auto next = text.begin(); next != text.end();) {
    if (!boost::locale::utf::is_valid_codepoint(Utf8::decode(next, text.end()))) return false;
  }
  return true;
}

}  // namespace web
