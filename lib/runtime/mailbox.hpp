// Where everything that happens to a partition waits for its actor: many producers, one consumer,
// swapped out whole, at most one pending wake-up. Bounded: callers' requests and peers' messages
// have a place each or are refused; what the node itself owes (completions, cancels, stop) always
// fits, because each of them answers something that had a place before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>

#include <kommander/detail/mutex.hpp>

namespace kommander::runtime {

enum class Pushed : std::uint8_t { kAccepted, kFull, kClosed };

struct MailboxLimits {
  std::size_t requests_max = 4096;
  std::size_t request_bytes_max = 64u << 20;
  std::size_t messages_max = 4096;
  std::size_t message_bytes_max = 64u << 20;
};

template <class Event>
class Mailbox {
 public:
  // The consumer waits on `executor`; wake-ups are posted there.
  Mailbox(boost::asio::any_io_executor executor, MailboxLimits limits)
      : executor_(std::move(executor)), limits_(limits) {}

  // A caller's request, moved from when it is accepted, else untouched; `bytes` count against the
  // lane until the actor takes it.
  Pushed PushRequest(Event& event, std::size_t bytes) {
    detail::MutexLock lock(mutex_);
    if (closed_) return Pushed::kClosed;
    if (requests_ >= limits_.requests_max ||
        (requests_ > 0 && request_bytes_ + bytes > limits_.request_bytes_max)) {
      return Pushed::kFull;
    }
    ++requests_;
    request_bytes_ += bytes;
    data_.push_back(std::move(event));
    const auto waiter = TakeWaiter();
    lock.Unlock();
    if (waiter) waiter->Resume();
    return Pushed::kAccepted;
  }

  // Messages of a peer, in order, `bytes_of(*first)` bytes each; those that find no place are
  // dropped, and their number is returned. A lane without any takes one of any size.
  template <class Iterator, class BytesOf>
  std::size_t PushMessages(Iterator first, Iterator last, BytesOf bytes_of) {
    detail::MutexLock lock(mutex_);
    std::size_t dropped = 0;
    for (; first != last; ++first) {
      const std::size_t bytes = bytes_of(*first);
      if (closed_ || messages_ >= limits_.messages_max ||
          (messages_ > 0 && message_bytes_ + bytes > limits_.message_bytes_max)) {
        ++dropped;
        continue;
      }
      ++messages_;
      message_bytes_ += bytes;
      data_.push_back(Event(std::move(*first)));
    }
    const auto waiter = TakeWaiter();
    lock.Unlock();
    if (waiter) waiter->Resume();
    return dropped;
  }

  // What the node owes to this partition; taken before the rest.
  Pushed PushControl(Event&& event) {
    detail::MutexLock lock(mutex_);
    if (closed_) return Pushed::kClosed;
    control_.push_back(std::move(event));
    const auto waiter = TakeWaiter();
    lock.Unlock();
    if (waiter) waiter->Resume();
    return Pushed::kAccepted;
  }

  // Hands over everything there is, control first, and says how many bytes of requests that were.
  // The vectors' capacity comes back as storage.
  std::size_t Take(std::vector<Event>& control, std::vector<Event>& data) {
    control.clear();
    data.clear();
    const detail::MutexLock lock(mutex_);
    control_.swap(control);
    data_.swap(data);
    requests_ = messages_ = message_bytes_ = 0;
    return std::exchange(request_bytes_, 0);
  }

  // Refuses everything from now on. What is inside stays for a last Take.
  void Close() {
    const detail::MutexLock lock(mutex_);
    closed_ = true;
  }

  // void(). Completes when something is there to take. One waiter at a time.
  template <class Token>
  auto Wait(Token&& token) {
    return boost::asio::async_initiate<Token, void()>(
        [this](auto handler) {
          using Handler = std::decay_t<decltype(handler)>;
          auto waiting = std::make_unique<WaiterFor<Handler>>(std::move(handler), executor_);
          detail::MutexLock lock(mutex_);
          waiter_ = std::move(waiting);
          const auto waiter = TakeWaiter();
          lock.Unlock();
          if (waiter) waiter->Resume();
        },
        token);
  }

 private:
  struct Waiter {
    virtual ~Waiter() = default;
    virtual void Resume() = 0;
  };
  template <class Handler>
  struct WaiterFor final : Waiter {
    WaiterFor(Handler&& waiting, boost::asio::any_io_executor where)
        : handler(std::move(waiting)), executor(std::move(where)) {}
    void Resume() override {
      boost::asio::post(executor,
                        [resumed = std::move(handler)]() mutable { std::move(resumed)(); });
    }
    Handler handler;
    boost::asio::any_io_executor executor;
  };

  // Who is to be resumed, once the mutex is free; null when nobody waits, or for nothing yet.
  [[nodiscard]] std::unique_ptr<Waiter> TakeWaiter() KOMMANDER_REQUIRES(mutex_) {
    if (control_.empty() && data_.empty()) return nullptr;
    return std::move(waiter_);
  }

  boost::asio::any_io_executor executor_;
  const MailboxLimits limits_;
  detail::Mutex mutex_;
  std::vector<Event> control_ KOMMANDER_GUARDED_BY(mutex_);
  std::vector<Event> data_ KOMMANDER_GUARDED_BY(mutex_);
  std::size_t requests_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  std::size_t request_bytes_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  std::size_t messages_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  std::size_t message_bytes_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  bool closed_ KOMMANDER_GUARDED_BY(mutex_) = false;
  std::unique_ptr<Waiter> waiter_ KOMMANDER_GUARDED_BY(mutex_);
};

}  // namespace kommander::runtime
