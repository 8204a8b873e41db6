// What it costs to bring an event to a partition's actor: producer threads push into the mailbox of
// a coroutine on a strand of a thread pool, which takes everything there is at each wake-up.
// `round trip` waits for each event before it pushes the next: the price of one thread hop and
// back.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "process_counts.hpp"
#include "runtime/mailbox.hpp"

namespace kommander::bench {
namespace {

namespace asio = boost::asio;
using SteadyClock = std::chrono::steady_clock;

struct Settings {
  std::vector<unsigned> producer_counts{1, 2, 4};
  unsigned pool_threads = 2;
  double seconds = 1;
};

// As large as a usual event of the runtime.
struct Event {
  std::uint64_t number = 0;
  std::shared_ptr<const void> payload;
  std::uint64_t rest[10] = {};
  bool is_last = false;
};

// Takes and counts until the last event.
class Actor {
 public:
  explicit Actor(asio::any_io_executor executor)
      : mailbox_(std::move(executor), runtime::MailboxLimits{1U << 16, 64U << 20, 1U << 16}) {}

  static asio::awaitable<void> Run(std::shared_ptr<Actor> self) {
    std::vector<Event> control;
    std::vector<Event> data;
    bool is_last = false;
    while (!is_last) {
      co_await self->mailbox_.Wait(asio::use_awaitable);
      self->mailbox_.Take(control, data);
      self->takes_.fetch_add(1, std::memory_order_relaxed);
      for (const Event& event : control) is_last = is_last || event.is_last;
      self->taken_.fetch_add(data.size());
      self->taken_.notify_all();
    }
  }

  runtime::Mailbox<Event>& mailbox() noexcept { return mailbox_; }
  [[nodiscard]] std::uint64_t takes() const noexcept { return takes_; }
  [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }
  // Until more than `count` events have been taken.
  void AwaitMoreThan(std::uint64_t count) const { taken_.wait(count); }

 private:
  runtime::Mailbox<Event> mailbox_;
  std::atomic<std::uint64_t> takes_{0};
  std::atomic<std::uint64_t> taken_{0};
};

struct Result {
  std::uint64_t pushed = 0;
  std::uint64_t refused = 0;
};

Result Flood(Actor& actor, SteadyClock::time_point end) {
  Result result;
  const auto payload = std::make_shared<const int>(0);
  do {
    for (int i = 0; i < 256; ++i) {
      Event event;
      event.number = result.pushed;
      event.payload = payload;
      if (actor.mailbox().PushRequest(event, 128) == runtime::Pushed::kAccepted) {
        ++result.pushed;
      } else {
        ++result.refused;
        std::this_thread::yield();
      }
    }
  } while (SteadyClock::now() < end);
  return result;
}

Result PingPong(Actor& actor, SteadyClock::time_point end) {
  Result result;
  do {
    Event event;
    event.number = result.pushed;
    static_cast<void>(actor.mailbox().PushRequest(event, 128));
    actor.AwaitMoreThan(result.pushed);
    ++result.pushed;
  } while (SteadyClock::now() < end);
  return result;
}

void Measure(const Settings& settings, unsigned producers, bool round_trip) {
  asio::thread_pool pool(settings.pool_threads);
  const auto strand = asio::make_strand(pool);
  const auto actor = std::make_shared<Actor>(strand);
  asio::co_spawn(strand, Actor::Run(actor), asio::detached);

  std::vector<Result> results(producers);
  std::vector<std::thread> threads;
  std::latch begin(producers + 1);
  const auto length = std::chrono::duration_cast<SteadyClock::duration>(
      std::chrono::duration<double>(settings.seconds));
  const std::uint64_t allocations = AllocationCount();
  const std::uint64_t switches = ContextSwitchCount();
  for (Result& result : results) {
    threads.emplace_back([&] {
      begin.arrive_and_wait();
      const SteadyClock::time_point end = SteadyClock::now() + length;
      result = round_trip ? PingPong(*actor, end) : Flood(*actor, end);
    });
  }
  begin.arrive_and_wait();
  const SteadyClock::time_point start = SteadyClock::now();
  for (std::thread& thread : threads) thread.join();
  Event last;
  last.is_last = true;
  static_cast<void>(actor->mailbox().PushControl(std::move(last)));
  pool.join();
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();

  double refused = 0;
  for (const Result& result : results) refused += static_cast<double>(result.refused);
  const auto events = static_cast<double>(actor->taken());
  std::printf("%-11s %9u %12.0f %12.1f %15.3f %13.3f %10.3f\n", round_trip ? "round trip" : "flood",
              producers, events / seconds, events / static_cast<double>(actor->takes()),
              static_cast<double>(ContextSwitchCount() - switches) / events,
              static_cast<double>(AllocationCount() - allocations) / events, refused / events);
  std::fflush(stdout);
}

int Run(int argc, char** argv) {
  Settings settings;
  CLI::App app("Measures the mailbox of a partition's actor.");
  app.add_option("--producers", settings.producer_counts, "threads that push")
      ->check(CLI::Range(1U, 64U))
      ->capture_default_str();
  app.add_option("--pool-threads", settings.pool_threads, "threads that run the actor")
      ->check(CLI::Range(1U, 64U))
      ->capture_default_str();
  app.add_option("--seconds", settings.seconds, "per line")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::printf("%-11s %9s %12s %12s %15s %13s %10s\n", "kind", "producers", "events/s",
              "events/take", "switches/event", "allocs/event", "refused");
  for (const unsigned producers : settings.producer_counts) Measure(settings, producers, false);
  Measure(settings, 1, true);
  return 0;
}

}  // namespace
}  // namespace kommander::bench

int main(int argc, char** argv) { return kommander::bench::Run(argc, argv); }
