// A client of the application, as Scenario::RunClient is given it: it calls nodes as if over a
// network, waits in virtual time, and has chance of its own.
//
//   while (client.IsLoadWanted()) {
//     const NodeId node = client.PickNode(1);
//     const Reply<std::int64_t> sum = co_await client.Call(node, &Counter::Add, std::int64_t{1});
//     if (sum) ...; else if (IsOutcomeUnknown(sum.error())) ...
//     co_await client.Sleep(client.random().Between(1ms, 50ms));
//   }
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/system/result.hpp>

#include <kommander/errors.hpp>
#include <kommander/testing/cluster.hpp>

namespace kommander::testing {

// What a call came to: a value, or why there is none.
template <class T>
using Reply = boost::system::result<T>;

template <class Application>
class Client {
 public:
  explicit Client(std::shared_ptr<detail::ClientState> state) : state_(std::move(state)) {}

  // 0, 1, ...
  [[nodiscard]] std::uint32_t number() const noexcept { return state_->number; }
  [[nodiscard]] Random& random() noexcept { return state_->random; }
  // False once a client should come to its end.
  [[nodiscard]] bool IsLoadWanted() const noexcept { return state_->cluster.IsLoadWanted(); }
  [[nodiscard]] Instant Now() const noexcept { return state_->cluster.Now(); }
  [[nodiscard]] std::uint32_t partitions() const noexcept { return state_->cluster.partitions(); }
  [[nodiscard]] boost::asio::awaitable<void> Sleep(Duration duration) {
    return state_->cluster.Sleep(duration);
  }

  // Any node, running or not.
  [[nodiscard]] NodeId PickNode() {
    detail::Cluster& cluster = state_->cluster;
    return cluster.NodeAt(state_->random.Below(cluster.machines()));
  }
  // Mostly one that leads the partition, or believes so; now and then any.
  [[nodiscard]] NodeId PickNode(PartitionId partition) {
    const NodeId any = PickNode();
    const NodeId leader = state_->cluster.LeaderOf(partition);
    return leader == NodeId() || state_->random.OneIn(4) ? any : leader;
  }

  // Runs a coroutine member of the application on the node, and ends with what it returns. A
  // system_error that it throws ends the call with its code. NodeIsNotReady: the node is down, and
  // nothing has happened. OutcomeUnknown: the node died, or there was no answer in time; the
  // coroutine may have run, may be running yet, or may never run.
  template <class T, class... Parameters, class... Arguments>
  [[nodiscard]] boost::asio::awaitable<Reply<T>> Call(
      NodeId node, boost::asio::awaitable<T> (Application::*method)(Parameters...),
      Arguments... arguments) {
    auto value = std::make_shared<std::optional<Stored<T>>>();
    detail::Cluster::Body body = [method, value, arguments...](void* application) {
      return Invoke<T>(static_cast<Application*>(application), method, value, arguments...);
    };
    const detail::Cluster::Answer answer =
        co_await state_->cluster.Call(node, std::move(body), timeout_);
    if (answer.error) co_return Reply<T>(answer.error);
    if constexpr (std::is_void_v<T>) {
      co_return Reply<T>();
    } else {
      co_return Reply<T>(std::move(**value));
    }
  }
  // Of every call from now on. Default: 5 s.
  void SetTimeout(Duration timeout) noexcept { timeout_ = timeout; }

 private:
  template <class T>
  using Stored = std::conditional_t<std::is_void_v<T>, bool, T>;

  template <class T, class Method, class... Arguments>
  static boost::asio::awaitable<void> Invoke(Application* application, Method method,
                                             std::shared_ptr<std::optional<Stored<T>>> value,
                                             Arguments... arguments) {
    if constexpr (std::is_void_v<T>) {
      co_await (application->*method)(std::move(arguments)...);
    } else {
      value->emplace(co_await (application->*method)(std::move(arguments)...));
    }
  }

  std::shared_ptr<detail::ClientState> state_;
  Duration timeout_ = std::chrono::seconds(5);
};

}  // namespace kommander::testing
