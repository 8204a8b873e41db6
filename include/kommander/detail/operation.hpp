// One asynchronous operation of the library: the caller's handler, erased, with what it will be
// told. Boost 1.81's any_completion_handler cannot be moved into a type-erased executor, hence a
// class of our own. Owned by shared pointers; whoever answers it does so once.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/prefer.hpp>

#include <kommander/detail/export.hpp>
#include <kommander/errors.hpp>

namespace kommander::detail {

class Operation;

// Who is told that a caller has cancelled: only enqueues, from any thread.
class KOMMANDER_EXPORT CancelSink {
 public:
  virtual ~CancelSink() = default;
  virtual void OnCancel(std::shared_ptr<Operation> operation) noexcept = 0;
};

class KOMMANDER_EXPORT Operation : public std::enable_shared_from_this<Operation> {
 public:
  explicit Operation(const boost::asio::any_io_executor& executor)
      : executor_(executor),
        work_(boost::asio::prefer(executor, boost::asio::execution::outstanding_work_t::tracked)) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  virtual ~Operation() = default;

  // Calls the handler with the answer. Once, on executor(), never from a strand of the library.
  virtual void Invoke() = 0;

  [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept { return executor_; }

  // The slot's handler ends here, on the caller's side: it marks and wakes, nothing else. A cancel
  // that overtakes the submission is found by the mark. Asked for again, it wakes nobody.
  void RequestCancel(boost::asio::cancellation_type type) {
    const auto bits = static_cast<unsigned>(type);
    if ((cancel_.fetch_or(bits, std::memory_order_acq_rel) & bits) == bits) return;
    if (auto sink = sink_.lock()) sink->OnCancel(shared_from_this());
  }
  [[nodiscard]] boost::asio::cancellation_type cancel_requested() const noexcept {
    return static_cast<boost::asio::cancellation_type>(cancel_.load(std::memory_order_acquire));
  }
  // Before the operation is submitted.
  void SetCancelSink(std::weak_ptr<CancelSink> sink) noexcept { sink_ = std::move(sink); }

  // For the strand that owns the operation, once submitted: its number there, 0 for none.
  std::uint64_t request = 0;
  // What the handler is told first.
  error_code error;

 protected:
  void ReleaseWork() noexcept { work_ = {}; }

 private:
  boost::asio::any_io_executor executor_;
  boost::asio::any_io_executor work_;  // keeps the caller's context running until the answer
  std::weak_ptr<CancelSink> sink_;
  std::atomic<unsigned> cancel_{0};
};

struct NoResult {};

template <class Result>
class TypedOperation : public Operation {
 public:
  using Operation::Operation;
  Result result{};
};

template <class Result>
struct SignatureOf {
  using Type = void(error_code, Result);
};
template <>
struct SignatureOf<NoResult> {
  using Type = void(error_code);
};

template <class Result, class Handler>
class OperationFor final : public TypedOperation<Result> {
 public:
  OperationFor(Handler&& handler, const boost::asio::any_io_executor& executor)
      : TypedOperation<Result>(executor), handler_(std::move(handler)) {}
  void Invoke() override {
    // The operation may be freed by the handler: everything needed is moved out first.
    Handler handler = std::move(*handler_);
    handler_.reset();
    [[maybe_unused]] Result result = std::move(this->result);
    const error_code outcome = this->error;
    this->ReleaseWork();
    if constexpr (std::is_same_v<Result, NoResult>) {
      std::move(handler)(outcome);
    } else {
      std::move(handler)(outcome, std::move(result));
    }
  }

 private:
  std::optional<Handler> handler_;
};

// Wraps `handler` and connects its cancellation slot, on the caller's thread, before any hop.
template <class Result, class Handler>
std::shared_ptr<TypedOperation<Result>> MakeOperation(Handler&& handler,
                                                      const boost::asio::any_io_executor& fallback,
                                                      std::weak_ptr<CancelSink> sink) {
  using Plain = std::decay_t<Handler>;
  const boost::asio::any_io_executor executor =
      boost::asio::get_associated_executor(handler, fallback);
  auto slot = boost::asio::get_associated_cancellation_slot(handler);
  auto allocator = boost::asio::get_associated_allocator(handler);
  auto operation = std::allocate_shared<OperationFor<Result, Plain>>(
      allocator, std::forward<Handler>(handler), executor);
  operation->SetCancelSink(std::move(sink));
  if (slot.is_connected()) {
    slot.assign([weak = std::weak_ptr<Operation>(operation)](boost::asio::cancellation_type type) {
      if (auto locked = weak.lock()) locked->RequestCancel(type);
    });
  }
  return operation;
}

}  // namespace kommander::detail
