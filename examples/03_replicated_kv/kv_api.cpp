#include "kv_api.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <kommander/errors.hpp>
#include <kommander/status.hpp>

#include "text.hpp"

namespace kv {
namespace asio = boost::asio;
namespace json = boost::json;
using kommander::PartitionId;

namespace {

constexpr auto kRetryPause = std::chrono::milliseconds(20);
constexpr std::size_t kLinesMax = 1000;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

using Clock = std::chrono::steady_clock;

Response Json(http::status status, const json::value& body) {
  return MakeResponse(status, "application/json", json::serialize(body));
}

Response NotFound() { return MakeError(http::status::not_found, "no such route"); }

json::value OrNull(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value(nullptr);
}

std::vector<std::string_view> Segments(std::string_view path) {
  std::vector<std::string_view> segments;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    segments.push_back(path.substr(0, path.find('/')));
    path.remove_prefix(segments.back().size());
  }
  return segments;
}

// "a=1&b=2": the value of the first parameter of that name.
std::optional<std::string_view> Parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) != name) continue;
    return equals == pair.npos ? std::string_view() : pair.substr(equals + 1);
  }
  return std::nullopt;
}

// Why a value cannot be stored.
std::optional<Response> RefuseValue(std::string_view value) {
  if (value.size() > kValueBytesMax) {
    return MakeError(http::status::payload_too_large, "a value has at most 1 MiB");
  }
  if (!IsUtf8(value)) return MakeError(http::status::bad_request, "the body is not UTF-8");
  return std::nullopt;
}

// {"expect":string|null,"value":string|null} and nothing else.
bool ParseCompareAndSwap(std::string_view body, KvCommand& command) {
  boost::system::error_code error;
  const json::value parsed = json::parse(body, error);  // refuses what is not UTF-8
  const json::object* object = error ? nullptr : parsed.if_object();
  if (object == nullptr || object->size() != 2) return false;
  const auto take = [object](std::string_view name, std::optional<std::string>& text) {
    const json::value* member = object->if_contains(name);
    if (member == nullptr || !(member->is_string() || member->is_null())) return false;
    if (const json::string* found = member->if_string()) text.emplace(found->data(), found->size());
    return true;
  };
  command.conditional = true;
  return take("expect", command.expect) && take("value", command.value);
}

}  // namespace

asio::awaitable<Response> KvApi::Handle(RequestPointer request) {
  try {
    co_return co_await Route(request);
  } catch (const std::exception& failure) {  // out of memory, at any point of the way
    co_return MakeError(http::status::internal_server_error, failure.what(), Outcome::kUnknown);
  }
}

asio::awaitable<Response> KvApi::Route(RequestPointer request) {
  const std::string_view target = request->target();
  const std::string_view path = target.substr(0, target.find('?'));
  const std::string_view query = target.substr(std::min(target.size(), path.size() + 1));
  const std::vector<std::string_view> segments = Segments(path);
  const http::verb method = request->method();
  if (segments.size() == 1 && segments[0] == "status" && method == http::verb::get) {
    co_return Status();
  }
  if (segments.size() == 2 && segments[0] == "log" &&
      (method == http::verb::get || method == http::verb::post)) {
    co_return co_await RouteLog(request, segments[1], query);
  }
  const bool is_key =
      segments.size() == 2 &&
      (method == http::verb::get || method == http::verb::put || method == http::verb::delete_);
  const bool is_cas = segments.size() == 3 && segments[2] == "cas" && method == http::verb::post;
  if (segments.empty() || segments[0] != "kv" || !(is_key || is_cas)) co_return NotFound();
  std::optional<std::string> key = PercentDecode(segments[1]);
  if (!key || key->empty() || key->size() > kKeyBytesMax) {
    co_return MakeError(http::status::bad_request, "a key has 1 to 512 bytes, percent-encoded");
  }
  co_return co_await RouteKey(request, std::move(*key), query, is_cas);
}

