// The only place that reads the system's clocks and makes Asio timers.
#include <chrono>
#include <cstdint>
#include <utility>

#include <boost/asio/steady_timer.hpp>

#include <kommander/steady_clock.hpp>

namespace kommander {
namespace {

using std::chrono::steady_clock;
using std::chrono::system_clock;

Instant ToInstant(steady_clock::time_point point) noexcept {
  return Instant(std::chrono::duration_cast<Duration>(point.time_since_epoch()));
}

steady_clock::time_point ToSteady(Instant when) noexcept {
  return steady_clock::time_point(
      std::chrono::duration_cast<steady_clock::duration>(when.time_since_epoch()));
}

// What a wait that is on its way must still find: owned by the timer, borrowed by the wait.
class TimerState : public std::enable_shared_from_this<TimerState> {
 public:
  TimerState(boost::asio::any_io_executor executor, std::weak_ptr<Clock::Sink> sink)
      : timer_(std::move(executor)), sink_(std::move(sink)) {}

  void Arm(Instant when) {
    if (when == kNever) {
      Disarm();
      return;
    }
    const bool covered = waiting_ && wait_until_ <= when;
    if (!covered) Wait(when);
    due_ = when;
  }

  void Disarm() noexcept {
    due_ = kNever;
    Forget();
  }

 private:
  void Wait(Instant when) {
    Forget();
    timer_.expires_at(ToSteady(when));
    wait_until_ = when;
    waiting_ = true;
    // Weak: once the timer is gone a wait does not keep its state, or the executor in it, alive.
    timer_.async_wait([weak = weak_from_this(), wait = wait_](boost::system::error_code error) {
      if (const auto self = weak.lock()) self->OnWaited(wait, error);
    });
  }

  // Withdraws the running wait; one that is on its way already finds another number.
  void Forget() noexcept {
    ++wait_;
    if (!waiting_) return;
    waiting_ = false;
    try {
      timer_.cancel();
    } catch (const boost::system::system_error&) {
      // The number above is enough: the wait ends by itself and does nothing.
    }
  }

  void OnWaited(std::uint64_t wait, boost::system::error_code error) {
    if (wait != wait_ || error) return;
    waiting_ = false;
    if (due_ == kNever) return;
    if (ToInstant(steady_clock::now()) < due_) {
      Wait(due_);
      return;
    }
    due_ = kNever;
    if (const auto sink = sink_.lock()) sink->OnTimer();
  }

  boost::asio::steady_timer timer_;
  const std::weak_ptr<Clock::Sink> sink_;
  Instant due_ = kNever;
  Instant wait_until_ = kNever;
  std::uint64_t wait_ = 0;
  bool waiting_ = false;
};

class SteadyTimer final : public Clock::Timer {
 public:
  explicit SteadyTimer(std::shared_ptr<TimerState> state) : state_(std::move(state)) {}
  ~SteadyTimer() override { state_->Disarm(); }
  SteadyTimer(const SteadyTimer&) = delete;
  SteadyTimer& operator=(const SteadyTimer&) = delete;

  void Arm(Instant when) override { state_->Arm(when); }
  void Disarm() noexcept override { state_->Disarm(); }

 private:
  const std::shared_ptr<TimerState> state_;
};

class SteadyClock final : public Clock {
 public:
  [[nodiscard]] Instant Now() const noexcept override { return ToInstant(steady_clock::now()); }

  [[nodiscard]] std::uint64_t WallMilliseconds() const noexcept override {
    const auto since_epoch = system_clock::now().time_since_epoch();
    const auto count = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
    return count > 0 ? static_cast<std::uint64_t>(count) : 0;
  }

  [[nodiscard]] std::unique_ptr<Timer> CreateTimer(boost::asio::any_io_executor executor,
                                                   std::weak_ptr<Sink> sink) override {
    return std::make_unique<SteadyTimer>(
        std::make_shared<TimerState>(std::move(executor), std::move(sink)));
  }
};

}  // namespace

std::shared_ptr<Clock> MakeSteadyClock() { return std::make_shared<SteadyClock>(); }

}  // namespace kommander
