// One function that waits for its turn in a world, in pooled memory: a simulated second runs
// thousands of them, and an allocation each would be most of their cost.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "timer_heap.hpp"

namespace kommander::sim {

class ProcessRecord;

// Waits in the ready list, in a paused process, or as a timer that moves it to the ready list.
struct Task : TimerEntry {
  enum class Action { kRun, kDrop };
  Task(ProcessRecord& record, void (*when_due)(TimerEntry*), void (*function)(Task*, Action),
       std::uint32_t size_class_index) noexcept
      : TimerEntry(when_due), process(&record), act(function), size_class(size_class_index) {}
  ProcessRecord* process;
  void (*act)(Task*, Action);  // frees the task, then runs or drops the function
  std::uint32_t size_class;
};

// Free lists by size. Not thread-safe: a world has one thread.
class TaskPool {
 public:
  TaskPool() = default;
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;
  ~TaskPool() {
    for (auto& list : free_) {
      for (void* memory : list) ::operator delete(memory);
    }
  }
  static constexpr std::uint32_t ClassOf(std::size_t bytes) noexcept {
    std::uint32_t index = 0;
    while (index < kClasses && (kSmallest << index) < bytes) ++index;
    return index;  // kClasses: larger than every class
  }
  void* Allocate(std::size_t bytes, std::uint32_t size_class) {
    if (size_class >= kClasses) return ::operator new(bytes);
    auto& list = free_[size_class];
    if (list.empty()) return ::operator new(kSmallest << size_class);
    void* memory = list.back();
    list.pop_back();
    return memory;
  }
  void Free(void* memory, std::uint32_t size_class) {
    if (size_class >= kClasses) {
      ::operator delete(memory);
    } else {
      free_[size_class].push_back(memory);
    }
  }

 private:
  static constexpr std::size_t kSmallest = 64;
  static constexpr std::uint32_t kClasses = 6;  // 64 .. 2,048 bytes
  std::array<std::vector<void*>, kClasses> free_;
};

}  // namespace kommander::sim
