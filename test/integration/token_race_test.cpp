// A call against a timer with `||`: whoever loses is cancelled, and a cancelled write says that its
// outcome is unknown. Alone in its file, for these operators are dear to compile.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include "catch.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

namespace asio = boost::asio;
using asio::experimental::awaitable_operators::operator||;

struct Race {
  RaftManager* raft;
  std::chrono::milliseconds patience;
  std::size_t winner = 99;
  error_code error{};

  asio::awaitable<void> Run() {
    asio::steady_timer timer(co_await asio::this_coro::executor, patience);
    const Payload payload("race");
    constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
    auto outcome = co_await (raft->ReplicateLogs(1, "Text", payload, kTuple) ||
                             timer.async_wait(asio::use_awaitable));
    winner = outcome.index();
    if (winner == 0) error = std::get<0>(std::get<0>(outcome));
  }
};

TEST_CASE("a write wins against a long timer") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1);
  cluster.CreateAll();
  cluster.JoinAll();
  cluster.WaitForLeader(1);
  const auto strand = asio::make_strand(world.executor());
  Race race{&cluster.raft(1), std::chrono::minutes(10)};
  auto done = asio::co_spawn(strand, race.Run(), asio::use_future);
  REQUIRE(done.wait_for(kPatience) == std::future_status::ready);
  CHECK(race.winner == 0);
  CHECK_FALSE(race.error);
  cluster.journal(1).WaitForText(1, "race");
  cluster.StopAll();
  world.Finish();
}

TEST_CASE("a short timer wins against a write that has no quorum, and the write's wait is over") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 3, [](RaftConfiguration& configuration) {
    configuration.ProposalTimeout(std::chrono::minutes(30));
  });
  cluster.CreateAll();
  cluster.JoinAll();
  const std::uint32_t leader = cluster.WaitForLeader(1);
  cluster.Isolate(leader);
  const auto strand = asio::make_strand(world.executor());
  Race race{&cluster.raft(leader), std::chrono::milliseconds(20)};
  auto done = asio::co_spawn(strand, race.Run(), asio::use_future);
  REQUIRE(done.wait_for(kPatience) == std::future_status::ready);
  // The leader may have stepped down first: then it was refused before the timer came.
  if (race.winner == 0) {
    CHECK(race.error == RaftErrc::NodeIsNotLeader);
  } else {
    CHECK(race.winner == 1);
  }
  cluster.StopAll();
  world.Finish();
}

}  // namespace
}  // namespace kommander::test
