#include "rest/response_text.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <string_view>

namespace kommander::rest {
namespace {

std::string_view ReasonOf(unsigned status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 417: return "Expectation Failed";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

// "Mon, 30 Nov 2026 21:14:53 GMT" (RFC 9110, 5.6.7): always English, whatever the locale.
std::string DateText(std::uint64_t wall_ms) {
  using namespace std::chrono;
  constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_seconds now(seconds(static_cast<std::int64_t>(wall_ms / 1000)));
  const sys_days day = floor<days>(now);
  const year_month_day date(day);
  const hh_mm_ss time(now - day);
  std::array<char, 64> text;
  const int count = std::snprintf(
      text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
      kDays[weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
      kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
      static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
      static_cast<int>(time.seconds().count()));
  return {text.data(), static_cast<std::size_t>(count)};
}

}  // namespace

std::string ResponseHead(const RestAnswer& answer, bool keep_alive, std::uint64_t wall_ms) {
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " ";
  head += ReasonOf(answer.status);
  head += "\r\nDate: " + DateText(wall_ms);
  head += "\r\nContent-Type: " + answer.content_type;
  head += "\r\nContent-Length: " + std::to_string(answer.body.size());
  head += "\r\nCache-Control: no-store";
  if (!answer.allow.empty()) head += "\r\nAllow: " + answer.allow;
  head += keep_alive ? "\r\nConnection: keep-alive" : "\r\nConnection: close";
  head += "\r\n\r\n";
  return head;
}

}  // namespace kommander::rest
