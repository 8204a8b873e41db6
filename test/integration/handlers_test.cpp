// The application's handlers: plain or coroutines, one after the other within a partition, and no
// failure of one of them stops the order.
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <kommander/memory_snapshots.hpp>

#include "catch.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

namespace asio = boost::asio;
using Kind = Event::Kind;

std::vector<std::string> TextsOf(const Journal& journal, Kind kind) {
  std::vector<std::string> texts;
  for (const Event& event : journal.Events()) {
    if (event.kind == kind) texts.push_back(event.text);
  }
  return texts;
}

// What the next handler is to do, by the text that it is given.
bool Judge(const RaftLog& log) {
  if (log.payload().text() == "throw") throw std::runtime_error("on purpose");
  return log.payload().text() != "false";
}

asio::awaitable<bool> JudgeLater(RaftLog log) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  co_return Judge(log);
}

const std::vector<std::string> kTexts{"a", "false", "b", "throw", "throw", "c", "false"};
const std::vector<std::string> kFailing{"false", "throw", "throw", "false"};

// A plain function that returns a coroutine, and may not get as far.
asio::awaitable<bool> JudgeAtOnce(RaftLog log) {
  (void)Judge(log);
  return JudgeLater(std::move(log));
}

// Writes the texts, as one batch or one by one, and looks what was made of them.
void CheckFailures(World& world, TestCluster& cluster, const std::shared_ptr<Journal>& own) {
  cluster.JoinAll();
  cluster.WaitForLeader(1);
  Batch batch;
  for (const std::string& text : kTexts) {
    batch.Add("Text", text);
    cluster.Write(1, text);
  }
  Answer<ReplicateResult> write;
  cluster.raft(1).ReplicateLogs(1, batch, write.Token());
  write.Get();
  cluster.Write(1, "end");
  own->WaitForText(1, "end");
  std::vector<std::string> all = kTexts;
  all.insert(all.end(), kTexts.begin(), kTexts.end());
  all.push_back("end");
  CHECK(own->Delivered(1) == all);
  std::vector<std::string> failing = kFailing;
  failing.insert(failing.end(), kFailing.begin(), kFailing.end());
  CHECK(TextsOf(*own, Kind::kFailed) == failing);
  // Each failure is told right after its own delivery.
  const auto events = own->Events();
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].kind != Kind::kFailed) continue;
    REQUIRE(i > 0);
    CHECK(events[i - 1].index == events[i].index);
    CHECK(events[i - 1].ordinal == events[i].ordinal);
  }
  cluster.StopAll();
  CHECK_FALSE(cluster.AnythingMisplaced());
  world.Finish();
}

TEST_CASE("a plain handler that returns false or throws is told of, and the order goes on") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1);
  auto own = std::make_shared<Journal>();
  cluster.Create(1)
      ->OnReplicationReceived([own](const RaftLog& log) {
        own->Add(Event(Kind::kReceived, log));
        return Judge(log);
      })
      .OnReplicationError([own](const RaftLog& log) { own->Add(Event(Kind::kFailed, log)); });
  CheckFailures(world, cluster, own);
}

TEST_CASE("a coroutine handler that returns false or throws is told of, and the order goes on") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1);
  auto own = std::make_shared<Journal>();
  const bool error_is_coroutine = GENERATE(false, true);
  TestNode& node = cluster.Create(1);
  node->OnReplicationReceived([own](RaftLog log) {
    own->Add(Event(Kind::kReceived, log));
    return JudgeLater(std::move(log));
  });
  if (error_is_coroutine) {
    node->OnReplicationError([own](RaftLog log) {
      own->Add(Event(Kind::kFailed, log));
      return JudgeLater(std::move(log));  // fails itself: nothing comes of that
    });
  } else {
    node->OnReplicationError([own](const RaftLog& log) {
      own->Add(Event(Kind::kFailed, log));
      return Judge(log);
    });
  }
  CheckFailures(world, cluster, own);
}

// Counts who is inside at the same time.
class Room {
 public:
  explicit Room(std::function<bool()> probe) : probe_(std::move(probe)) {}
  asio::awaitable<void> Visit(PartitionId partition) {
    Enter(partition);
    for (int i = 0; i < 3; ++i) {
      co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
      if (probe_()) misplaced_ = true;
    }
    Leave(partition);
  }
  [[nodiscard]] int overlaps() const { return overlaps_.load(); }
  [[nodiscard]] int visits() const { return visits_.load(); }
  [[nodiscard]] bool misplaced() const { return misplaced_.load(); }

