// Time as values. No clock is read here; see clock.hpp for where instants come from.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

#include <kommander/ids.hpp>

namespace kommander {

// Every length of time is signed, in nanoseconds.
using Duration = std::chrono::nanoseconds;

// The clock that instants belong to: monotonic, epoch unspecified. It cannot be read by itself.
struct MonotonicClock {
  MonotonicClock() = delete;
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};
// A point in time of a Clock.
using Instant = MonotonicClock::time_point;

// Later than everything.
inline constexpr Instant kNever = Instant::max();

// A stamp of the hybrid logical clock (Kulkarni et al. 2014): wall milliseconds, a counter for
// events of the same millisecond, the node that drew it. Totally ordered in that order. All zero:
// no stamp. The ticket of a proposal is such a stamp.
class HlcTimestamp {
 public:
  constexpr HlcTimestamp() noexcept = default;
  constexpr HlcTimestamp(std::uint64_t physical_ms, std::uint32_t counter, NodeId node) noexcept
      : physical_ms_(physical_ms), counter_(counter), node_(node) {}
  // The bits that milliseconds and counter have room for where they share one word.
  static constexpr unsigned kPhysicalBits = 42;
  static constexpr unsigned kCounterBits = 22;
  // Milliseconds above the counter. A word of 0 is no stamp, whatever the node.
  [[nodiscard]] constexpr std::uint64_t word() const noexcept {
    return (physical_ms_ << kCounterBits) | counter_;
  }
  [[nodiscard]] static constexpr HlcTimestamp FromWord(std::uint64_t word, NodeId node) noexcept {
    if (word == 0) return {};
    constexpr std::uint64_t kCounterMask = (std::uint64_t{1} << kCounterBits) - 1;
    return {word >> kCounterBits, static_cast<std::uint32_t>(word & kCounterMask), node};
  }
  // Whether word() loses nothing.
  [[nodiscard]] constexpr bool FitsWord() const noexcept {
    return physical_ms_ >> kPhysicalBits == 0 && counter_ >> kCounterBits == 0;
  }
  [[nodiscard]] constexpr std::uint64_t physical_ms() const noexcept { return physical_ms_; }
  [[nodiscard]] constexpr std::uint32_t counter() const noexcept { return counter_; }
  [[nodiscard]] constexpr NodeId node() const noexcept { return node_; }
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return physical_ms_ != 0; }
  friend constexpr auto operator<=>(const HlcTimestamp&, const HlcTimestamp&) noexcept = default;
  friend constexpr bool operator==(const HlcTimestamp&, const HlcTimestamp&) noexcept = default;

 private:
  std::uint64_t physical_ms_ = 0;
  std::uint32_t counter_ = 0;
  NodeId node_;
};

// What a proposal in two phases is known by.
using Ticket = HlcTimestamp;

}  // namespace kommander
