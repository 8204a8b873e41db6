// All chance of a simulated run: a small generator, because the distributions of the standard
// library differ between implementations and a seed must mean the same everywhere. Every part of a
// run forks a stream of its own, so that one more draw here changes nothing there.
//
// An application under test that wants chance takes it from here (Node::random) or from any
// generator that it seeds from here; anything else would make its failures unrepeatable.
#pragma once

#include <cstdint>

#include <kommander/time.hpp>

namespace kommander::testing {

class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) word = SplitMix(seed);
  }

  // xoshiro256++ (Blackman and Vigna 2019).
  std::uint64_t Next() noexcept {
    const std::uint64_t result = Rotate(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = Rotate(state_[3], 45);
    return result;
  }
  // Uniform in [0, bound); 0 for a bound of 0.
  std::uint64_t Below(std::uint64_t bound) noexcept {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(Next()) * bound) >> 64);
  }
  // Uniform in [low, high].
  std::uint64_t Between(std::uint64_t low, std::uint64_t high) noexcept {
    return low + Below(high - low + 1);
  }
  Duration Between(Duration low, Duration high) noexcept {
    return low + Duration(static_cast<Duration::rep>(
                     Below(static_cast<std::uint64_t>((high - low).count()) + 1)));
  }
  // True `permille` times of a thousand.
  bool Permille(std::uint32_t permille) noexcept { return Below(1000) < permille; }
  bool OneIn(std::uint64_t count) noexcept { return Below(count) == 0; }

  // A stream of its own for another part of the world.
  [[nodiscard]] Random Fork(std::uint64_t salt) const noexcept {
    std::uint64_t mixed = state_[0] ^ (state_[2] * 0x9e3779b97f4a7c15u) ^ salt;
    return Random(SplitMix(mixed));
  }

 private:
  static constexpr std::uint64_t Rotate(std::uint64_t word, int bits) noexcept {
    return (word << bits) | (word >> (64 - bits));
  }
  static std::uint64_t SplitMix(std::uint64_t& state) noexcept {
    state += 0x9e3779b97f4a7c15u;
    std::uint64_t word = state;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
    return word ^ (word >> 31);
  }
  std::uint64_t state_[4];
};

}  // namespace kommander::testing
