// The hybrid logical clock that tickets are drawn from (Kulkarni et al. 2014).
#pragma once

#include <atomic>
#include <cstdint>

#include <kommander/time.hpp>

namespace kommander::runtime {

// Thread-safe. Physical milliseconds (42 bits) and counter (22 bits) live in one word, and a stamp
// is returned only after it has been installed, so no stamp is ever handed out twice; a counter
// that overflows carries into the milliseconds.
class HybridClock {
 public:
  explicit HybridClock(NodeId node) noexcept : node_(node) {}

  // A stamp greater than every one drawn or merged before.
  [[nodiscard]] HlcTimestamp Draw(std::uint64_t wall_ms) noexcept {
    const std::uint64_t wall = wall_ms << kCounterBits;
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    std::uint64_t next = 0;
    do {
      next = wall > seen ? wall : seen + 1;
    } while (!word_.compare_exchange_weak(seen, next, std::memory_order_acq_rel));
    return Unpack(next);
  }

  // Later stamps are greater than `stamp`.
  void Merge(HlcTimestamp stamp) noexcept {
    const std::uint64_t other = (stamp.physical_ms() << kCounterBits) | stamp.counter();
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    while (seen < other && !word_.compare_exchange_weak(seen, other, std::memory_order_acq_rel)) {
    }
  }

 private:
  static constexpr unsigned kCounterBits = 22;
  [[nodiscard]] HlcTimestamp Unpack(std::uint64_t word) const noexcept {
    return {word >> kCounterBits,
            static_cast<std::uint32_t>(word & ((std::uint64_t{1} << kCounterBits) - 1)), node_};
  }

  const NodeId node_;
  std::atomic<std::uint64_t> word_{0};
};

}  // namespace kommander::runtime
