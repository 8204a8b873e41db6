// What became of one asynchronous call: its answer, how often it came, and where. The token may be
// handed to any thread; the rest belongs to the test's thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>

#include <kommander/errors.hpp>

#include "catch.hpp"
#include "support/patience.hpp"

namespace kommander::test {

// The result of calls that have none.
struct Nothing {};

template <class Result = Nothing>
class Answer {
 public:
  Answer() : state_(std::make_shared<State>()) {}
  // `probe` runs inside the completion: true marks it as having come where it must not.
  explicit Answer(std::function<bool()> probe) : Answer() { state_->probe = std::move(probe); }

  // A completion handler for one call.
  [[nodiscard]] auto Token() const {
    return [state = state_](error_code error, Result result = Result()) {
      const bool is_misplaced = state->probe && state->probe();
      const std::lock_guard lock(state->mutex);
      ++state->count;
      state->error = error;
      state->result = std::move(result);
      state->is_misplaced = state->is_misplaced || is_misplaced;
      state->changed.notify_all();
    };
  }
  [[nodiscard]] auto Token(boost::asio::cancellation_slot slot) const {
    return boost::asio::bind_cancellation_slot(slot, Token());
  }

  [[nodiscard]] bool HasCome() const { return count() > 0; }
  // How often; anything but 1 in the end is a bug.
  [[nodiscard]] int count() const {
    const std::lock_guard lock(state_->mutex);
    return state_->count;
  }
  [[nodiscard]] bool IsMisplaced() const {
    const std::lock_guard lock(state_->mutex);
    return state_->is_misplaced;
  }
  [[nodiscard]] error_code error() const {
    const std::lock_guard lock(state_->mutex);
    return state_->error;
  }
  [[nodiscard]] Result result() const {
    const std::lock_guard lock(state_->mutex);
    return state_->result;
  }

  // Waits on another thread's context. Fails the test when nothing comes.
  error_code Wait() const {
    std::unique_lock lock(state_->mutex);
    const bool has_come =
        state_->changed.wait_for(lock, kPatience, [this] { return state_->count > 0; });
    if (!has_come) {
      lock.unlock();
      FAIL("a call was never answered");
    }
    return state_->error;
  }
  // For calls that have to succeed.
  Result Get() const {
    const error_code error = Wait();
    INFO(error.message());
    REQUIRE_FALSE(error);
    return result();
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::function<bool()> probe;
    int count = 0;
    bool is_misplaced = false;
    error_code error;
    Result result{};
  };
  std::shared_ptr<State> state_;
};

}  // namespace kommander::test
