// Bytes that all partitions of a node hold together for callers that wait for them.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace kommander::runtime {

class ByteBudget {
 public:
  // False: they would go beyond the bound. An empty budget takes any number; nothing is taken by
  // what weighs nothing. Thread-safe.
  [[nodiscard]] bool Take(std::size_t bytes, std::size_t bytes_max) noexcept {
    if (bytes == 0) return true;
    const std::size_t before = held_.fetch_add(bytes, std::memory_order_relaxed);
    if (before == 0 || before + bytes <= bytes_max) return true;
    Return(bytes);
    return false;
  }
  void Return(std::size_t bytes) noexcept { held_.fetch_sub(bytes, std::memory_order_relaxed); }
  // What somebody holds has changed, and was admitted before.
  void Change(std::size_t before, std::size_t after) noexcept {
    held_.fetch_add(after - before, std::memory_order_relaxed);
  }
  [[nodiscard]] std::size_t held() const noexcept { return held_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> held_{0};
};

// Bytes of a budget that are somebody's for as long as this lives, which is not longer than the
// budget.
class ByteShare {
 public:
  ByteShare() = default;
  // They were admitted before.
  ByteShare(ByteBudget& budget, std::size_t bytes) noexcept : budget_(&budget), bytes_(bytes) {
    budget.Change(0, bytes);
  }
  ByteShare(ByteShare&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
  ByteShare& operator=(ByteShare&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~ByteShare() {
    if (budget_ != nullptr) budget_->Return(bytes_);
  }

 private:
  ByteBudget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace kommander::runtime