asio::awaitable<Response> KvApi::RouteKey(RequestPointer request, std::string key,
                                          std::string_view query, bool is_cas) {
  if (is_cas) co_return co_await CompareAndSwap(request, std::move(key));
  if (request->method() == http::verb::put) co_return co_await Put(request, std::move(key));
  if (request->method() == http::verb::delete_) co_return co_await Delete(request, std::move(key));
  const std::string_view local = Parameter(query, "local").value_or("0");
  if (local != "0" && local != "1") {
    co_return MakeError(http::status::bad_request, "local is 0 or 1");
  }
  co_return co_await Get(std::move(key), local == "1");
}

asio::awaitable<Response> KvApi::RouteLog(RequestPointer request, std::string_view partition,
                                          std::string_view query) {
  const std::optional<std::uint32_t> id = ParseNumber<std::uint32_t>(partition);
  if (!id || *id == 0 || *id > store_.partitions()) {
    co_return MakeError(http::status::not_found, "no such partition");
  }
  if (request->method() == http::verb::get) co_return Lines(*id, query);
  co_return co_await AppendLine(request, *id);
}

asio::awaitable<Response> KvApi::Get(std::string key, bool local) {
  if (!local) {
    const kommander::error_code error = co_await Barrier(store_.PartitionOf(key));
    if (error) co_return NotApplied(error.message());
  }
  const std::string* value = store_.Find(key);
  if (value == nullptr) co_return MakeError(http::status::not_found, "no such key");
  co_return MakeResponse(http::status::ok, "text/plain; charset=utf-8", *value);
}

asio::awaitable<Response> KvApi::Put(RequestPointer request, std::string key) {
  if (auto refusal = RefuseValue(request->body())) co_return std::move(*refusal);
  const PartitionId partition = store_.PartitionOf(key);
  KvCommand command;
  command.key = std::move(key);
  command.value = request->body();
  Written written = co_await Replicate(request, partition, kCommandType, command.Encode());
  if (written.answer) co_return std::move(*written.answer);
  const json::object body{{"partition", partition.value()}, {"index", written.index.value()}};
  co_return Json(http::status::ok, body);
}

asio::awaitable<Response> KvApi::Delete(RequestPointer request, std::string key) {
  const PartitionId partition = store_.PartitionOf(key);
  const KvStore::Waiter waiter(store_);
  KvCommand command;
  command.request = waiter.request();
  command.key = std::move(key);
  Written written = co_await Replicate(request, partition, kCommandType, command.Encode());
  if (written.answer) co_return std::move(*written.answer);
  const json::object body{{"partition", partition.value()},
                          {"index", written.index.value()},
                          {"existed", waiter.outcome().value().previous.has_value()}};
  co_return Json(http::status::ok, body);
}

asio::awaitable<Response> KvApi::CompareAndSwap(RequestPointer request, std::string key) {
  const PartitionId partition = store_.PartitionOf(key);
  const KvStore::Waiter waiter(store_);
  KvCommand command;
  command.request = waiter.request();
  command.key = std::move(key);
  if (!ParseCompareAndSwap(request->body(), command)) {
    co_return MakeError(http::status::bad_request,
                        R"(the body is {"expect":string|null,"value":string|null})");
  }
  for (const std::optional<std::string>* text : {&command.expect, &command.value}) {
    if (!*text) continue;
    if (auto refusal = RefuseValue(**text)) co_return std::move(*refusal);
  }
  Written written = co_await Replicate(request, partition, kCommandType, command.Encode());
  if (written.answer) co_return std::move(*written.answer);
  const KvOutcome& outcome = waiter.outcome().value();
  if (outcome.written) {
    const json::object body{{"swapped", true}, {"index", written.index.value()}};
    co_return Json(http::status::ok, body);
  }
  const json::object body{{"swapped", false}, {"current", OrNull(outcome.previous)}};
  co_return Json(http::status::conflict, body);
}

asio::awaitable<Response> KvApi::AppendLine(RequestPointer request, PartitionId partition) {
  if (auto refusal = RefuseValue(request->body())) co_return std::move(*refusal);
  kommander::Payload line(request->body());
  Written written = co_await Replicate(request, partition, kLineType, std::move(line));
  if (written.answer) co_return std::move(*written.answer);
  const json::object body{{"index", written.index.value()}};
  co_return Json(http::status::ok, body);
}

