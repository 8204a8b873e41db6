// Addresses as people write them.
#include <algorithm>
#include <charconv>

#include <kommander/discovery.hpp>

namespace kommander {
namespace {

constexpr std::size_t kHostBytesMax = 255;

}  // namespace

std::optional<Endpoint> Endpoint::Parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool is_bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  // Without brackets, nobody could tell where an IPv6 address ends.
  if (is_bracketed != (host.find(':') != host.npos)) return std::nullopt;
  if (host.empty() || host.size() > kHostBytesMax) return std::nullopt;
  const auto is_allowed = [](char c) {
    return c > ' ' && c <= '~' && std::string_view("/[]\"'\\").find(c) == std::string_view::npos;
  };
  if (!std::all_of(host.begin(), host.end(), is_allowed)) return std::nullopt;
  Endpoint endpoint(std::string(host), 0);
  const char* const end = digits.data() + digits.size();
  const auto [parsed, error] = std::from_chars(digits.data(), end, endpoint.port);
  return error == std::errc() && parsed == end ? std::optional(endpoint) : std::nullopt;
}

}  // namespace kommander
