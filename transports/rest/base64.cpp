#include "rest/base64.hpp"

#include <algorithm>
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

// Three bytes, the missing ones 0, as four digits of six bits.
std::uint32_t Group(ByteSpan bytes) noexcept {
  std::uint32_t group = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    group = (group << 8) | (i < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i]) : 0);
  }
  return group;
}

}  // namespace

void AppendBase64(ByteSpan bytes, std::string& text) {
  std::size_t at = text.size();
  text.resize(at + (bytes.size() + 2) / 3 * 4, '=');
  while (!bytes.empty()) {
    const std::size_t count = std::min<std::size_t>(bytes.size(), 3);
    const std::uint32_t group = Group(bytes.first(count));
    for (std::size_t i = 0; i <= count; ++i) text[at + i] = kAlphabet[(group >> (18 - 6 * i)) & 63];
    at += 4;
    bytes = bytes.subspan(count);
  }
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
  const std::string_view digits = text.substr(0, text.size() - padding);
  std::uint32_t group = 0;
  std::size_t bits = 0;
  std::size_t at = 0;
  bool is_good = true;
  for (const char digit : digits) {
    const std::uint8_t value = kValues[static_cast<std::uint8_t>(digit)];
    is_good = is_good && value != kNone;
    group = (group << 6) | (value & 63);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = static_cast<std::byte>(group >> bits);
  }
  // What is left over of the last digit is 0, or two texts would be one.
  is_good = is_good && (group & ((1u << bits) - 1)) == 0;
  if (!is_good) bytes.clear();
  return is_good;
}

}  // namespace kommander::rest
