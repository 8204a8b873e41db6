#include "rest/base64.hpp"

#include <array>
#include <cstdint>

namespace kommander::rest {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 255;

constexpr std::array<std::uint8_t, 256> MakeValues() {
  std::array<std::uint8_t, 256> values{};
  for (std::uint8_t& value : values) value = kNone;
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<std::uint8_t>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}
constexpr auto kValues = MakeValues();

// As four digits of six bits.
std::uint32_t Group(std::byte first, std::byte second, std::byte third) noexcept {
  return std::to_integer<std::uint32_t>(first) << 16 | std::to_integer<std::uint32_t>(second) << 8 |
         std::to_integer<std::uint32_t>(third);
}
void PutDigits(std::uint32_t group, std::size_t count, char* text) noexcept {
  for (std::size_t i = 0; i < count; ++i) text[i] = kAlphabet[(group >> (18 - 6 * i)) & 63];
}
std::uint8_t ValueOf(char digit) noexcept { return kValues[static_cast<std::uint8_t>(digit)]; }

}  // namespace

void AppendBase64(ByteSpan bytes, std::string& text) {
  const std::size_t before = text.size();
  text.resize(before + (bytes.size() + 2) / 3 * 4, '=');
  char* out = text.data() + before;
  std::size_t at = 0;
  for (; at + 3 <= bytes.size(); at += 3, out += 4) {
    PutDigits(Group(bytes[at], bytes[at + 1], bytes[at + 2]), 4, out);
  }
  const std::size_t left = bytes.size() - at;
  if (left == 0) return;
  // What is missing of the last group counts as 0, and is not written.
  const std::byte second = left == 2 ? bytes[at + 1] : std::byte{};
  PutDigits(Group(bytes[at], second, std::byte{}), left + 1, out);
}

std::string Base64(ByteSpan bytes) {
  std::string text;
  AppendBase64(bytes, text);
  return text;
}

bool DecodeBase64(std::string_view text, std::vector<std::byte>& bytes) {
  bytes.clear();
  if (text.size() % 4 != 0) return false;
  const std::size_t padding =
      text.empty() ? 0 : (text.back() == '=') + (text[text.size() - 2] == '=');
  bytes.resize(text.size() / 4 * 3 - padding);
  const std::size_t digits = text.size() - padding;
  std::uint8_t seen = 0;  // kNone has a bit that no digit has
  std::size_t at = 0;
  std::size_t out = 0;
  for (; at + 4 <= digits; at += 4) {
    const std::uint8_t a = ValueOf(text[at]);
    const std::uint8_t b = ValueOf(text[at + 1]);
    const std::uint8_t c = ValueOf(text[at + 2]);
    const std::uint8_t d = ValueOf(text[at + 3]);
    seen = static_cast<std::uint8_t>(seen | a | b | c | d);
    const auto group = std::uint32_t{a} << 18 | std::uint32_t{b} << 12 | std::uint32_t{c} << 6 | d;
    bytes[out++] = static_cast<std::byte>(group >> 16);
    bytes[out++] = static_cast<std::byte>(group >> 8);
    bytes[out++] = static_cast<std::byte>(group);
  }
  std::uint32_t group = 0;
  std::size_t bits = 0;
  for (; at < digits; ++at) {
    const std::uint8_t value = ValueOf(text[at]);
    seen = static_cast<std::uint8_t>(seen | value);
    group = (group << 6) | value;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[out++] = static_cast<std::byte>(group >> bits);
  }
  // What is left over of the last digit is 0, or two texts would be one.
  const bool is_good = seen < kAlphabet.size() && (group & ((1u << bits) - 1)) == 0;
  if (!is_good) bytes.clear();
  return is_good;
}

}  // namespace kommander::rest