 private:
  void Enter(PartitionId partition) {
    ++visits_;
    if (inside_[partition.value()].fetch_add(1) != 0) ++overlaps_;
  }
  void Leave(PartitionId partition) { --inside_[partition.value()]; }
  std::function<bool()> probe_;
  std::array<std::atomic<int>, 4> inside_{};
  std::atomic<int> overlaps_{0};
  std::atomic<int> visits_{0};
  std::atomic<bool> misplaced_{false};
};

TEST_CASE("a handler that throws before its coroutine is made does not stop the order") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1);
  auto own = std::make_shared<Journal>();
  TestNode& node = cluster.Create(1);
  node->OnReplicationReceived([own](RaftLog log) {
    own->Add(Event(Kind::kReceived, log));
    return JudgeAtOnce(std::move(log));
  });
  node->OnReplicationError([own](RaftLog log) {
    own->Add(Event(Kind::kFailed, log));
    return JudgeAtOnce(std::move(log));  // fails itself: nothing comes of that
  });
  CheckFailures(world, cluster, own);
}

TEST_CASE("coroutine handlers of one partition never overlap, and run on the application's side") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1,
                      [](RaftConfiguration& configuration) { configuration.InitialPartitions(3); });
  TestNode& node = cluster.Create(1);
  auto room = std::make_shared<Room>(node.Probe());
  node->OnReplicationReceived([room](const RaftLog& log) { return room->Visit(log.partition()); });
  node->OnLeaderChanged([room](PartitionId partition, NodeId) { return room->Visit(partition); });
  cluster.JoinAll();
  std::vector<Answer<ReplicateResult>> writes;
  for (std::uint32_t partition = 1; partition <= 3; ++partition) {
    cluster.WaitForLeader(partition);
    for (int i = 0; i < 100; ++i) {
      writes.emplace_back();
      cluster.raft(1).ReplicateLogs(partition, "Text", "x", ReplicateOptions().AwaitApply(),
                                    writes.back().Token());
    }
  }
  for (const auto& write : writes) write.Get();
  CHECK(room->visits() >= 300);
  CHECK(room->overlaps() == 0);
  CHECK_FALSE(room->misplaced());
  cluster.StopAll();
  world.Finish();
}

// A handler that stays until the test lets it go.
class Gate {
 public:
  explicit Gate(const asio::any_io_executor& executor) : timer_(executor) {
    timer_.expires_at(asio::steady_timer::time_point::max());
  }
  asio::awaitable<void> Wait() { co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable)); }
  void Open() { timer_.expires_at(asio::steady_timer::time_point::min()); }

 private:
  asio::steady_timer timer_;
};

struct SlowHandler {
  explicit SlowHandler(const asio::any_io_executor& executor) : gate(executor) {}
  asio::awaitable<void> Handle(RaftLog log) {
    ++entered;
    if (log.partition() == PartitionId(1)) co_await gate.Wait();
    done.emplace_back(log.payload().text());
  }
  Gate gate;
  int entered = 0;
  std::vector<std::string> done;
};

TEST_CASE("a slow handler slows its own partition only, and writes need not wait for it") {
  ManualWorld world;
  TestCluster cluster(world.executor(), 1,
                      [](RaftConfiguration& configuration) { configuration.InitialPartitions(2); });
  TestNode& node = cluster.Create(1);
  SlowHandler slow(world.executor());
  node->OnReplicationReceived([&slow](const RaftLog& log) { return slow.Handle(log); });
  Answer<> join;
  node->JoinCluster(join.Token());
  world.RunUntil("leaders", [&] {
    return join.HasCome() && node->AmILeaderQuick(1) && node->AmILeaderQuick(2);
  });
  Answer<ReplicateResult> first;
  Answer<ReplicateResult> second;
  Answer<ReplicateResult> applied;
  Answer<ReplicateResult> other;
  node->ReplicateLogs(1, "Text", "first", first.Token());
  node->ReplicateLogs(1, "Text", "second", second.Token());
  node->ReplicateLogs(1, "Text", "third", ReplicateOptions().AwaitApply(), applied.Token());
  node->ReplicateLogs(2, "Text", "other", ReplicateOptions().AwaitApply(), other.Token());
  world.RunUntil("writes", [&] {
    return first.HasCome() && second.HasCome() && other.HasCome() && slow.entered == 2;
  });
  world.RunReady();
  CHECK(slow.done == std::vector<std::string>{"other"});
  CHECK_FALSE(applied.HasCome());
  CHECK(slow.entered == 2);  // the second is not begun before the first has ended
  slow.gate.Open();
  world.RunUntil("the rest", [&] { return applied.HasCome(); });
  CHECK(slow.done == std::vector<std::string>{"other", "first", "second", "third"});
  CHECK_FALSE(applied.error());
  Answer<> stop;
  node->Stop(stop.Token());
  world.RunOut();
  CHECK(stop.count() == 1);
}

