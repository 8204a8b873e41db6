// Notices that the store's volume runs full before a write does, since a write that meets a full
// disk costs the node its storage until it is restarted.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include <kommander/clock.hpp>
#include <kommander/wal.hpp>

#include "mutants/mutants.hpp"
#include "runtime/io_scheduler_options.hpp"

namespace kommander::runtime {

class DiskWatch {
 public:
  DiskWatch(const IoSchedulerOptions& options, std::shared_ptr<const Clock> clock)
      : options_(options), clock_(std::move(clock)) {}

  // From any thread.
  [[nodiscard]] bool IsFull() const noexcept { return full_.load(std::memory_order_relaxed); }
  // From any thread: the last look is old enough for another one.
  [[nodiscard]] bool IsDue() const noexcept {
    return clock_->Now().time_since_epoch().count() >= next_look_.load(std::memory_order_relaxed);
  }

  // From a writer's thread, with no write of its own running; `bytes_written` since its last call.
  // Writers of several file sets may come at once: one of them looks.
  void Look(const Wal& wal, std::uint64_t bytes_written) noexcept {
    if (options_.free_bytes_min == 0) return;
    const std::uint64_t unseen =
        unseen_bytes_.fetch_add(bytes_written, std::memory_order_relaxed) + bytes_written;
    if (unseen < options_.free_check_bytes && !IsDue()) return;
    if (is_looking_.exchange(true, std::memory_order_acquire)) return;
    unseen_bytes_.store(0, std::memory_order_relaxed);
    const Instant next = clock_->Now() + options_.free_check_interval;
    next_look_.store(next.time_since_epoch().count(), std::memory_order_relaxed);
    const auto free_bytes = wal.FreeBytes();
    const bool is_full = free_bytes && *free_bytes < options_.free_bytes_min;
    full_.store(is_full && !KOMMANDER_MUTANT(full_disk_unnoticed), std::memory_order_relaxed);
    is_looking_.store(false, std::memory_order_release);
  }

 private:
  const IoSchedulerOptions options_;
  const std::shared_ptr<const Clock> clock_;
  std::atomic<bool> full_{false};
  std::atomic<Duration::rep> next_look_{Duration::min().count()};
  std::atomic<std::uint64_t> unseen_bytes_{0};
  std::atomic<bool> is_looking_{false};
};

}  // namespace kommander::runtime
