// A cluster runs unchanged on whatever executor the application has, beside the application's own
// timers; handlers and completions run there and nowhere else.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include "catch.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

namespace asio = boost::asio;

constexpr std::uint32_t kNodes = 3;
constexpr std::size_t kWrites = 60;  // per partition

// The application's own life on the executor: a timer that keeps going.
class Ticker : public std::enable_shared_from_this<Ticker> {
 public:
  explicit Ticker(const asio::any_io_executor& executor)
      : strand_(asio::make_strand(executor)), timer_(strand_) {}
  void Start() {
    asio::post(strand_, [self = shared_from_this()] { self->Next(); });
  }
  void Stop() {
    asio::post(strand_, [self = shared_from_this()] {
      self->stopped_ = true;
      self->timer_.cancel();
    });
  }
  [[nodiscard]] int ticks() const { return ticks_.load(); }

 private:
  void Next() {
    if (stopped_) return;
    timer_.expires_after(std::chrono::milliseconds(1));
    timer_.async_wait([self = shared_from_this()](boost::system::error_code) {
      ++self->ticks_;
      self->Next();
    });
  }
  asio::strand<asio::any_io_executor> strand_;
  asio::steady_timer timer_;
  std::atomic<int> ticks_{0};
  bool stopped_ = false;
};

// Writes texts that are all different, so what is delivered twice or not at all shows. A text is
// written once: a write whose outcome is unknown is no failure here, but counts.
struct Written {
  std::vector<std::string> certain;
  std::vector<std::string> possible;
};

Written WriteMany(TestCluster& cluster, PartitionId partition, const std::string& prefix) {
  Written written;
  std::vector<std::pair<std::string, Answer<ReplicateResult>>> writes;
  const std::uint32_t leader = cluster.WaitForLeader(partition);
  for (std::size_t i = 0; i < kWrites; ++i) {
    const std::string text = prefix + std::to_string(i);
    writes.emplace_back(text, Answer<ReplicateResult>(cluster.node(leader).Probe()));
    cluster.raft(leader).ReplicateLogs(partition, "Text", text, writes.back().second.Token());
  }
  for (auto& [text, write] : writes) {
    const error_code error = write.Wait();
    if (!error) {
      written.certain.push_back(text);
    } else if (IsOutcomeUnknown(error)) {
      written.possible.push_back(text);
    } else {
      CHECK(IsRetryable(error));
    }
  }
  for (auto& [text, write] : writes) CHECK(write.count() == 1);
  return written;
}

// Every certain text once and in order; nothing but certain and possible ones.
void CheckDelivered(const std::vector<std::string>& delivered, const Written& written) {
  std::vector<std::string> certain;
  for (const std::string& text : delivered) {
    const bool is_possible =
        std::find(written.possible.begin(), written.possible.end(), text) != written.possible.end();
    if (!is_possible) certain.push_back(text);
  }
  CHECK(certain == written.certain);
}

void RunWorkload(World& world, TestCluster& cluster) {
  auto ticker = std::make_shared<Ticker>(world.executor());
  ticker->Start();
  cluster.CreateAll();
  cluster.JoinAll();
  std::vector<Written> written{{}};
  for (const PartitionId partition : {1u, 2u}) {
    written.push_back(WriteMany(cluster, partition, "first-"));
    const std::string last = "last of " + std::to_string(partition.value());
    cluster.Write(partition, last);
    for (std::uint32_t id = 1; id <= kNodes; ++id) cluster.journal(id).WaitForText(partition, last);
  }
  for (const std::uint32_t partition : {1u, 2u}) {
    auto reference = cluster.journal(1).Delivered(partition);
    for (std::uint32_t id = 2; id <= kNodes; ++id) {
      CHECK(cluster.journal(id).Delivered(partition) == reference);
    }
    std::erase(reference, "last of " + std::to_string(partition));
    CheckDelivered(reference, written[partition]);
  }
  cluster.StopAll();
  CHECK(ticker->ticks() > 0);
  ticker->Stop();
}

TEST_CASE("a cluster runs unchanged on every kind of executor") {
  const auto kind = GENERATE(World::Kind::kOneThread, World::Kind::kFourThreads,
                             World::Kind::kStrand, World::Kind::kThreadPool);
  INFO(World::NameOf(kind));
  World world(kind);
  {
    TestCluster cluster(
        world.executor(), kNodes, [](RaftConfiguration& c) { c.InitialPartitions(2); },
        [&world] { return world.RunsHere(); });
    RunWorkload(world, cluster);
    CHECK_FALSE(cluster.AnythingMisplaced());
    world.Finish();  // with the managers still there: after Stop they hold nothing
  }
}

// On the application's second context: every co_await comes back to it.
struct Visitor {
  RaftManager* raft;
  asio::io_context* home;
  int resumed_elsewhere = 0;

  void Note() {
    if (!home->get_executor().running_in_this_thread()) ++resumed_elsewhere;
  }

  asio::awaitable<LogIndex> Visit() {
    Note();
    co_await raft->JoinCluster();
    Note();
    co_await raft->WaitForLeader(1);
    Note();
    const bool leads = co_await raft->AmILeader(1);
    Note();
    if (!leads) throw std::runtime_error("a sole member must lead");
    const Payload payload("from afar");
    const ReplicateResult result = co_await raft->ReplicateLogs(1, "Text", payload);
    Note();
    co_await raft->ReadBarrier(1);
    Note();
    co_await raft->Stop();
    Note();
    co_return result.index;
  }
};

TEST_CASE("a coroutine on another context comes back to it after every call") {
  World world(World::Kind::kFourThreads);
  asio::io_context home(1);
  TestCluster cluster(world.executor(), 1);
  cluster.CreateAll();
  Visitor visitor{&cluster.raft(1), &home};
  auto visit = asio::co_spawn(home, visitor.Visit(), asio::use_future);
  home.run_for(kPatience);  // outstanding calls keep it running
  REQUIRE(visit.wait_for(std::chrono::seconds(0)) == std::future_status::ready);
  CHECK(visit.get() > LogIndex(0));
  CHECK(visitor.resumed_elsewhere == 0);
  cluster.journal(1).WaitForText(1, "from afar");
  CHECK_FALSE(cluster.AnythingMisplaced());
  world.Finish();
}

}  // namespace
}  // namespace kommander::test
