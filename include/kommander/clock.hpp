// Where time comes from. Production uses the steady clock, simulation a virtual one.
#pragma once

#include <cstdint>
#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include <kommander/detail/export.hpp>
#include <kommander/time.hpp>

namespace kommander {

class KOMMANDER_EXPORT Clock {
 public:
  // Told when a timer is due, on the timer's executor.
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void OnTimer() noexcept = 0;
  };

  // One pending instant. Used from one strand only; not thread-safe.
  class Timer {
   public:
    virtual ~Timer() = default;  // disarms
    // Replaces the pending instant. OnTimer runs at most once per Arm, never inside it; one that
    // was already on its way when Arm or Disarm was called may still come.
    virtual void Arm(Instant when) = 0;
    virtual void Disarm() noexcept = 0;
  };

  virtual ~Clock() = default;
  // Monotonic; thread-safe.
  [[nodiscard]] virtual Instant Now() const noexcept = 0;
  // Unix time in milliseconds, for hybrid logical stamps only; may jump; thread-safe.
  [[nodiscard]] virtual std::uint64_t WallMilliseconds() const noexcept = 0;
  // The sink is held weakly: once it is gone nothing is called. Thread-safe.
  [[nodiscard]] virtual std::unique_ptr<Timer> CreateTimer(boost::asio::any_io_executor executor,
                                                           std::weak_ptr<Sink> sink) = 0;
};

}  // namespace kommander