Response KvApi::Lines(PartitionId partition, std::string_view query) const {
  const auto from = ParseNumber<std::uint64_t>(Parameter(query, "from").value_or("0"));
  const auto limit = ParseNumber<std::size_t>(Parameter(query, "limit").value_or("1000"));
  if (!from || !limit) return MakeError(http::status::bad_request, "from and limit are numbers");
  json::array lines;
  for (const LogLine& line : store_.Lines(partition, *from, std::min(*limit, kLinesMax))) {
    lines.push_back(
        {{"index", line.index.value()}, {"term", line.term.value()}, {"data", line.data}});
  }
  return Json(http::status::ok, lines);
}

Response KvApi::Status() const {
  json::array partitions;
  for (std::uint32_t id = 1; id <= store_.partitions(); ++id) {
    const kommander::PartitionStatus status = raft_.Status(id);
    char hash[17];
    std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(status.digest));
    json::object partition{{"id", id},
                           {"role", kommander::ToString(status.role)},
                           {"leader", nullptr},
                           {"term", status.term.value()},
                           {"last", status.last.value()},
                           {"durable", status.durable.value()},
                           {"committed", status.committed.value()},
                           {"applied", status.applied.value()},
                           {"hash", hash}};
    if (status.leader) partition["leader"] = status.leader.value();
    partitions.push_back(std::move(partition));
  }
  const json::object body{{"id", raft_.id().value()}, {"partitions", std::move(partitions)}};
  return Json(http::status::ok, body);
}

asio::awaitable<KvApi::Written> KvApi::Replicate(RequestPointer request, PartitionId partition,
                                                 std::string_view type,
                                                 kommander::Payload payload) {
  const bool forwarded = request->find(kForwardedHeader) != request->end();
  const Clock::time_point deadline = Clock::now() + request_timeout_;
  Written written;
  for (;; co_await Pause()) {
    const auto left = deadline - Clock::now();
    const kommander::NodeId leader = raft_.GetPartitionLeaderHint(partition);
    if (left <= Clock::duration::zero()) {
      written.answer = NotApplied("the partition has no leader");
      co_return written;
    }
    if (leader == raft_.id()) {
      auto ended = co_await ReplicateHere(partition, type, payload, left);
      if (ended) co_return std::move(*ended);
    } else if (leader && forwarded) {
      written.answer = NotApplied("this node does not lead the partition");
      co_return written;
    } else if (leader) {
      Response answer = co_await peers_.Forward(leader, request, left);
      const bool no_effect = answer.result() == http::status::service_unavailable;
      if (no_effect) continue;  // the leader died or was replaced: wait for the next
      written.answer = std::move(answer);
      co_return written;
    }
  }
}

asio::awaitable<std::optional<KvApi::Written>> KvApi::ReplicateHere(
    PartitionId partition, std::string_view type, kommander::Payload payload,
    std::chrono::nanoseconds timeout) {
  const auto options = kommander::ReplicateOptions().Timeout(timeout).AwaitApply();
  auto [error, result] =
      co_await raft_.ReplicateLogs(partition, type, std::move(payload), options, kToken);
  if (kommander::IsRetryable(error)) co_return std::nullopt;
  Written written;
  written.index = result.index;
  if (kommander::IsOutcomeUnknown(error)) {
    written.answer = Unknown(error.message());
  } else if (error) {
    written.answer = NotApplied(error.message());
  }
  co_return written;
}

asio::awaitable<kommander::error_code> KvApi::Barrier(PartitionId partition) {
  const Clock::time_point deadline = Clock::now() + request_timeout_;
  for (;; co_await Pause()) {
    const auto left = deadline - Clock::now();
    if (left <= Clock::duration::zero()) co_return kommander::RaftErrc::ReadTimeout;
    const auto options = kommander::ReadOptions().Timeout(left);
    auto [error, result] = co_await raft_.ReadBarrier(partition, options, kToken);
    if (!kommander::IsRetryable(error)) co_return error;
  }
}

asio::awaitable<void> KvApi::Pause() {
  asio::steady_timer timer(raft_.get_executor(), kRetryPause);
  co_await timer.async_wait(kToken);
}

}  // namespace kv
