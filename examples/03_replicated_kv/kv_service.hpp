// What a node does for each call. A write runs on the leader of its partition; any other node
// passes it on. A read runs here, after a read barrier, which makes it linearizable without asking
// the leader for the bytes.
#pragma once

#include <cstdio>
#include <random>

#include <kommander/prometheus_metrics.hpp>

#include "kv_request.hpp"
#include "kv_store.hpp"

namespace kv {

struct KvService {
  RaftManager& raft;
  KvStore& store;  // outlives the requests, which leave it their answers to clear away
  std::map<NodeId, Peer> peers;
  std::chrono::milliseconds request_timeout;
  // Starts at random: other nodes, and this one before a restart, count elsewhere.
  std::uint64_t next_request = std::uint64_t{std::random_device()()} << 32;

  asio::awaitable<Response> Handle(const Request* request) {
    const Call call = ParseCall(*request);
    if (call.refusal != 0) co_return Error(call.refusal, call.why);
    if (call.type == "status") co_return Status();
    if (call.type == "metrics") {
      co_return Answer(200, PrometheusText(raft), "text/plain; version=0.0.4");
    }
    const bool is_log = call.type == "lines" || call.type == "append";
    if (is_log && (call.log == 0 || call.log >= store.partitions.size())) {
      co_return Error(404, "no such partition");
    }
    if (call.type == "lines") co_return Lines(call.log, call.from, call.limit);
    // The same on every node: the cluster's map says in whose log a key lives.
    const auto partition = is_log ? PartitionId(call.log) : raft.GetPrefixPartitionKey(call.key);
    if (!partition) co_return Error(503, "this node does not know the partitions yet");
    if (call.type == "read") co_return co_await Read(*partition, call.key, call.is_local);
    co_return co_await Write(request, *partition, call.type, call.command);
  }

  asio::awaitable<Response> Read(PartitionId partition, std::string key, bool is_local) {
    const Clock::time_point deadline = Clock::now() + request_timeout;
    while (!is_local) {  // until this node has applied every write acknowledged before the call
      const auto options = ReadOptions().Timeout(deadline - Clock::now());
      auto [error, barrier] = co_await raft.ReadBarrier(partition, options, kToken);
      if (!error) break;
      if (!IsRetryable(error) || Clock::now() >= deadline) co_return Error(503, error.message());
      co_await Pause(error);
    }
    const json::value* value = store.partitions[partition.value()].values.if_contains(key);
    if (!value) co_return Error(404, "no such key");
    co_return Answer(200, std::string(value->get_string()), "text/plain; charset=utf-8");
  }

  // Replicates here or through the leader, and waits for a leader while none can be reached.
  asio::awaitable<Response> Write(const Request* request, PartitionId partition,
                                  std::string_view type, json::object command) {
    const std::uint64_t number = next_request++;
    const json::object& answer = store.answers[number];
    const auto forget = [&answers = store.answers, number](void*) { answers.erase(number); };
    const std::shared_ptr<void> guard(nullptr, forget);
    command["request"] = number;
    const Payload payload(json::serialize(command));
    const Clock::time_point deadline = Clock::now() + request_timeout;
    for (error_code refused; Clock::now() < deadline; co_await Pause(refused)) {
      refused = {};
      const NodeId leader = raft.GetPartitionLeaderHint(partition);
      if (leader == raft.id()) {
        const auto options = ReplicateOptions().Timeout(deadline - Clock::now()).AwaitApply();
        auto [error, done] = co_await raft.ReplicateLogs(partition, type, payload, options, kToken);
        if (!error) co_return Answer(answer.contains("current") ? 409 : 200, answer);
        if (!IsRetryable(error)) {
          co_return Error(IsOutcomeUnknown(error) ? 504 : 503, error.message());
        }
        refused = error;
      } else if (leader && request->count(kForwardedHeader) != 0) {
        co_return Error(503, "this node does not lead the partition");
      } else if (leader) {
        Response forwarded = co_await Forward(&peers[leader], request, deadline);
        if (forwarded.result_int() != 503) co_return forwarded;
      }
    }
    co_return Error(503, "no leader took the write in time");
  }

  // Before another try: as long as the error says. A new leader takes many times 20 ms.
  asio::awaitable<void> Pause(error_code refused) {
    asio::steady_timer timer(raft.get_executor(), RetryAfter(refused).value_or(20ms));
    co_await timer.async_wait(kToken);
  }

  Response Lines(PartitionId partition, std::uint64_t from, std::uint64_t count) const {
    const auto& lines = store.partitions[partition.value()].lines;
    json::array found;
    for (auto line = lines.lower_bound(from); line != lines.end() && found.size() < count; ++line)
      found.push_back(line->second);
    return Answer(200, found);
  }

  Response Status() const {
    json::array partitions;
    for (std::uint32_t id = 1; id < store.partitions.size(); ++id) {
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
