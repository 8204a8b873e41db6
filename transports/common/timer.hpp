// A timer of the injected clock that calls a member function of its owner, on the owner's strand.
// Used and ended on that strand only.
#pragma once

#include <memory>
#include <utility>

#include <boost/asio/any_io_executor.hpp>

#include <kommander/clock.hpp>

namespace kommander::transports {

// The owner is held weakly, so a pending timer keeps nothing alive.
template <class Owner>
class Timer {
 public:
  void Arm(Clock& clock, const boost::asio::any_io_executor& strand, std::weak_ptr<Owner> owner,
           void (Owner::*on_timer)(), Duration pause) {
    if (!sink_) {
      sink_ = std::make_shared<Sink>(std::move(owner));
      timer_ = clock.CreateTimer(strand, sink_);
    }
    sink_->on_timer = on_timer;
    timer_->Arm(clock.Now() + pause);
  }
  // What was on its way does not arrive any more.
  void Disarm() noexcept {
    if (!sink_) return;
    sink_->on_timer = nullptr;
    timer_->Disarm();
  }
  void End() noexcept {
    Disarm();
    timer_.reset();
    sink_.reset();
  }

 private:
  struct Sink final : Clock::Sink {
    explicit Sink(std::weak_ptr<Owner> timer_owner) : owner(std::move(timer_owner)) {}
    void OnTimer() noexcept override {
      const auto call = std::exchange(on_timer, nullptr);
      if (call == nullptr) return;
      if (const auto self = owner.lock()) ((*self).*call)();
    }
    const std::weak_ptr<Owner> owner;
    void (Owner::*on_timer)() = nullptr;
  };
  std::shared_ptr<Sink> sink_;
  std::unique_ptr<Clock::Timer> timer_;
};

}  // namespace kommander::transports
