// Threads that wait for work under one lock. Counts who sleeps and who has been called already, so
// that a burst of arrivals makes one system call per thread and none while all are busy.
#pragma once

#include <condition_variable>
#include <cstddef>

#include <kommander/detail/mutex.hpp>

namespace kommander::runtime {

class Sleepers {
 public:
  // Until called; whoever waits looks for work afterwards, and may find none.
  void Wait(detail::MutexLock& lock) {
    ++asleep_;
    condition_.wait(lock.native());
    // Whoever wakes uses a call up, also when it finds nothing: one too few in the count costs an
    // extra wake, one too many would leave a sleeper uncalled.
    --asleep_;
    if (called_ > 0) --called_;
  }
  // With the lock: true when somebody is to be called, by Wake, once the lock is released.
  [[nodiscard]] bool Call() noexcept {
    if (called_ >= asleep_) return false;
    ++called_;
    return true;
  }
  void Wake() noexcept { condition_.notify_one(); }
  void WakeAll() noexcept { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
  std::size_t asleep_ = 0;
  std::size_t called_ = 0;
};

}  // namespace kommander::runtime
