// The world itself: seeded order, virtual time, processes that end, pause, and the rule of one
// thread.
#include "world.hpp"

#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "catch.hpp"
#include "sim_clock.hpp"

namespace asio = boost::asio;
using namespace std::chrono_literals;
using kommander::Clock;
using kommander::Duration;
using kommander::Instant;
using kommander::sim::Chance;
using kommander::sim::Process;
using kommander::sim::SimClock;
using kommander::sim::World;

namespace {

// Waits on a clock inside a coroutine.
class Waiter final : public Clock::Sink, public std::enable_shared_from_this<Waiter> {
 public:
  Waiter(SimClock& clock, asio::any_io_executor executor)
      : clock_(clock), executor_(std::move(executor)) {}
  template <class Token>
  auto Wait(Duration duration, Token&& token) {
    return asio::async_initiate<Token, void()>(
        [this](auto handler, Duration length) {
          resume_ = [h = std::make_shared<decltype(handler)>(std::move(handler))]() mutable {
            std::move (*h)();
          };
          timer_ = clock_.CreateTimer(executor_, weak_from_this());
          timer_->Arm(clock_.Now() + length);
        },
        token, duration);
  }
  void OnTimer() noexcept override { std::exchange(resume_, nullptr)(); }

 private:
  SimClock& clock_;
  asio::any_io_executor executor_;
  std::unique_ptr<Clock::Timer> timer_;
  std::function<void()> resume_;
};

asio::awaitable<void> Walk(World& world, std::shared_ptr<Waiter> waiter, std::string& log,
                           char name) {
  for (int i = 0; i < 5; ++i) {
    co_await waiter->Wait(10ms, asio::use_awaitable);
    log += name;
    log += std::to_string(i) + "@" + std::to_string(world.Now().time_since_epoch() / 1ms) + " ";
  }
}

struct Outcome {
  std::string log;
  std::string trace;
  std::int64_t tracked = 0;
};

Outcome RunWalkers(std::uint64_t seed) {
  Outcome outcome;
  World world(seed);
  world.trace().WriteTo(&outcome.trace);
  {
    Process process(world, "walkers");
    SimClock clock(world);
    for (char name : {'a', 'b', 'c'}) {
      asio::any_io_executor strand = asio::make_strand(process.get_executor());
      auto waiter = std::make_shared<Waiter>(clock, strand);
      asio::co_spawn(strand, Walk(world, waiter, outcome.log, name), asio::detached);
    }
    world.RunUntilIdle();
    world.trace().Event(world.Now(), "end", world.steps());
    outcome.tracked = world.TrackedWork();
  }
  return outcome;
}

void Throw(const char* what) { throw std::runtime_error(what); }

// Replaces the abort of a broken rule by an exception while it lives.
struct ThrowingFailures {
  ThrowingFailures() { kommander::sim::SetFailureHandler(&Throw); }
  ~ThrowingFailures() { kommander::sim::SetFailureHandler(nullptr); }
};

}  // namespace

TEST_CASE("the same seed gives the same order, another seed another one") {
  const Outcome first = RunWalkers(7);
  const Outcome second = RunWalkers(7);
  CHECK(first.log == second.log);
  CHECK(first.trace == second.trace);
  CHECK(first.tracked == 0);
  std::set<std::string> logs;
  std::set<std::string> traces;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Outcome outcome = RunWalkers(seed);
    logs.insert(outcome.log);
    traces.insert(outcome.trace);
  }
  CHECK(logs.size() > 90);
  CHECK(traces.size() == 100);
}

TEST_CASE("virtual time moves to the next timer and never backwards") {
  World world(1);
  Process process(world, "p");
  std::vector<int> order;
  const Instant start = world.Now();
  world.PushAt(process.record(), start + 30ms, [&] { order.push_back(3); });
  world.PushAt(process.record(), start + 10ms, [&] {
    order.push_back(1);
    world.PushAt(process.record(), start + 20ms, [&] { order.push_back(2); });
    world.PushAt(process.record(), start, [&] { CHECK(world.Now() == start + 10ms); });
  });
  world.RunUntil(start + 25ms);
  CHECK(order == std::vector<int>{1, 2});
  CHECK(world.Now() == start + 25ms);
  world.RunUntilIdle();
  CHECK(order == std::vector<int>{1, 2, 3});
  CHECK(world.Now() == start + 30ms);
}

TEST_CASE("a heap of timers agrees with a sorted list under arming, re-arming and disarming") {
  using kommander::sim::TimerEntry;
  using kommander::sim::TimerHeap;
  Chance chance(11);
  for (int round = 0; round < 50; ++round) {
    TimerHeap heap;
    std::vector<TimerEntry> entries(40, TimerEntry(nullptr));
    std::vector<Instant> model(entries.size(), kommander::kNever);
    for (int step = 0; step < 400; ++step) {
      const std::size_t which = chance.Below(entries.size());
      if (chance.OneIn(3)) {
        heap.Disarm(entries[which]);
        model[which] = kommander::kNever;
      } else {
        model[which] = Instant(Duration(static_cast<Duration::rep>(chance.Below(1000))));
        heap.Arm(entries[which], model[which]);
      }
      const Instant least = *std::min_element(model.begin(), model.end());
      REQUIRE(heap.empty() == (least == kommander::kNever));
      if (!heap.empty()) REQUIRE(heap.NextDue() == least);
    }
    while (!heap.empty()) {
      const Instant due = heap.NextDue();
      const auto index = static_cast<std::size_t>(&heap.PopFirst() - entries.data());
      REQUIRE(model[index] == due);
      REQUIRE(due == *std::min_element(model.begin(), model.end()));
      model[index] = kommander::kNever;
    }
  }
}

