// Lets handlers of the application in while the manager lives, and none afterwards.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace kommander::runtime {

// Enter and Leave bracket every call of a plain handler and every start or resumption that must not
// outlive the manager. Close waits for those inside on other threads.
class HandlerGate {
 public:
  // Holds the gate open for one handler; false when it is closed. Lives on one thread's stack.
  class Pass {
   public:
    explicit Pass(HandlerGate& gate) noexcept : gate_(gate.Enter() ? &gate : nullptr) {
      previous_ = std::exchange(Innermost(), this);
    }
    ~Pass() {
      Innermost() = previous_;
      if (gate_ != nullptr) gate_->Leave();
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    [[nodiscard]] explicit operator bool() const noexcept { return gate_ != nullptr; }

   private:
    friend class HandlerGate;
    // The passes that this thread is inside of, innermost first.
    static const Pass*& Innermost() noexcept {
      thread_local const Pass* innermost = nullptr;
      return innermost;
    }
    HandlerGate* gate_;
    const Pass* previous_ = nullptr;
  };

  // After it returns no handler starts, and none runs but those that this very thread is inside of
  // (a handler that destroys its manager).
  void Close() noexcept {
    std::uint64_t own = 0;
    for (const Pass* pass = Pass::Innermost(); pass != nullptr; pass = pass->previous_) {
      if (pass->gate_ == this) ++own;
    }
    std::uint64_t state = state_.fetch_or(kClosed, std::memory_order_acq_rel) | kClosed;
    while ((state & ~kClosed) > own) {
      state_.wait(state, std::memory_order_acquire);
      state = state_.load(std::memory_order_acquire);
    }
  }

 private:
  static constexpr std::uint64_t kClosed = std::uint64_t{1} << 63;

  bool Enter() noexcept {
    if ((state_.fetch_add(1, std::memory_order_acq_rel) & kClosed) == 0) return true;
    Leave();
    return false;
  }
  void Leave() noexcept {
    if ((state_.fetch_sub(1, std::memory_order_acq_rel) & kClosed) != 0) state_.notify_all();
  }

  std::atomic<std::uint64_t> state_{0};
};

}  // namespace kommander::runtime
