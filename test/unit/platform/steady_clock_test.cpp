#include <chrono>
#include <ctime>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <kommander/steady_clock.hpp>

#include "catch.hpp"

namespace asio = boost::asio;
using namespace std::chrono_literals;
using kommander::Clock;
using kommander::Instant;
using kommander::kNever;

namespace {

class CountingSink : public Clock::Sink {
 public:
  void OnTimer() noexcept override {
    ++calls;
    if (then) then();
  }
  int calls = 0;
  std::function<void()> then;
};

// An io_context that is run by the test alone: run() returning means that no wait is left over.
struct Fixture {
  asio::io_context context;
  std::shared_ptr<Clock> clock = kommander::MakeSteadyClock();
  std::shared_ptr<CountingSink> sink = std::make_shared<CountingSink>();
  std::unique_ptr<Clock::Timer> timer = clock->CreateTimer(context.get_executor(), sink);
};

}  // namespace

TEST_CASE("The steady clock never goes back", "[clock]") {
  const auto clock = kommander::MakeSteadyClock();
  Instant last = clock->Now();
  for (int i = 0; i < 1000; ++i) {
    const Instant now = clock->Now();
    REQUIRE(now >= last);
    last = now;
  }
}

TEST_CASE("Wall time is Unix time in milliseconds", "[clock]") {
  const auto clock = kommander::MakeSteadyClock();
  const auto seconds = [] { return static_cast<std::uint64_t>(::time(nullptr)); };
  const std::uint64_t before = seconds();
  const std::uint64_t wall_ms = clock->WallMilliseconds();
  const std::uint64_t after = seconds();
  CHECK(wall_ms / 1000 + 1 >= before);  // time() may read a coarser clock
  CHECK(wall_ms / 1000 <= after + 1);
}

TEST_CASE("A timer fires once, when due, and not inside Arm", "[clock]") {
  Fixture f;
  const Instant due = f.clock->Now() + 2ms;
  f.timer->Arm(due);
  CHECK(f.sink->calls == 0);
  bool was_due = false;
  f.sink->then = [&] { was_due = f.clock->Now() >= due; };
  f.context.run();
  CHECK(f.sink->calls == 1);
  CHECK(was_due);
}

TEST_CASE("An instant that has passed fires from the executor, not from Arm", "[clock]") {
  Fixture f;
  f.timer->Arm(f.clock->Now() - 1h);
  CHECK(f.sink->calls == 0);
  f.context.run();
  CHECK(f.sink->calls == 1);
}

TEST_CASE("Arm for earlier replaces the pending instant", "[clock]") {
  Fixture f;
  f.timer->Arm(f.clock->Now() + 1h);
  f.timer->Arm(f.clock->Now());
  f.context.run();  // returns: nothing waits for the hour
  CHECK(f.sink->calls == 1);
}

TEST_CASE("Arm for later replaces the pending instant", "[clock]") {
  Fixture f;
  f.timer->Arm(f.clock->Now() + 1ms);
  Instant due;
  for (int i = 2; i <= 8; ++i) f.timer->Arm(due = f.clock->Now() + i * 1ms);
  bool was_due = false;
  f.sink->then = [&] { was_due = f.clock->Now() >= due; };
  f.context.run();
  CHECK(f.sink->calls == 1);
  CHECK(was_due);
}

TEST_CASE("Later, then earlier than the running wait", "[clock]") {
  Fixture f;
  f.timer->Arm(f.clock->Now() + 1h);
  f.timer->Arm(f.clock->Now() + 2h);
  f.timer->Arm(f.clock->Now() + 1ms);
  f.context.run();
  CHECK(f.sink->calls == 1);
}

