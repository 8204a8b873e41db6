// What the parts of one REST server share: options, clock, routes, counters, and the list of its
// connections. The list has a mutex; everything else is set before the parts exist.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/address.hpp>

#include <kommander/clock.hpp>
#include <kommander/detail/mutex.hpp>
#include <kommander/rest_server.hpp>

#include "common/acceptor.hpp"
#include "rest/router.hpp"

namespace kommander::rest {

class Connection;
using detail::Life;

struct Counters {
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> turned_away{0};
  std::atomic<std::uint64_t> gave_way{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> timed_out{0};
};

class Service final : public std::enable_shared_from_this<Service> {
 public:
  Service(std::shared_ptr<Clock> clock, std::shared_ptr<Router> router, RestServerOptions options);
  ~Service();

  // The life of all that holds the executor, this server's part among it.
  error_code Start(std::shared_ptr<Life> life, boost::asio::any_io_executor executor,
                   const Endpoint& listen, std::string& detail);
  // Graceful: answers under way are written. `done` may be empty; without an executor, before
  // Start, it is called at once.
  void Stop(bool is_graceful, std::function<void()> done);
  [[nodiscard]] Endpoint BoundEndpoint() const;
  [[nodiscard]] RestServerStatistics Statistics() const;

  [[nodiscard]] const RestServerOptions& options() const noexcept { return options_; }
  [[nodiscard]] const std::shared_ptr<Router>& router() const noexcept { return router_; }
  [[nodiscard]] Clock& clock() const noexcept { return *clock_; }
  [[nodiscard]] Counters& counters() noexcept { return counters_; }

  // A connection begins. False: it is one too many, or the end has come.
  [[nodiscard]] bool Admits(const std::shared_ptr<Connection>& connection);
  void Forget(const Connection* connection);

 private:
  struct Place {
    std::shared_ptr<Connection> connection;
    boost::asio::ip::address address;
  };
  [[nodiscard]] std::shared_ptr<Connection> MakeRoom(const boost::asio::ip::address& address,
                                                     bool& has_room) KOMMANDER_REQUIRES(mutex_);

  const std::shared_ptr<Clock> clock_;
  const std::shared_ptr<Router> router_;
  const RestServerOptions options_;
  Counters counters_;

  mutable detail::Mutex mutex_;
  bool started_ KOMMANDER_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Life> life_ KOMMANDER_GUARDED_BY(mutex_);  // while it runs
  std::weak_ptr<Life> ending_ KOMMANDER_GUARDED_BY(mutex_);  // while the last parts go
  Endpoint bound_ KOMMANDER_GUARDED_BY(mutex_);
  std::shared_ptr<transports::Acceptor<Service, Connection>> acceptor_ KOMMANDER_GUARDED_BY(mutex_);
  std::list<Place> places_ KOMMANDER_GUARDED_BY(mutex_);  // the oldest first
};

}  // namespace kommander::rest
