// Messages over TCP, in binary frames (docs/protocol.md).
//
// Each node dials every peer for what it has to say itself, so there is one connection per peer and
// direction, shared by all partitions. Whatever is queued when a write can be made leaves in one
// write. A lost connection is dialled again after a growing, jittered pause. Nothing is encrypted
// or authenticated: this is for a network that only the cluster's nodes can reach.
//
// Threads: none of its own; everything happens on the executor of Start, one strand per connection.
// Only a peer given by a host name makes Asio start its resolver thread. A name is looked up anew
// for every attempt to connect, and its addresses are tried one after the other; one that nobody
// answered at is tried last by the next attempt. A look-up that hangs ends its attempt with the
// handshake's time, and Stop does not wait for it, but the context runs until the resolver answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/ip/tcp.hpp>

#include <kommander/clock.hpp>
#include <kommander/detail/export.hpp>
#include <kommander/payload.hpp>
#include <kommander/time.hpp>
#include <kommander/transport.hpp>

namespace kommander {

namespace tcp {
class Service;
}

// Bounds and times of one node's connections.
class TcpTransportOptions {
 public:
  // Bytes queued and not yet handed to the system, per peer; beyond, messages are dropped and
  // counted. At least one message is always taken. Default 64 MiB.
  TcpTransportOptions& QueueBytes(std::size_t bytes) & { return Set(queue_bytes_, bytes); }
  TcpTransportOptions&& QueueBytes(std::size_t bytes) && { return std::move(QueueBytes(bytes)); }
  // What one write gathers at most, unless a single message is larger. Default 1 MiB.
  TcpTransportOptions& WriteBytes(std::size_t bytes) & { return Set(write_bytes_, bytes); }
  TcpTransportOptions&& WriteBytes(std::size_t bytes) && { return std::move(WriteBytes(bytes)); }
  // The receive buffer of an accepted connection after its handshake. Default 128 KiB.
  TcpTransportOptions& ReadBytes(std::size_t bytes) & { return Set(read_bytes_, bytes); }
  TcpTransportOptions&& ReadBytes(std::size_t bytes) && { return std::move(ReadBytes(bytes)); }
  // Accepted connections at one time, and those of them that have not shown a valid hello. A
  // connection above the first bound is closed; above the second, the oldest silent one gives way.
  // Defaults 1024 and 64.
  TcpTransportOptions& MaxConnections(std::size_t all, std::size_t silent) & {
    silent_max_ = silent;
    return Set(connections_max_, all);
  }
  TcpTransportOptions&& MaxConnections(std::size_t all, std::size_t silent) && {
    return std::move(MaxConnections(all, silent));
  }
  // From the attempt to connect, or from the accept, to the end of the handshake, the hosts'
  // judgement included. Default 5 s.
  TcpTransportOptions& HandshakeTimeout(Duration time) & { return Set(handshake_timeout_, time); }
  TcpTransportOptions&& HandshakeTimeout(Duration time) && {
    return std::move(HandshakeTimeout(time));
  }
  // The pause before the second attempt to connect, and the longest. Defaults 50 ms and 2 s.
  TcpTransportOptions& BackOff(Duration least, Duration most) & {
    back_off_least_ = least;
    return Set(back_off_most_, most);
  }
  TcpTransportOptions&& BackOff(Duration least, Duration most) && {
    return std::move(BackOff(least, most));
  }
  // From the first byte of a frame to its last one, on an accepted connection after its handshake;
  // noticed with the bytes that come after that, or at the idle time. A frame has at most 16 MiB,
  // and no peer may take for ever over it: it occupies memory. Default 30 s.
  TcpTransportOptions& FrameTimeout(Duration time) & { return Set(frame_timeout_, time); }
  TcpTransportOptions&& FrameTimeout(Duration time) && { return std::move(FrameTimeout(time)); }
  // A connection whose other end stays silent for so long is given up; three pings are sent in this
  // time. The same on all nodes. Default 6 s.
  TcpTransportOptions& IdleTimeout(Duration time) & { return Set(idle_timeout_, time); }
  TcpTransportOptions&& IdleTimeout(Duration time) && { return std::move(IdleTimeout(time)); }
  // Whether Start listens by itself. False: it ignores the endpoint to listen on, and peers get in
  // through Accept alone. Default true.
  TcpTransportOptions& Listen(bool listens) & { return Set(listens_, listens); }
  TcpTransportOptions&& Listen(bool listens) && { return std::move(Listen(listens)); }
  // Of the pauses' jitter. Different on each node. Default 1.
  TcpTransportOptions& Seed(std::uint64_t seed) & { return Set(seed_, seed); }
  TcpTransportOptions&& Seed(std::uint64_t seed) && { return std::move(Seed(seed)); }

