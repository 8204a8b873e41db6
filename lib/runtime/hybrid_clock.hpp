// The hybrid logical clock that tickets are drawn from (Kulkarni et al. 2014).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>

#include <kommander/time.hpp>

#include "mutants/mutants.hpp"

namespace kommander::runtime {

// Thread-safe. Milliseconds and counter live in one word, and a stamp is returned only after it has
// been installed, so no stamp is ever handed out twice; a counter that overflows carries into the
// milliseconds, and while the clock is ahead of the wall it counts on.
class HybridClock {
 public:
  explicit HybridClock(NodeId node) noexcept : node_(node) {}

  // A stamp greater than every one drawn or merged before.
  [[nodiscard]] HlcTimestamp Draw(std::uint64_t wall_ms) noexcept {
    const std::uint64_t wall = wall_ms << HlcTimestamp::kCounterBits;
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    std::uint64_t next = 0;
    do {
      next = wall > seen ? wall : seen + 1;
      if (KOMMANDER_MUTANT(ticket_before_installed)) {
        if (next % 64 == 0) std::this_thread::yield();  // where it shows
        word_.store(next, std::memory_order_relaxed);
        break;
      }
    } while (!word_.compare_exchange_weak(seen, next, std::memory_order_acq_rel));
    return HlcTimestamp::FromWord(next, node_);
  }

  // What a message says of this clock: no less than any stamp drawn or merged before.
  [[nodiscard]] HlcTimestamp Now(std::uint64_t wall_ms) const noexcept {
    const std::uint64_t wall = wall_ms << HlcTimestamp::kCounterBits;
    return HlcTimestamp::FromWord(std::max(wall, word_.load(std::memory_order_relaxed)), node_);
  }

  // Later stamps are greater than `stamp`, which a log or a snapshot holds.
  void Merge(const HlcTimestamp& stamp) noexcept {
    const std::uint64_t other = stamp.word();
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    while (seen < other && !word_.compare_exchange_weak(seen, other, std::memory_order_acq_rel)) {
    }
  }

  // The same for the stamp of a message. False, and not merged: it lies further ahead of this
  // node's wall clock than `ahead_ms_max`, so the sender's clock is wrong, and would be
  // everybody's.
  [[nodiscard]] bool MergeMessage(const HlcTimestamp& stamp, std::uint64_t wall_ms,
                                  std::uint64_t ahead_ms_max) noexcept {
    const bool is_ahead = stamp.physical_ms() > wall_ms + ahead_ms_max;
    if (is_ahead && !KOMMANDER_MUTANT(stamp_far_ahead_merged)) return false;
    if (!KOMMANDER_MUTANT(message_stamp_not_merged)) Merge(stamp);
    return true;
  }

 private:
  const NodeId node_;
  std::atomic<std::uint64_t> word_{0};
};

}  // namespace kommander::runtime
