// Messages over HTTP, as JSON (docs/rest.md): for networks that let nothing else through, and for
// whoever wants to read what nodes say to each other. It costs several times what TcpTransport
// does.
//
// Each node asks every peer for what it has to say itself, one request at a time over one kept
// connection, with all that is queued in its body. A lost connection is made again after a growing,
// jittered pause. Nothing is encrypted or authenticated: this is for a network that only the
// cluster's nodes can reach.
//
// Threads: none of its own; everything happens on the executor of Start, one strand per connection.
// Only a peer given by a host name makes Asio start its resolver thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <kommander/clock.hpp>
#include <kommander/detail/export.hpp>
#include <kommander/time.hpp>
#include <kommander/transport.hpp>

namespace kommander {

namespace rest {
class Router;
class TransportService;
}  // namespace rest

// Bounds and times of one node's connections. Start refuses what is out of range with
// RaftErrc::InvalidArgument: times are above 0, numbers of connections at least 1.
class RestTransportOptions {
 public:
  // Bytes queued and not yet handed to the system, per peer; beyond, messages are dropped and
  // counted. At least one message is always taken. Default 64 MiB.
  RestTransportOptions& QueueBytes(std::size_t bytes) & { return Set(queue_bytes_, bytes); }
  RestTransportOptions&& QueueBytes(std::size_t bytes) && { return std::move(QueueBytes(bytes)); }
  // What one request gathers at most, before it becomes JSON, unless a single message is larger.
  // Default 1 MiB, 1 byte to 8 MiB.
  RestTransportOptions& RequestBytes(std::size_t bytes) & { return Set(request_bytes_, bytes); }
  RestTransportOptions&& RequestBytes(std::size_t bytes) && {
    return std::move(RequestBytes(bytes));
  }
  // Accepted connections at one time: all, and those of one address. Defaults 1024 and 64.
  RestTransportOptions& MaxConnections(std::size_t all, std::size_t of_one_address) & {
    address_connections_max_ = of_one_address;
    return Set(connections_max_, all);
  }
  RestTransportOptions&& MaxConnections(std::size_t all, std::size_t of_one_address) && {
    return std::move(MaxConnections(all, of_one_address));
  }
  // From the attempt to connect, or from the arrival of a hello, to the end of the handshake, the
  // hosts' judgement included. Default 5 s.
  RestTransportOptions& HandshakeTimeout(Duration time) & { return Set(handshake_timeout_, time); }
  RestTransportOptions&& HandshakeTimeout(Duration time) && {
    return std::move(HandshakeTimeout(time));
  }
  // The pause before the second attempt to connect, and the longest, which is `least` where it is
  // said to be less. Defaults 50 ms and 2 s.
  RestTransportOptions& BackOff(Duration least, Duration most) & {
    back_off_least_ = least;
    return Set(back_off_most_, most);
  }
  RestTransportOptions&& BackOff(Duration least, Duration most) && {
    return std::move(BackOff(least, most));
  }
  // A request that is not answered for so long ends its connection; a session that hears nothing
  // for so long is over. An empty request is sent after a third of it. The same on all nodes.
  // Default 6 s.
  RestTransportOptions& IdleTimeout(Duration time) & { return Set(idle_timeout_, time); }
  RestTransportOptions&& IdleTimeout(Duration time) && { return std::move(IdleTimeout(time)); }
  // Of the pauses' jitter. Different on each node. Default 1.
  RestTransportOptions& Seed(std::uint64_t seed) & { return Set(seed_, seed); }
  RestTransportOptions&& Seed(std::uint64_t seed) && { return std::move(Seed(seed)); }
  // Does not listen: what peers say comes through RaftRoutes(raft, transport), in the application's
  // own server, which the configured address is then of.
  RestTransportOptions& Mounted() & { return Set(is_mounted_, true); }
  RestTransportOptions&& Mounted() && { return std::move(Mounted()); }

  [[nodiscard]] std::size_t queue_bytes() const noexcept { return queue_bytes_; }
  [[nodiscard]] std::size_t request_bytes() const noexcept { return request_bytes_; }
  [[nodiscard]] std::size_t connections_max() const noexcept { return connections_max_; }
  [[nodiscard]] std::size_t address_connections_max() const noexcept {
    return address_connections_max_;
  }
  [[nodiscard]] Duration handshake_timeout() const noexcept { return handshake_timeout_; }
  [[nodiscard]] Duration back_off_least() const noexcept { return back_off_least_; }
  [[nodiscard]] Duration back_off_most() const noexcept { return back_off_most_; }
  [[nodiscard]] Duration idle_timeout() const noexcept { return idle_timeout_; }
  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
  [[nodiscard]] bool is_mounted() const noexcept { return is_mounted_; }

 private:
  template <class Value>
  RestTransportOptions& Set(Value& field, Value value) {
    field = value;
    return *this;
  }
  std::size_t queue_bytes_ = 64u << 20;
  std::size_t request_bytes_ = 1u << 20;
  std::size_t connections_max_ = 1024;
  std::size_t address_connections_max_ = 64;
  Duration handshake_timeout_ = std::chrono::seconds(5);
  Duration back_off_least_ = std::chrono::milliseconds(50);
  Duration back_off_most_ = std::chrono::seconds(2);
  Duration idle_timeout_ = std::chrono::seconds(6);
  std::uint64_t seed_ = 1;
  bool is_mounted_ = false;
};

// Start: `listen` names an IP address of this machine, "localhost", or nothing, which means every
// IPv4 address; port 0 takes a free one. The context must outlive the transport, unless Stop has
// completed. The destructor without Stop closes everything as the context runs on.
class KOMMANDER_EXPORT RestTransport final : public Transport {
 public:
  // All waiting goes through `clock`.
  explicit RestTransport(std::shared_ptr<Clock> clock, RestTransportOptions options = {});
  ~RestTransport() override;
  RestTransport(const RestTransport&) = delete;
  RestTransport& operator=(const RestTransport&) = delete;

  error_code Start(boost::asio::any_io_executor executor, Endpoint listen,
                   std::weak_ptr<TransportHost> host, std::string& detail) override;
  void SetPeer(NodeId peer, Endpoint endpoint) override;
  void RemovePeer(NodeId peer) override;
  void Send(Message message) noexcept override;
  [[nodiscard]] TransportStatistics Statistics() const noexcept override;
  void Stop(std::function<void()> done) override;

  // Where it listens, with the port that the system chose; empty before Start, and when mounted.
  // Thread-safe.
  [[nodiscard]] Endpoint BoundEndpoint() const;

 private:
  friend class RaftRoutes;
  const std::shared_ptr<rest::TransportService> service_;
};

}  // namespace kommander
