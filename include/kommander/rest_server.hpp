// An HTTP server for RaftRoutes alone, for programs that have none. HTTP/1.1, kept connections, one
// request of a connection at a time; it neither encrypts nor authenticates: bind it to loopback, or
// to a network that only those can reach who may read what the routes tell.
//
// Nothing that a client does costs more than its own connection: headers, bodies, connections and
// every wait are bounded. docs/rest.md tables what is answered to what.
//
// Threads: none of its own; everything happens on the executor given, one strand per connection.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <kommander/clock.hpp>
#include <kommander/detail/export.hpp>
#include <kommander/discovery.hpp>
#include <kommander/raft_routes.hpp>
#include <kommander/time.hpp>

namespace kommander {

namespace rest {
class Service;
}

// The deadlines are those of a whole phase: a byte now and then does not put them off.
class RestServerOptions {
 public:
  // From the accept, or from the first byte of a later request, to the end of its header. Default
  // 5 s.
  RestServerOptions& HeaderTimeout(Duration time) & { return Set(header_timeout_, time); }
  RestServerOptions&& HeaderTimeout(Duration time) && { return std::move(HeaderTimeout(time)); }
  // From the end of the header to the end of the body. Default 10 s.
  RestServerOptions& BodyTimeout(Duration time) & { return Set(body_timeout_, time); }
  RestServerOptions&& BodyTimeout(Duration time) && { return std::move(BodyTimeout(time)); }
  // For the client to take an answer. Default 10 s.
  RestServerOptions& WriteTimeout(Duration time) & { return Set(write_timeout_, time); }
  RestServerOptions&& WriteTimeout(Duration time) && { return std::move(WriteTimeout(time)); }
  // Between an answer and the first byte of the next request. Default 60 s.
  RestServerOptions& IdleTimeout(Duration time) & { return Set(idle_timeout_, time); }
  RestServerOptions&& IdleTimeout(Duration time) && { return std::move(IdleTimeout(time)); }
  // Connections at one time: all, and those of one address (of IPv6, one /64). Above, a connection
  // gives way that has not sent a request yet, the oldest first; else one between two requests;
  // else the new one is closed. Defaults 1024 and 64.
  RestServerOptions& MaxConnections(std::size_t all, std::size_t of_one_address) & {
    address_connections_max_ = of_one_address;
    return Set(connections_max_, all);
  }
  RestServerOptions&& MaxConnections(std::size_t all, std::size_t of_one_address) && {
    return std::move(MaxConnections(all, of_one_address));
  }

  [[nodiscard]] Duration header_timeout() const noexcept { return header_timeout_; }
  [[nodiscard]] Duration body_timeout() const noexcept { return body_timeout_; }
  [[nodiscard]] Duration write_timeout() const noexcept { return write_timeout_; }
  [[nodiscard]] Duration idle_timeout() const noexcept { return idle_timeout_; }
  [[nodiscard]] std::size_t connections_max() const noexcept { return connections_max_; }
  [[nodiscard]] std::size_t address_connections_max() const noexcept {
    return address_connections_max_;
  }

 private:
  template <class Value>
  RestServerOptions& Set(Value& field, Value value) {
    field = value;
    return *this;
  }
  Duration header_timeout_ = std::chrono::seconds(5);
  Duration body_timeout_ = std::chrono::seconds(10);
  Duration write_timeout_ = std::chrono::seconds(10);
  Duration idle_timeout_ = std::chrono::seconds(60);
  std::size_t connections_max_ = 1024;
  std::size_t address_connections_max_ = 64;
};

// Counts since the start; `connections` is of now.
struct RestServerStatistics {
  RestServerStatistics() = default;
  std::uint64_t connections = 0;
  std::uint64_t accepted = 0;
  std::uint64_t turned_away = 0;  // one too many, and none gave way
  std::uint64_t gave_way = 0;
  std::uint64_t requests = 0;  // that reached a route, 404 among them
  std::uint64_t refused = 0;   // that were none, or met a bound
  std::uint64_t timed_out = 0;
};

// The context must outlive the server, unless Stop has completed. The destructor without Stop
// closes everything as the context runs on.
class KOMMANDER_EXPORT RestServer {
 public:
  // All waiting goes through `clock`.
  RestServer(boost::asio::any_io_executor executor, std::shared_ptr<Clock> clock, RaftRoutes routes,
             RestServerOptions options = {});
  ~RestServer();
  RestServer(const RestServer&) = delete;
  RestServer& operator=(const RestServer&) = delete;

  // Binds and begins to serve, once. `listen` names an IP address of this machine, "localhost", or
  // nothing, which means every IPv4 address; port 0 takes a free one. AddressInUse,
  // InvalidArgument: `detail` has one line for a person.
  error_code Start(const Endpoint& listen, std::string& detail);
  // Where it listens, with the port that the system chose; empty before Start. Thread-safe.
  [[nodiscard]] Endpoint BoundEndpoint() const;
  [[nodiscard]] RestServerStatistics Statistics() const noexcept;

  // void(error_code), without an error. No connection is accepted any more, and those without
  // a whole request are closed; an answer under way is written first, for at most WriteTimeout.
  // Completes when nothing of the server runs. May be called more than once; cancellation is
  // ignored.
  template <TokenFor<void(error_code)> Token = boost::asio::use_awaitable_t<>>
  auto Stop(Token&& token = {}) {
    return detail::Initiate<detail::NoResult>(
        executor_, {}, std::forward<Token>(token),
        [service = service_](detail::PlainOperation operation) {
          BeginStop(service, std::move(operation));
        });
  }

 private:
  static void BeginStop(const std::shared_ptr<rest::Service>& service,
                        detail::PlainOperation operation);

  const boost::asio::any_io_executor executor_;
  const std::shared_ptr<rest::Service> service_;
};

}  // namespace kommander
