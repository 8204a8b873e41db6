// The threads of the library that may block: those of the I/O scheduler.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <kommander/errors.hpp>

namespace kommander::platform {

// A group of named threads that ends together. The group itself is used by one thread at a time.
// Threads of the group block signals sent to the process, so that the application's handlers run on
// its own.
class IoThreads {
 public:
  IoThreads();
  // JoinAll.
  ~IoThreads();
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;

  // Runs `body`, which must not throw, on a new thread. Debuggers and `top -H` show the first 15
  // bytes of the name. An error (resource_unavailable_try_again) when the system gives no thread.
  error_code Start(const std::string& name, std::function<void()> body);

  // Waits for every thread to end. One that calls this itself is let go instead: it must own what
  // it still uses.
  void JoinAll() noexcept;

  [[nodiscard]] std::size_t size() const noexcept;

 private:
  class Thread;
  std::vector<Thread> threads_;
};

}  // namespace kommander::platform
