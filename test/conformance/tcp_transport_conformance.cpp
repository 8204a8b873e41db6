// The suite over TCP, on the loopback interface.
#include <kommander/tcp_transport.hpp>

#include "transport_fixture.hpp"

namespace kommander::conformance {
namespace {

class TcpBackend final : public TransportBackend {
 public:
  explicit TcpBackend(TransportLimits limits)
      : options_(TcpTransportOptions()
                     .QueueBytes(limits.queue_bytes)
                     .HandshakeTimeout(limits.handshake_timeout)
                     .BackOff(std::chrono::milliseconds(1), std::chrono::milliseconds(20))) {}
  std::shared_ptr<Transport> Create(std::shared_ptr<Clock> clock) override {
    return std::make_shared<TcpTransport>(std::move(clock), options_);
  }
  Endpoint FreshEndpoint() override { return Endpoint("127.0.0.1", 0); }
  Endpoint Bound(Transport& transport, Endpoint) override {
    return dynamic_cast<TcpTransport&>(transport).BoundEndpoint();
  }

 private:
  TcpTransportOptions options_;
};

}  // namespace

std::unique_ptr<TransportBackend> MakeTransportBackend(TransportLimits limits) {
  return std::make_unique<TcpBackend>(limits);
}

}  // namespace kommander::conformance
