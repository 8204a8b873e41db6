// Every other test asks a probe whether a handler or a completion runs on a strand of the library,
// and expects a no. Here it is asked where the answer is yes.
#include <boost/asio/post.hpp>

#include <kommander/steady_clock.hpp>

#include "catch.hpp"
#include "manager/raft_node.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

namespace asio = boost::asio;

// Keeps the executors for which timers were asked: the node's strand and each partition's.
class WitnessClock final : public Clock {
 public:
  [[nodiscard]] Instant Now() const noexcept override { return clock_->Now(); }
  [[nodiscard]] std::uint64_t WallMilliseconds() const noexcept override {
    return clock_->WallMilliseconds();
  }
  [[nodiscard]] std::unique_ptr<Timer> CreateTimer(asio::any_io_executor executor,
                                                   std::weak_ptr<Sink> sink) override {
    const std::lock_guard lock(mutex_);
    executors_.push_back(executor);
    return clock_->CreateTimer(std::move(executor), std::move(sink));
  }
  // Gives them away: while they are held their context has work.
  [[nodiscard]] std::vector<asio::any_io_executor> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(executors_, {});
  }

 private:
  const std::shared_ptr<Clock> clock_ = MakeSteadyClock();
  std::mutex mutex_;
  std::vector<asio::any_io_executor> executors_;
};

TEST_CASE("the probe knows the strands of the library when it runs on one") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1,
                      [](RaftConfiguration& configuration) { configuration.InitialPartitions(2); });
  const auto clock = std::make_shared<WitnessClock>();
  RaftDependencies dependencies;
  dependencies.clock = clock;
  TestNode& node = cluster.Create(cluster.ConfigurationOf(1), cluster.wal(1), dependencies);
  cluster.JoinAll();
  cluster.WaitForLeader(1);
  cluster.WaitForLeader(2);
  CHECK_FALSE(cluster.AnythingMisplaced());

  const auto probe_on = [&node](const asio::any_io_executor& executor) {
    Answer<> answer(node.Probe());
    asio::post(executor, [token = answer.Token()]() mutable { token(error_code()); });
    answer.Get();
    return answer.IsMisplaced();
  };
  std::vector<asio::any_io_executor> strands = clock->Take();
  CHECK(strands.size() == 4);  // of the node and of partitions 0, 1 and 2
  for (const asio::any_io_executor& strand : strands) CHECK(probe_on(strand));
  CHECK_FALSE(probe_on(world.executor()));
  // The node's own, without a doubt: hellos are judged there.
  Answer<> verdict(node.Probe());
  RaftNodeAccess::Of(node.raft())->Judge(Hello(), NodeId(), verdict.Token());
  CHECK(verdict.Wait());
  CHECK(verdict.IsMisplaced());
  // And it is told to those who only look at the end.
  CHECK(cluster.AnythingMisplaced());
  strands.clear();
  cluster.StopAll();
  world.Finish();
}

}  // namespace
}  // namespace kommander::test
