#include "load.hpp"

#include <chrono>
#include <cstddef>
#include <random>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <kommander/batch.hpp>

namespace kommander::bench {
namespace asio = boost::asio;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr auto kErrorPause = std::chrono::milliseconds(5);
constexpr std::string_view kType = "bench";

Payload RandomPayload(std::size_t bytes) {
  std::mt19937 random(1);  // the same in every run; incompressible
  std::vector<std::byte> content(bytes);
  for (std::byte& byte : content) byte = static_cast<std::byte>(random() & 0xFF);
  return Payload(std::move(content));
}

}  // namespace

Load::Load(asio::io_context& context, RaftManager& raft, const Options& options)
    : context_(context),
      raft_(raft),
      partitions_(options.partitions),
      outstanding_(options.outstanding),
      batch_(options.batch),
      first_measured_(options.first_measured),
      payload_(RandomPayload(options.payload_bytes)),
      active_(options.partitions + 1) {}

std::uint32_t Load::Proposers(PartitionId partition) const noexcept {
  const bool has_one_more = partition.value() <= outstanding_ % partitions_;
  return outstanding_ / partitions_ + (has_one_more ? 1 : 0);
}

void Load::Start(Call call) {
  call_ = call;
  running_ = true;
  for (std::uint32_t id = 1; id <= partitions_; ++id) OnLeaderChanged(id);
}

void Load::OnLeaderChanged(PartitionId partition) {
  if (!running_ || partition == kSystemPartition || !Leads(partition)) return;
  std::uint32_t& active = active_[partition.value()];
  for (; active < Proposers(partition); ++active) {
    asio::co_spawn(context_, Propose(partition), asio::detached);
  }
}

asio::awaitable<void> Load::Propose(PartitionId partition) {
  asio::steady_timer pause(context_);
  std::optional<ClientSession> session;
  while (running_ && Leads(partition)) {
    const auto begin = std::chrono::steady_clock::now();
    const error_code error = co_await CallOnce(partition, session);
    if (error) {
      ++measured_.errors;
      pause.expires_after(kErrorPause);
      co_await pause.async_wait(kToken);
    } else if (measuring_ && partition.value() >= first_measured_) {
      ++measured_.commits;
      measured_.latencies.Record(std::chrono::steady_clock::now() - begin);
    }
  }
  --active_[partition.value()];
}

asio::awaitable<error_code> Load::CallOnce(PartitionId partition,
                                           std::optional<ClientSession>& session) {
  switch (call_) {
    case Call::kWrite: co_return co_await Write(partition);
    case Call::kSession: co_return co_await WriteInSession(partition, session);
    case Call::kManual: co_return co_await PrepareAndCommit(partition);
    case Call::kRead: break;
  }
  auto [error, result] = co_await raft_.ReadBarrier(partition, kToken);
  co_return error;
}

asio::awaitable<error_code> Load::Write(PartitionId partition) {
  if (batch_ == 1) {
    auto [error, result] = co_await raft_.ReplicateLogs(partition, kType, payload_, kToken);
    co_return error;
  }
  Batch batch;
  for (std::uint32_t i = 0; i < batch_; ++i) batch.Add(std::string(kType), payload_);
  auto [error, result] = co_await raft_.ReplicateLogs(partition, batch, kToken);
  co_return error;
}

asio::awaitable<error_code> Load::WriteInSession(PartitionId partition,
                                                 std::optional<ClientSession>& session) {
  if (!session) {
    auto [error, opened] = co_await raft_.OpenSession(partition, kToken);
    if (error) co_return error;
    session = std::move(opened);
  }
  const SessionRequest request = session->Begin();
  auto [error, result] = co_await raft_.ReplicateLogs(partition, kType, payload_,
                                                      ReplicateOptions().Session(request), kToken);
  session->End(request);
  co_return error;
}

asio::awaitable<error_code> Load::PrepareAndCommit(PartitionId partition) {
  auto [error, prepared] =
      co_await raft_.ReplicateLogs(partition, kType, payload_, ReplicateOptions().Manual(), kToken);
  if (error) co_return error;
  auto [not_committed, result] = co_await raft_.CommitLogs(partition, prepared.ticket, kToken);
  co_return not_committed;
}

}  // namespace kommander::bench
