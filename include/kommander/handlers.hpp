// The application's handlers. Each may be a plain function or a coroutine; both kinds are
// registered with the same call, before JoinCluster.
//
// Handlers of one partition never overlap; those of different partitions may. They run on the
// executor given to RaftManager, never on anything of the library's. A handler of entries that
// returns false or throws raises OnReplicationError and does not stop the order; of any other one
// that is logged (handler_failed).
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>

namespace kommander {

namespace detail {
template <class T>
struct IsAwaitable : std::false_type {};
template <class T, class Executor>
struct IsAwaitable<boost::asio::awaitable<T, Executor>> : std::true_type {};
}  // namespace detail

// A function of Arguments that returns bool or nothing (nothing means true), or a coroutine
// awaitable<bool> or awaitable<void>. Arguments are passed by value to coroutines.
template <class... Arguments>
class Handler {
 public:
  Handler() = default;
  template <class Function>
  requires(!std::is_same_v<std::decay_t<Function>, Handler> &&
           std::is_invocable_v<Function&, Arguments...>)
      Handler(Function function) {  // NOLINT: by intent
    using Result = std::invoke_result_t<Function&, Arguments...>;
    if constexpr (detail::IsAwaitable<Result>::value) {
      coroutine_ = [function = std::move(function)](Arguments... arguments) mutable {
        return Adapt(function(std::move(arguments)...));
      };
    } else if constexpr (std::is_void_v<Result>) {
      plain_ = [function = std::move(function)](const Arguments&... arguments) mutable {
        function(arguments...);
        return true;
      };
    } else {
      plain_ = std::move(function);
    }
  }
  [[nodiscard]] explicit operator bool() const noexcept { return plain_ || coroutine_; }
  [[nodiscard]] bool IsCoroutine() const noexcept { return static_cast<bool>(coroutine_); }
  bool Call(const Arguments&... arguments) const { return plain_(arguments...); }
  boost::asio::awaitable<bool> Spawn(Arguments... arguments) const {
    return coroutine_(std::move(arguments)...);
  }

 private:
  static boost::asio::awaitable<bool> Adapt(boost::asio::awaitable<bool> awaitable) {
    return awaitable;
  }
  static boost::asio::awaitable<bool> Adapt(boost::asio::awaitable<void> awaitable) {
    co_await std::move(awaitable);
    co_return true;
  }
  std::function<bool(const Arguments&...)> plain_;
  std::function<boost::asio::awaitable<bool>(Arguments...)> coroutine_;
};

}  // namespace kommander