  [[nodiscard]] std::size_t queue_bytes() const noexcept { return queue_bytes_; }
  [[nodiscard]] std::size_t write_bytes() const noexcept { return write_bytes_; }
  [[nodiscard]] std::size_t read_bytes() const noexcept { return read_bytes_; }
  [[nodiscard]] std::size_t connections_max() const noexcept { return connections_max_; }
  [[nodiscard]] std::size_t silent_max() const noexcept { return silent_max_; }
  [[nodiscard]] Duration handshake_timeout() const noexcept { return handshake_timeout_; }
  [[nodiscard]] Duration frame_timeout() const noexcept { return frame_timeout_; }
  [[nodiscard]] Duration back_off_least() const noexcept { return back_off_least_; }
  [[nodiscard]] Duration back_off_most() const noexcept { return back_off_most_; }
  [[nodiscard]] Duration idle_timeout() const noexcept { return idle_timeout_; }
  [[nodiscard]] bool listens() const noexcept { return listens_; }
  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }

 private:
  template <class Value>
  TcpTransportOptions& Set(Value& field, Value value) {
    field = value;
    return *this;
  }
  std::size_t queue_bytes_ = 64u << 20;
  std::size_t write_bytes_ = 1u << 20;
  std::size_t read_bytes_ = 128u << 10;
  std::size_t connections_max_ = 1024;
  std::size_t silent_max_ = 64;
  Duration handshake_timeout_ = std::chrono::seconds(5);
  Duration frame_timeout_ = std::chrono::seconds(30);
  Duration back_off_least_ = std::chrono::milliseconds(50);
  Duration back_off_most_ = std::chrono::seconds(2);
  Duration idle_timeout_ = std::chrono::seconds(6);
  std::uint64_t seed_ = 1;
  bool listens_ = true;
};

// Start: `listen` names an IP address of this machine, "localhost", or nothing, which means every
// IPv4 address; port 0 takes a free one; with Listen(false) it is not looked at. The context must
// outlive the transport, unless Stop has completed. The destructor without Stop closes everything
// as the context runs on.
class KOMMANDER_EXPORT TcpTransport final : public Transport {
 public:
  // All waiting goes through `clock`.
  explicit TcpTransport(std::shared_ptr<Clock> clock, TcpTransportOptions options = {});
  ~TcpTransport() override;
  TcpTransport(const TcpTransport&) = delete;
  TcpTransport& operator=(const TcpTransport&) = delete;

  error_code Start(boost::asio::any_io_executor executor, Endpoint listen,
                   std::weak_ptr<TransportHost> host, std::string& detail) override;
  void SetPeer(NodeId peer, Endpoint endpoint) override;
  void RemovePeer(NodeId peer) override;
  void Send(Message message) noexcept override;
  [[nodiscard]] TransportStatistics Statistics() const noexcept override;
  void Stop(std::function<void()> done) override;

  // Where it listens, with the port that the system chose; empty before Start, and with
  // Listen(false) for good. Thread-safe.
  [[nodiscard]] Endpoint BoundEndpoint() const;

  // Takes over a connection that the application has accepted itself, one port serving several
  // protocols for example, and handles it like one of its own listener: the same bounds, deadlines
  // and refusals, the handshake's time beginning now. `bytes_read` is what the application has read
  // of it to find out what it is; they are copied. Every frame of this protocol begins with "KMDR".
  //
  // The socket may belong to any executor, also of another context: it is let go of there and goes
  // on on that of Start. No operation on it may be under way; a socket with options keeps them.
  // Thread-safe with everything here, does not wait. It takes the socket in any case, and closes it
  // with every error:
  //   NodeIsNotReady   before Start
  //   NodeStopped      after Stop
  //   InvalidArgument  more than kBytesReadMax in bytes_read, or a socket that is not open
  //   asio::error::connection_refused  there are as many connections as MaxConnections allows
  //   errors of the system  the socket is not connected any more, or cannot be moved
  // What the peer makes of it later is not reported here.
  static constexpr std::size_t kBytesReadMax = 4128;  // the largest first frame
  [[nodiscard]] error_code Accept(boost::asio::ip::tcp::socket socket, ByteSpan bytes_read = {});

 private:
  const std::shared_ptr<tcp::Service> service_;
};

}  // namespace kommander