TEST_CASE("Disarm withdraws, also what is due already", "[clock]") {
  Fixture f;
  f.timer->Arm(f.clock->Now() + 1h);
  f.timer->Disarm();
  f.context.run();
  CHECK(f.sink->calls == 0);

  // The wait has ended and its handler stands in the queue behind the one that disarms.
  f.context.restart();
  auto guard = asio::make_work_guard(f.context);
  f.timer->Arm(f.clock->Now() - 1h);
  asio::post(f.context, [&] {
    f.timer->Disarm();
    guard.reset();
  });
  f.context.run();
  CHECK(f.sink->calls == 0);
  f.timer->Disarm();  // twice is as good as once
}

TEST_CASE("What a call disarms does not fire behind it", "[clock]") {
  Fixture f;
  const auto other_sink = std::make_shared<CountingSink>();
  const auto other = f.clock->CreateTimer(f.context.get_executor(), other_sink);
  f.timer->Arm(f.clock->Now() - 1h);
  other->Arm(f.clock->Now() - 1h);  // both have ended before either is told
  f.sink->then = [&] { other->Disarm(); };
  other_sink->then = [&] { f.timer->Disarm(); };
  f.context.run();
  CHECK(f.sink->calls + other_sink->calls == 1);
}

TEST_CASE("Never is not an instant to wait for", "[clock]") {
  Fixture f;
  f.timer->Arm(f.clock->Now() + 1h);
  f.timer->Arm(kNever);
  f.context.run();
  CHECK(f.sink->calls == 0);
}

TEST_CASE("An instant close to never neither fires nor overflows", "[clock]") {
  Fixture f;
  f.timer->Arm(kNever - std::chrono::nanoseconds(1));
  f.context.poll();
  CHECK(f.sink->calls == 0);
  CHECK_FALSE(f.context.stopped());
  f.timer->Arm(f.clock->Now());
  f.context.run();
  CHECK(f.sink->calls == 1);
}

TEST_CASE("A timer can be armed again from its own call, for ever", "[clock]") {
  Fixture f;
  f.sink->then = [&] {
    if (f.sink->calls < 5) f.timer->Arm(f.clock->Now() + 1ms);
  };
  f.timer->Arm(f.clock->Now());
  f.context.run();
  CHECK(f.sink->calls == 5);
}

TEST_CASE("A timer that is gone does not fire and holds no work", "[clock]") {
  Fixture f;
  f.timer->Arm(f.clock->Now() - 1h);
  f.timer.reset();
  f.context.run();
  CHECK(f.sink->calls == 0);
}

TEST_CASE("A timer can be destroyed by its own call", "[clock]") {
  Fixture f;
  f.sink->then = [&] { f.timer.reset(); };
  f.timer->Arm(f.clock->Now());
  f.context.run();
  CHECK(f.sink->calls == 1);
}

TEST_CASE("A sink that is gone is not called and not kept", "[clock]") {
  Fixture f;
  f.timer->Arm(f.clock->Now());
  const std::weak_ptr<CountingSink> watch = f.sink;
  f.sink.reset();
  CHECK(watch.expired());
  f.context.run();
  f.timer->Arm(f.clock->Now());  // still harmless
  f.context.restart();
  f.context.run();
}

TEST_CASE("The call comes on the executor of the timer", "[clock]") {
  Fixture f;
  const auto strand = asio::make_strand(f.context);
  f.timer = f.clock->CreateTimer(strand, f.sink);
  bool on_strand = false;
  f.sink->then = [&] { on_strand = strand.running_in_this_thread(); };
  f.timer->Arm(f.clock->Now());
  f.context.run();
  CHECK(f.sink->calls == 1);
  CHECK(on_strand);
}

TEST_CASE("Timers outlive neither an executor nor each other badly", "[clock]") {
  const auto clock = kommander::MakeSteadyClock();
  const auto sink = std::make_shared<CountingSink>();
  {
    asio::io_context context;
    auto timer = clock->CreateTimer(context.get_executor(), sink);
    timer->Arm(clock->Now() + 1h);
    // An armed timer is owned by something that the context itself frees.
    asio::post(context, [kept = std::move(timer)] {});
  }
  CHECK(sink->calls == 0);
}
