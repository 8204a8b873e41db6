#include "demo_loop.hpp"

#include <iostream>
#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace kommander::server {
namespace {

namespace asio = boost::asio;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::uint64_t kBatchEntries = 8;
constexpr const char* kType = "demo";

// Counts tasks down; whoever waits goes on when all have ended.
class Countdown {
 public:
  Countdown(const asio::any_io_executor& executor, std::uint64_t tasks)
      : done_(executor, asio::steady_timer::time_point::max()), tasks_(tasks) {}
  void End() {
    if (--tasks_ == 0) done_.cancel();
  }
  asio::awaitable<void> Wait() {
    while (tasks_ != 0) co_await done_.async_wait(kToken);
  }

 private:
  asio::steady_timer done_;
  std::uint64_t tasks_;
};

}  // namespace

DemoLoop::DemoLoop(RaftManager& raft, const Options& options)
    : raft_(raft), options_(options), timer_(raft.get_executor()) {}

void DemoLoop::Stop() {
  stops_ = true;
  timer_.cancel();
}

asio::awaitable<void> DemoLoop::Wait(std::chrono::milliseconds time) {
  timer_.expires_after(time);
  co_await timer_.async_wait(kToken);
}

asio::awaitable<void> DemoLoop::Run() {
  if (options_.demo_interval.count() == 0) co_return;
  for (co_await Wait(options_.demo_interval); !stops_; co_await Wait(options_.demo_interval)) {
    for (const PartitionId partition : raft_.Partitions()) {
      if (stops_) break;
      if (partition == kSystemPartition || !raft_.AmILeaderQuick(partition)) continue;
      co_await WriteTo(partition);
    }
  }
}

asio::awaitable<void> DemoLoop::WriteTo(PartitionId partition) {
  written_ = 0;
  failed_ = 0;
  Countdown countdown(raft_.get_executor(), options_.demo_tasks);
  for (std::uint64_t writer = 0; writer < options_.demo_tasks; ++writer) {
    const auto end = [&countdown](std::exception_ptr failure) {
      countdown.End();
      if (failure) std::rethrow_exception(failure);
    };
    asio::co_spawn(raft_.get_executor(), RunWriter(partition, writer), end);
  }
  co_await countdown.Wait();
  std::cout << "partition " << partition.value() << ": " << written_ << " entries, " << failed_
            << " writes failed, " << co_await Checkpoint(partition) << std::endl;
}

asio::awaitable<std::string> DemoLoop::Checkpoint(PartitionId partition) {
  if (stops_) co_return "no checkpoint";
  const auto [error, result] = co_await raft_.ReplicateCheckpoint(partition, kToken);
  if (error) co_return "no checkpoint: " + error.message();
  co_return "checkpoint at index " + std::to_string(result.index.value());
}

// Each round one entry, then a batch. What fails is counted, not tried again: the next round comes.
asio::awaitable<void> DemoLoop::RunWriter(PartitionId partition, std::uint64_t writer) {
  for (std::uint64_t round = 0; round < options_.demo_rounds && !stops_; ++round) {
    const std::string text =
        "writer " + std::to_string(writer) + ", round " + std::to_string(round);
    const Payload one(text);
    const auto [error, result] =
        co_await raft_.ReplicateLogs(partition, kType, one, ReplicateOptions(), kToken);
    ++(error ? failed_ : written_);
    Batch batch;
    for (std::uint64_t i = 0; i < kBatchEntries; ++i) {
      batch.Add(kType, Payload(text + ", " + std::to_string(i)));
    }
    const auto [batch_error, batch_result] =
        co_await raft_.ReplicateLogs(partition, batch, ReplicateOptions(), kToken);
    (batch_error ? failed_ : written_) += batch_error ? 1 : kBatchEntries;
  }
}

}  // namespace kommander::server
