// A queue in one block of memory with random access: what std::deque is, without its allocation per
// few elements and its half KiB when empty. Grows by doubling, shrinks only when told to.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <kommander/assert.hpp>

namespace kommander::raft {

template <class T>
class Ring {
 public:
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return slots_.size(); }
  [[nodiscard]] T& operator[](std::size_t position) noexcept { return slots_[Slot(position)]; }
  [[nodiscard]] const T& operator[](std::size_t position) const noexcept {
    return slots_[Slot(position)];
  }
  [[nodiscard]] T& front() noexcept { return slots_[head_]; }
  [[nodiscard]] const T& front() const noexcept { return slots_[head_]; }
  [[nodiscard]] T& back() noexcept { return slots_[Slot(count_ - 1)]; }
  [[nodiscard]] const T& back() const noexcept { return slots_[Slot(count_ - 1)]; }

  void push_back(T value) {
    if (count_ == slots_.size()) Reallocate(count_ == 0 ? kCapacityMin : 2 * count_);
    slots_[Slot(count_)] = std::move(value);
    ++count_;
  }
  void pop_front() noexcept {
    slots_[head_] = T();
    head_ = (head_ + 1) & (slots_.size() - 1);
    --count_;
  }
  void pop_back() noexcept {
    slots_[Slot(count_ - 1)] = T();
    --count_;
  }
  void clear() noexcept {
    while (count_ != 0) pop_back();
    head_ = 0;
  }
  // Gives memory back down to what `wanted` elements need, or what is inside needs.
  void Shrink(std::size_t wanted) {
    std::size_t capacity = kCapacityMin;
    while (capacity < wanted || capacity < count_) capacity *= 2;
    if (count_ == 0 && wanted == 0) capacity = 0;
    if (capacity < slots_.size()) Reallocate(capacity);
  }

 private:
  static constexpr std::size_t kCapacityMin = 8;

  [[nodiscard]] std::size_t Slot(std::size_t position) const noexcept {
    return (head_ + position) & (slots_.size() - 1);
  }
  void Reallocate(std::size_t capacity) {
    std::vector<T> slots(capacity);
    for (std::size_t i = 0; i < count_; ++i) slots[i] = std::move(slots_[Slot(i)]);
    slots_ = std::move(slots);
    head_ = 0;
  }

  std::vector<T> slots_;  // a power of two, or empty
  std::size_t head_ = 0;
  std::size_t count_ = 0;
};

}  // namespace kommander::raft