TEST_CASE("a process that ends takes its functions with it") {
  World world(3);
  auto guard = std::make_shared<int>(0);
  bool ran = false;
  auto process = std::make_unique<Process>(world, "p");
  auto executor = process->get_executor();
  asio::any_io_executor strand = asio::make_strand(executor);
  asio::post(executor, [guard, &ran] { ran = true; });
  asio::post(strand, [guard, &ran] { ran = true; });
  world.PushAt(process->record(), world.Now() + 1s, [guard, &ran] { ran = true; });
  CHECK(guard.use_count() == 4);
  strand = {};
  process.reset();
  CHECK(guard.use_count() == 1);
  asio::post(executor, [guard, &ran] { ran = true; });  // into the void
  CHECK(guard.use_count() == 1);
  world.RunUntilIdle();
  CHECK_FALSE(ran);
  CHECK(world.TrackedWork() == 0);
}

TEST_CASE("a paused process stands still while others run, and catches up") {
  World world(4);
  Process sleepy(world, "sleepy");
  Process busy(world, "busy");
  int slept = 0;
  int worked = 0;
  world.SetPaused(sleepy.record(), true);
  for (int i = 1; i <= 10; ++i) {
    world.PushAt(sleepy.record(), world.Now() + i * 1ms, [&] { ++slept; });
    world.PushAt(busy.record(), world.Now() + i * 1ms, [&] { ++worked; });
  }
  world.RunFor(20ms);
  CHECK(slept == 0);
  CHECK(worked == 10);
  world.SetPaused(sleepy.record(), false);
  world.RunUntilIdle();
  CHECK(slept == 10);
}

TEST_CASE("outstanding work is counted") {
  World world(5);
  Process process(world, "p");
  {
    auto guard = asio::make_work_guard(process.get_executor());
    CHECK(world.TrackedWork() == 1);
    asio::any_io_executor erased = guard.get_executor();
    asio::any_io_executor tracked = asio::prefer(erased, asio::execution::outstanding_work.tracked);
    CHECK(world.TrackedWork() >= 2);
  }
  CHECK(world.TrackedWork() == 0);
}

TEST_CASE("a push from a second thread is noticed, and so is the thread") {
  const ThrowingFailures throwing;
  // A sanitizer may start a thread of its own with the first one.
  std::thread([] {}).join();
  std::size_t threads = 0;
  std::string push;
  std::string end;
  try {
    World world(6);
    Process process(world, "p");
    std::thread([&] {
      try {
        asio::post(process.get_executor(), [] {});
      } catch (const std::runtime_error& error) {
        push = error.what();
      }
      threads = kommander::sim::CountThreads();
    }).join();
    // A joined thread is still listed for a moment.
    while (kommander::sim::CountThreads() >= threads) std::this_thread::yield();
  } catch (const std::runtime_error& error) {
    end = error.what();
  }
  CHECK(push == "a push from a second thread");
  CHECK(end.empty());  // the thread had gone by then
  CHECK(kommander::sim::CountThreads() >= 1);
}

TEST_CASE("a clock with a rate of its own keeps its promises") {
  World world(8);
  Process process(world, "p");
  SimClock fast(world);
  SimClock slow(world);
  fast.SetRate(100'000);
  slow.SetRate(-100'000);
  struct Count final : Clock::Sink {
    int calls = 0;
    void OnTimer() noexcept override { ++calls; }
  };
  auto fast_count = std::make_shared<Count>();
  auto slow_count = std::make_shared<Count>();
  auto fast_timer = fast.CreateTimer(process.get_executor(), fast_count);
  auto slow_timer = slow.CreateTimer(process.get_executor(), slow_count);
  fast_timer->Arm(fast.Now() + 100ms);
  slow_timer->Arm(slow.Now() + 100ms);
  world.RunFor(95ms);
  CHECK(fast_count->calls == 1);
  CHECK(slow_count->calls == 0);
  world.RunFor(20ms);
  CHECK(slow_count->calls == 1);
  const auto difference = fast.Now() - slow.Now();
  CHECK(difference > 22ms);
  CHECK(difference < 24ms);
  slow_timer->Arm(slow.Now() + 10ms);
  slow_timer->Disarm();
  fast_timer->Arm(fast.Now() + 10ms);
  fast_timer.reset();
  world.RunFor(100ms);
  CHECK(slow_count->calls == 1);
  CHECK(fast_count->calls == 1);
  const auto wall = fast.WallMilliseconds();
  fast.SetWallOffset(-5000);
  CHECK(fast.WallMilliseconds() == wall - 5000);
}