TEST_CASE("a completion that throws takes no other completion with it") {
  ManualWorld world;
  TestCluster cluster(world.executor(), 1);
  TestNode& node = cluster.Create(1);
  Answer<> join;
  node->JoinCluster(join.Token());
  world.RunUntil("a leader", [&] { return join.HasCome() && node->AmILeaderQuick(1); });
  std::vector<Answer<ReplicateResult>> writes(10);
  for (std::size_t i = 0; i < writes.size(); ++i) {
    node->ReplicateLogs(1, "Text", "x",
                        [i, token = writes[i].Token()](error_code error, ReplicateResult result) {
                          token(error, result);
                          if (i % 3 == 0) throw std::runtime_error("a completion");
                        });
  }
  int thrown = 0;
  const auto all_came = [&] {
    return std::all_of(writes.begin(), writes.end(), [](const auto& w) { return w.HasCome(); });
  };
  while (!all_came()) {
    try {
      world.RunUntil("answers", all_came);
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  for (const auto& write : writes) {
    CHECK(write.count() == 1);
    CHECK_FALSE(write.error());
  }
  CHECK(thrown >= 3);
  Answer<> stop;
  node->Stop(stop.Token());
  world.RunOut();
  CHECK(stop.count() == 1);
}

TEST_CASE("without handlers entries are delivered to nobody and the node works") {
  World world(World::Kind::kOneThread);
  TestCluster cluster(world.executor(), 1);
  TestNode& node = cluster.Create(1);
  node->OnReplicationReceived({});
  node->OnLeaderChanged({});
  node->OnRestoreStarted({});
  node->OnRestoreFinished({});
  cluster.JoinAll();
  cluster.Write(1, "unheard");
  Answer<ReadBarrierResult> barrier;
  node->ReadBarrier(1, barrier.Token());
  barrier.Get();
  CHECK(node.journal().size() == 0);
  cluster.StopAll();
  world.Finish();
}

class NoState final : public StateMachine {
 public:
  bool Apply(std::span<const RaftLog>) override { return true; }
  std::shared_ptr<SnapshotImage> Capture(PartitionId) override { return nullptr; }
  boost::asio::awaitable<bool> Import(PartitionId, SnapshotSource&) override { co_return true; }
};

TEST_CASE("what would be registered in vain ends the join, and is named") {
  World world(World::Kind::kOneThread);
  TestCluster cluster(world.executor(), 1);
  TestNode& node = cluster.Create(1);
  std::mutex mutex;
  std::vector<std::string> lines;
  node->UseLogSink([&](const LogRecord& record) {
    const std::lock_guard lock(mutex);
    lines.push_back(ToLogfmt(record));
  });
  std::string named;
  SECTION("snapshots of nothing") {
    node->UseSnapshots(MakeMemorySnapshots());
    named = "UseSnapshots needs UseStateMachine";
  }
  SECTION("a handler of restored entries beside a state machine") {
    node->UseStateMachine(std::make_shared<NoState>()).OnReplicationReceived({});
    named = "OnLogRestored";
  }
  SECTION("a handler of entries beside a state machine") {
    node->UseStateMachine(std::make_shared<NoState>()).OnLogRestored({});
    named = "OnReplicationReceived";
  }
  Answer<> join;
  node->JoinCluster(join.Token());
  CHECK(join.Wait() == RaftErrc::InvalidConfiguration);
  CHECK(node->JoinDetail().find(named) != std::string::npos);
  cluster.StopAll();
  world.Finish();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("event=node_problem") != std::string::npos);
  CHECK(lines[0].find(named) != std::string::npos);
}

TEST_CASE("a state machine without handlers of entries, with or without snapshots, is in order") {
  for (const bool has_snapshots : {false, true}) {
    World world(World::Kind::kOneThread);
    TestCluster cluster(world.executor(), 1);
    TestNode& node = cluster.Create(1);
    node->OnLogRestored({}).OnReplicationReceived({});
    node->UseStateMachine(std::make_shared<NoState>());
    if (has_snapshots) node->UseSnapshots(MakeMemorySnapshots());
    cluster.JoinAll();
    cluster.Write(1, "x");
    cluster.StopAll();
    world.Finish();
  }
}

boost::asio::awaitable<bool> FailLater(bool throws) {
  if (throws) throw std::runtime_error("no");
  co_return false;
}

boost::asio::awaitable<bool> WaitForCancel(bool waits, std::shared_ptr<std::atomic<bool>> runs) {
  if (!waits) co_return true;
  runs->store(true);
  const auto executor = co_await boost::asio::this_coro::executor;
  boost::asio::steady_timer never(executor, boost::asio::steady_timer::time_point::max());
  co_await never.async_wait(boost::asio::use_awaitable);
  co_return true;
}

// One that fails, as a coroutine or not, by an answer or by throwing.
template <class... Arguments>
Handler<Arguments...> Failing(bool is_coroutine, bool throws) {
  if (!is_coroutine) {
    return [throws](const Arguments&...) {
      if (throws) throw std::runtime_error("no");
      return false;
    };
  }
  return [throws](Arguments...) { return FailLater(throws); };
}

TEST_CASE("handlers that fail are told by their names, coroutines like plain ones") {
  for (int way = 0; way < 4; ++way) {
    const bool is_coroutine = (way & 1) != 0;
    const bool throws = (way & 2) != 0;
    CAPTURE(is_coroutine, throws);
    World world(World::Kind::kOneThread);
    TestCluster cluster(world.executor(), 1, [](RaftConfiguration& configuration) {
      configuration.LogInterval(Duration::zero());
    });
    TestNode& node = cluster.Create(1);
    std::mutex mutex;
    std::map<std::string, int> failed;
    node->UseLogSink([&](const LogRecord& record) {
      if (record.event != "handler_failed" || record.partition != PartitionId(1)) return;
      const std::lock_guard lock(mutex);
      ++failed[std::string(std::get<std::string_view>(record.fields.back().value))];
    });
    node->OnRestoreStarted(Failing<PartitionId>(is_coroutine, throws));
    node->OnRestoreFinished(Failing<PartitionId>(is_coroutine, throws));
    node->OnLeaderChanged(Failing<PartitionId, NodeId>(is_coroutine, throws));
    node->OnReplicationReceived(Failing<RaftLog>(is_coroutine, throws));
    node->OnReplicationError(Failing<RaftLog>(is_coroutine, throws));
    cluster.JoinAll();
    cluster.Write(1, "x");
    REQUIRE(Eventually([&] {
      const std::lock_guard lock(mutex);
      return failed["OnReplicationError"] == 1;
    }));
    {
      const std::lock_guard lock(mutex);
      CHECK(failed["OnRestoreStarted"] == 1);
      CHECK(failed["OnRestoreFinished"] == 1);
      CHECK(failed["OnLeaderChanged"] >= 1);
      CHECK(failed["OnReplicationReceived"] == 1);
    }
    cluster.StopAll();
    world.Finish();
  }
}

TEST_CASE("a handler that a stop has cancelled has not failed") {
  World world(World::Kind::kOneThread);
  TestCluster cluster(world.executor(), 1);
  TestNode& node = cluster.Create(1);
  std::atomic<int> failed{0};
  const auto runs = std::make_shared<std::atomic<bool>>(false);
  node->UseLogSink([&](const LogRecord& record) {
    if (record.event == "handler_failed") ++failed;
  });
  node->OnLeaderChanged([runs](PartitionId partition, NodeId) {
    return WaitForCancel(partition == PartitionId(1), runs);
  });
  cluster.JoinAll();
  REQUIRE(Eventually([&] { return runs->load(); }));
  cluster.StopAll();
  world.Finish();
  CHECK(failed == 0);
}

TEST_CASE("a handler that is registered after JoinCluster is refused") {
  World world(World::Kind::kOneThread);
  TestCluster cluster(world.executor(), 1);
  cluster.CreateAll();
  cluster.JoinAll();
  try {
    cluster.raft(1).OnReplicationReceived([](const RaftLog&) {});
    FAIL("it was accepted");
  } catch (const boost::system::system_error& error) {
    CHECK(error.code() == RaftErrc::AlreadyJoined);
  }
  cluster.StopAll();
  world.Finish();
}

}  // namespace
}  // namespace kommander::test
