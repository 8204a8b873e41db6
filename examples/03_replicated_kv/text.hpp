// The little that HTTP leaves to the service: percent-encoding, UTF-8, numbers.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>

namespace kv {

// "%41b" is "Ab"; none when a percent sign is not followed by two hexadecimal digits.
[[nodiscard]] std::optional<std::string> PercentDecode(std::string_view text);

// Whether the bytes are well-formed UTF-8: shortest forms only, no surrogates, up to U+10FFFF.
[[nodiscard]] bool IsUtf8(std::string_view bytes) noexcept;

// The whole text as a decimal number; none when it is anything else or too large.
template <std::integral Number>
[[nodiscard]] std::optional<Number> ParseNumber(std::string_view text) noexcept {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace kv
