// The routes of the service: what a client asks for, read off its request alone.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "../http/server.hpp"
#include "../http/text.hpp"

namespace kv {

using namespace web;
using web::Clock, web::Handler, web::tcp;  // not kommander's

constexpr std::size_t kValueBytesMax = 1u << 20;
// Two values as JSON, every byte of them escaped.
static_assert(kBodyBytesMax >= 2 * 6 * kValueBytesMax + 1024);

// {"expect":string|null,"value":string|null} and nothing else; or else an empty object.
inline json::object ParseSwap(const std::string& body) {
  using Members = std::map<std::string, std::optional<std::string>>;
  boost::system::error_code error;
  const auto swap = json::try_value_to<Members>(json::parse(body, error));
  const bool is_whole = swap && swap->size() == 2 && swap->count("expect") && swap->count("value");
  return is_whole ? json::value_from(*swap).as_object() : json::object();
}

struct Call {
  unsigned refusal = 0;  // a status, when it cannot be served, and why
  std::string_view why = {};
  // "status", "metrics", "lines", "read"; of a write: "append", "put", "delete", "cas".
  std::string_view type = {};
  std::uint32_t log = 0;   // of "lines" and "append": a partition, which may not exist
  std::string key = {};    // of the others
  bool is_local = false;   // of "read"
  std::uint64_t from = 0;  // of "lines"
  std::uint64_t limit = 0;
  json::object command = {};  // of a write
};

inline Call ParseLogCall(bool is_get, std::string_view partition, const std::string& query) {
  Call call;
  call.log = ParseNumber<std::uint32_t>(partition).value_or(0);
  call.type = is_get ? "lines" : "append";
  if (!is_get) return call;
  const auto from = ParseNumber<std::uint64_t>(Parameter(query, "from", "0"));
  const auto limit = ParseNumber<std::uint64_t>(Parameter(query, "limit", "1000"));
  if (!from || !limit) return {400, "from and limit are numbers"};
  call.from = *from;
  call.limit = std::min<std::uint64_t>(*limit, 1000);
  return call;
}

inline Call CheckValues(Call call) {
  for (const auto& [name, value] : call.command) {
    if (!value.is_string() || name == "key") continue;
    if (value.get_string().size() > kValueBytesMax) return {413, "more than 1 MiB"};
    if (!IsUtf8(value.get_string())) return {400, "the value is not UTF-8"};
  }
  return call;
}

inline Call ParseCall(const Request& request) {
  std::string_view path = request.target();
  const std::string query(path.substr(std::min(path.find('?'), path.size())));
  path.remove_suffix(query.size());
  const http::verb method = request.method();
  const bool is_get = method == http::verb::get, is_post = method == http::verb::post;
  const bool is_put = method == http::verb::put, is_delete = method == http::verb::delete_;
  const bool is_cas = is_post && path.ends_with("/cas");
  Call call;
  if ((path == "/status" || path == "/metrics") && is_get) {
    call.type = path == "/status" ? "status" : "metrics";
    return call;
  }
  if (path.starts_with("/log/") && (is_get || is_post)) {
    call = ParseLogCall(is_get, path.substr(5), query);
    if (is_post) call.command = {{"key", ""}, {"value", request.body()}};
    return CheckValues(std::move(call));
  }
  if (is_cas) path.remove_suffix(4);
  if (!path.starts_with("/kv/") || path.find('/', 4) != path.npos ||
      !(is_get || is_put || is_delete || is_cas)) {
    return {404, "no such route"};
  }
  call.key = PercentDecode(path.substr(4));
  if (call.key.empty() || call.key.size() > 512) {
    return {400, "a key is 1 to 512 bytes, encoded"};
  }
  call.type = is_get ? "read" : is_put ? "put" : is_delete ? "delete" : "cas";
  if (is_get) {
    const std::string local = Parameter(query, "local", "0");
    if (local != "0" && local != "1") return {400, "local is 0 or 1"};
    call.is_local = local == "1";
    return call;
  }
  if (is_cas) call.command = ParseSwap(request.body());
  if (is_put) call.command = {{"value", request.body()}};
  if (is_delete) call.command = {{"value", nullptr}};
  if (call.command.empty()) {
    return {400, R"(not {"expect":text|null,"value":text|null})"};
  }
  call.command["key"] = call.key;
  return CheckValues(std::move(call));
}

}  // namespace kv
