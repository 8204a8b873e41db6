// The core's only chance: a small seeded generator (splitmix64, Steele et al. 2014). Our own,
// because the distributions of <random> give different numbers in different standard libraries and
// a failing run must be a seed everywhere.
#pragma once

#include <cstdint>

namespace kommander::raft {

class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  [[nodiscard]] std::uint64_t Next() noexcept {
    state_ += 0x9E3779B97F4A7C15u;
    return Mix(state_);
  }
  // Uniform in [0, bound); bound > 0. With rejection, so without bias.
  [[nodiscard]] std::uint64_t Below(std::uint64_t bound) noexcept {
    const std::uint64_t threshold = (0 - bound) % bound;
    while (true) {
      const std::uint64_t value = Next();
      if (value >= threshold) return value % bound;
    }
  }
  // Spreads the bits of `value`; for mixing several sources into one seed.
  [[nodiscard]] static std::uint64_t Mix(std::uint64_t value) noexcept {
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
  }

 private:
  std::uint64_t state_;
};

}  // namespace kommander::raft
