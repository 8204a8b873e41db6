// A leader that has lost its followers, and does not know it yet, for a whole minute under load:
// what it holds for its callers stays within the bound, each of them is answered, and then it goes
// on.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include "catch.hpp"
#include "support/patience.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto kOutage = 60s;
constexpr std::size_t kNodeBytesMax = std::size_t{4} << 20;
constexpr std::size_t kRequestBytes = 16 << 10;
constexpr int kCallers = 1000;
constexpr std::uint32_t kLeader = 2;

struct Counts {
  std::atomic<std::uint64_t> began{0};
  std::atomic<std::uint64_t> answered{0};
  std::atomic<std::uint64_t> succeeded{0};
  std::atomic<std::uint64_t> full{0};
  std::atomic<std::uint64_t> without_hint{0};
  std::atomic<bool> is_over{false};
  std::atomic<int> callers{kCallers};
};

asio::awaitable<void> Call(RaftManager& raft, PartitionId partition, Counts& counts) {
  asio::steady_timer pause(co_await asio::this_coro::executor);
  const std::string payload(kRequestBytes, 'x');
  while (!counts.is_over) {
    ++counts.began;
    const auto [error, result] =
        co_await raft.ReplicateLogs(partition, "Text", payload, ReplicateOptions().Timeout(2s),
                                    asio::as_tuple(asio::use_awaitable));
    ++counts.answered;
    if (!error) ++counts.succeeded;
    if (error == RaftErrc::ProposalQueueFull) ++counts.full;
    if (IsRetryable(error) && !RetryAfter(error)) ++counts.without_hint;
    pause.expires_after(error ? RetryAfter(error).value_or(50ms) : Duration::zero());
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  --counts.callers;
}

// During the outage.
asio::awaitable<std::uint64_t> MostHeld(RaftManager& raft) {
  std::uint64_t most = 0;
  asio::steady_timer pause(co_await asio::this_coro::executor);
  const auto end = std::chrono::steady_clock::now() + kOutage;
  while (std::chrono::steady_clock::now() < end) {
    most = std::max(most, raft.GetNodeStatistics().proposal_bytes);
    pause.expires_after(20ms);
    co_await pause.async_wait(asio::use_awaitable);
  }
  co_return most;
}

TEST_CASE("a minute without a quorum, under load") {
  World world(World::Kind::kFourThreads);
  // Node 2 leads for longer than the outage, since it misses its quorum only after two minutes.
  TestCluster cluster(world.executor(), 3, [](RaftConfiguration& configuration) {
    configuration.InitialPartitions(2)
        .HeartbeatInterval(50ms)
        .NodeBytesMax(kNodeBytesMax)
        .EntryBytesMax(64 << 10)
        .UncommittedBytesMax(std::size_t{3} << 20)
        .QueuedProposalBytesMax(std::size_t{1} << 20)
        .InflightBytesMax(std::size_t{1} << 20);
    if (configuration.id() != NodeId(1)) configuration.ElectionTimeout(120s);
  });
  cluster.CreateAll();
  cluster.JoinAll();
  for (const std::uint32_t partition : {1u, 2u}) cluster.MakeLeader(partition, kLeader);

  Counts counts;
  RaftManager& raft = cluster.raft(kLeader);
  cluster.Isolate(kLeader);
  for (int caller = 0; caller < kCallers; ++caller) {
    asio::co_spawn(world.executor(), Call(raft, 1 + caller % 2, counts), asio::detached);
  }
  const std::uint64_t most =
      asio::co_spawn(world.executor(), MostHeld(raft), asio::use_future).get();
  CHECK(most > kNodeBytesMax / 2);
  CHECK(most <= kNodeBytesMax + 2 * kRequestBytes);
  CHECK(counts.full > 0);
  CHECK(counts.succeeded == 0);

  cluster.Isolate(kLeader, false);
  CHECK(Eventually([&] { return counts.succeeded >= 10; }));
  counts.is_over = true;
  CHECK(Eventually([&] { return counts.callers == 0; }));
  CHECK(counts.began == counts.answered);
  CHECK(counts.without_hint == 0);
  cluster.StopAll();
  CHECK(raft.GetNodeStatistics().proposal_bytes == 0);
  world.Finish();
}

}  // namespace
}  // namespace kommander::test
