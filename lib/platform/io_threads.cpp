// The only place that makes threads.
#include "platform/io_threads.hpp"

#include <pthread.h>
#include <signal.h>
#include <system_error>
#include <thread>
#include <utility>

namespace kommander::platform {
namespace {

constexpr std::size_t kThreadNameBytesMax = 15;  // of the kernel

// New threads inherit the mask of the one that makes them. What a thread raises by its own fault,
// and a profiler's tick, must still reach it.
class SignalBlock {
 public:
  SignalBlock() noexcept {
    sigset_t others;
    sigfillset(&others);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF}) {
      sigdelset(&others, own);
    }
    blocked_ = pthread_sigmask(SIG_SETMASK, &others, &before_) == 0;
  }
  ~SignalBlock() {
    if (blocked_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SignalBlock(const SignalBlock&) = delete;
  SignalBlock& operator=(const SignalBlock&) = delete;

 private:
  sigset_t before_{};
  bool blocked_ = false;
};

}  // namespace

class IoThreads::Thread {
 public:
  explicit Thread(std::thread thread) noexcept : thread_(std::move(thread)) {}
  std::thread& get() noexcept { return thread_; }

 private:
  std::thread thread_;
};

IoThreads::IoThreads() = default;
IoThreads::~IoThreads() { JoinAll(); }

error_code IoThreads::Start(const std::string& name, std::function<void()> body) {
  try {
    threads_.reserve(threads_.size() + 1);  // so that a running thread is never lost
    const SignalBlock block;
    threads_.emplace_back(
        std::thread([name = name.substr(0, kThreadNameBytesMax), body = std::move(body)]() {
          // A thread without a name works as well.
          static_cast<void>(pthread_setname_np(pthread_self(), name.c_str()));
          body();
        }));
    return {};
  } catch (const std::system_error& error) {
    return {error.code().value(), boost::system::system_category()};
  }
}

void IoThreads::JoinAll() noexcept {
  for (Thread& entry : threads_) {
    std::thread& thread = entry.get();
    if (!thread.joinable()) continue;
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
  threads_.clear();
}

std::size_t IoThreads::size() const noexcept { return threads_.size(); }

}  // namespace kommander::platform
