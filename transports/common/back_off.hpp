// The pauses between attempts to reach a peer: doubling, bounded, and jittered, so that nodes that
// lost each other at one instant do not return at one instant.
#pragma once

#include <algorithm>
#include <cstdint>

#include <kommander/time.hpp>

namespace kommander::transports {

// SplitMix64 (Steele, Lea, Flood 2014): all that jitter needs of a generator.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) noexcept : state_(seed) {}
  [[nodiscard]] std::uint64_t Next() noexcept {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // Uniform in [0, 1).
  [[nodiscard]] double Fraction() noexcept { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  // Uniform in [least, most].
  [[nodiscard]] Duration Between(Duration least, Duration most) noexcept {
    if (most <= least) return least;
    const auto span = static_cast<std::uint64_t>((most - least).count()) + 1;
    return least + Duration(static_cast<Duration::rep>(Next() % span));
  }

 private:
  std::uint64_t state_;
};

class BackOff {
 public:
  BackOff(Duration least, Duration most, std::uint64_t seed) noexcept
      : least_(std::max(least, Duration(1))), most_(std::max(most, least_)), chance_(seed) {}
  // The next pause: uniform in the upper half of a bound that doubles from `least` to `most`.
  [[nodiscard]] Duration Next() noexcept {
    const Duration bound = bound_ == Duration{} ? least_ : bound_;
    bound_ = bound > most_ / 2 ? most_ : bound * 2;
    return chance_.Between(bound / 2, bound);
  }
  void Reset() noexcept { bound_ = Duration{}; }

 private:
  Duration least_;
  Duration most_;
  Duration bound_{};
  Chance chance_;
};

}  // namespace kommander::transports
