// The routes of the service and what a node does for each of them. A write runs on the leader of
// its partition; any other node passes it on. A read runs here, after a read barrier, which makes
// it linearizable without asking the leader for the bytes.
#pragma once

#include <charconv>
#include <cstdio>
#include <optional>
#include <random>

#include <boost/locale/utf.hpp>

#include "http.hpp"
#include "kv_store.hpp"

namespace kv {

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

// {"expect":string|null,"value":string|null} and nothing else; or else an empty object.
inline json::object ParseSwap(const std::string& body) {
  using Members = std::map<std::string, std::optional<std::string>>;
  boost::system::error_code error;
  const auto swap = json::try_value_to<Members>(json::parse(body, error));
  const bool is_whole = swap && swap->size() == 2 && swap->count("expect") && swap->count("value");
  return is_whole ? json::value_from(*swap).as_object() : json::object();
}

struct KvService {
  RaftManager& raft;
  KvStore& store;  // outlives the requests, which leave it their answers to clear away
  std::map<NodeId, Peer> peers;
  std::chrono::milliseconds request_timeout;
  // Starts at random: other nodes, and this one before a restart, count elsewhere.
  std::uint64_t next_request = std::uint64_t{std::random_device()()} << 32;

  asio::awaitable<Response> Handle(const Request* request) {
    std::string_view path = request->target();
    const std::string query(path.substr(std::min(path.find('?'), path.size())));
    path.remove_suffix(query.size());
    const http::verb method = request->method();
    const bool is_get = method == http::verb::get, is_post = method == http::verb::post;
    const bool is_put = method == http::verb::put, is_delete = method == http::verb::delete_;
    const bool is_cas = is_post && path.ends_with("/cas");
    json::object command{{"key", ""}, {"value", request->body()}};

    if (path == "/status" && is_get) co_return Status();
    if (path.starts_with("/log/") && (is_get || is_post)) {
      const auto id = ParseNumber<std::uint32_t>(path.substr(5)).value_or(0);
      if (id == 0 || id > store.partitions.size()) co_return Error(404, "no such partition");
      if (is_get) co_return Lines(id, query);
      co_return co_await Write(request, id, "append", command);
    }
    if (is_cas) path.remove_suffix(4);
    if (!path.starts_with("/kv/") || path.find('/', 4) != path.npos ||
        !(is_get || is_put || is_delete || is_cas)) {
      co_return Error(404, "no such route");
    }
    const std::string key = PercentDecode(path.substr(4));
    if (key.empty() || key.size() > 512) co_return Error(400, "a key is 1 to 512 bytes, encoded");
    if (is_get) co_return co_await Read(key, Parameter(query, "local", "0"));
    if (is_delete) command["value"] = nullptr;
    if (is_cas) command = ParseSwap(request->body());
    if (command.empty()) co_return Error(400, R"(not {"expect":text|null,"value":text|null})");
    command["key"] = key;
    const std::string_view type = is_put ? "put" : is_delete ? "delete" : "cas";
    co_return co_await Write(request, store.PartitionOf(key), type, command);
  }

  asio::awaitable<Response> Read(std::string key, std::string local) {
    if (local != "0" && local != "1") co_return Error(400, "local is 0 or 1");
    const PartitionId partition = store.PartitionOf(key);
    const Clock::time_point deadline = Clock::now() + request_timeout;
    while (local == "0") {  // until this node has applied every write acknowledged before the call
      const auto options = ReadOptions().Timeout(deadline - Clock::now());
      auto [error, barrier] = co_await raft.ReadBarrier(partition, options, kToken);
      if (!error) break;
      if (!IsRetryable(error) || Clock::now() >= deadline) co_return Error(503, error.message());
      co_await Pause();
    }
    const json::value* value = store.partitions[partition.value() - 1].values.if_contains(key);
    if (!value) co_return Error(404, "no such key");
    co_return Answer(200, std::string(value->get_string()), "text/plain; charset=utf-8");
  }

  // Replicates here or through the leader, and waits for a leader while none can be reached.
  asio::awaitable<Response> Write(const Request* request, PartitionId partition,
                                  std::string_view type, json::object command) {
    for (const auto& [name, value] : command) {
      if (!value.is_string() || name == "key") continue;
      if (value.get_string().size() > kValueBytesMax) co_return Error(413, "more than 1 MiB");
      if (!IsUtf8(value.get_string())) co_return Error(400, "the value is not UTF-8");
    }
    const std::uint64_t number = next_request++;
    const json::object& answer = store.answers[number];
    const auto forget = [&answers = store.answers, number](void*) { answers.erase(number); };
    const std::shared_ptr<void> guard(nullptr, forget);
    command["request"] = number;
    const Payload payload(json::serialize(command));
    const Clock::time_point deadline = Clock::now() + request_timeout;
    for (; Clock::now() < deadline; co_await Pause()) {
      const NodeId leader = raft.GetPartitionLeaderHint(partition);
      if (leader == raft.id()) {
        const auto options = ReplicateOptions().Timeout(deadline - Clock::now()).AwaitApply();
        auto [error, done] = co_await raft.ReplicateLogs(partition, type, payload, options, kToken);
        if (!error) co_return Answer(answer.contains("current") ? 409 : 200, answer);
        if (!IsRetryable(error)) {
          co_return Error(IsOutcomeUnknown(error) ? 504 : 503, error.message());
        }
      } else if (leader && request->count(kForwardedHeader) != 0) {
        co_return Error(503, "this node does not lead the partition");
      } else if (leader) {
        Response forwarded = co_await Forward(&peers[leader], request, deadline);
        if (forwarded.result_int() != 503) co_return forwarded;
      }
    }
    co_return Error(503, "no leader took the write in time");
  }

  // Before another try. A new leader takes many times this.
  asio::awaitable<void> Pause() {
    asio::steady_timer timer(raft.get_executor(), 20ms);
    co_await timer.async_wait(kToken);
  }

  Response Lines(PartitionId partition, std::string query) const {
    const auto from = ParseNumber<std::uint64_t>(Parameter(query, "from", "0"));
    const auto limit = ParseNumber<std::uint64_t>(Parameter(query, "limit", "1000"));
    if (!from || !limit) return Error(400, "from and limit are numbers");
    const auto& lines = store.partitions[partition.value() - 1].lines;
    const std::uint64_t count = std::min<std::uint64_t>(*limit, 1000);
    json::array found;
    for (auto line = lines.lower_bound(*from); line != lines.end() && found.size() < count; ++line)
      found.push_back(line->second);
    return Answer(200, found);
  }

  Response Status() const {
    json::array partitions;
    for (std::uint32_t id = 1; id <= store.partitions.size(); ++id) {
      const PartitionStatus status = raft.Status(id);
      const json::value leader(status.leader.value());
      char hash[17];
      std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(status.digest));
      partitions.push_back({{"id", id},
                            {"role", ToString(status.role)},
                            {"leader", status.leader ? leader : nullptr},
                            {"term", status.term.value()},
                            {"last", status.last.value()},
                            {"durable", status.durable.value()},
                            {"committed", status.committed.value()},
                            {"applied", status.applied.value()},
                            {"hash", hash}});
    }
    return Answer(200, {{"id", raft.id().value()}, {"partitions", partitions}});
  }
};

}  // namespace kv
