// The suite over HTTP, on the loopback interface.
#include <kommander/rest_transport.hpp>

#include "transport_fixture.hpp"

namespace kommander::conformance {
namespace {

class RestBackend final : public TransportBackend {
 public:
  explicit RestBackend(TransportLimits limits)
      : options_(RestTransportOptions()
                     .QueueBytes(limits.queue_bytes)
                     .HandshakeTimeout(limits.handshake_timeout)
                     .BackOff(std::chrono::milliseconds(1), std::chrono::milliseconds(20))) {}
  std::shared_ptr<Transport> Create(std::shared_ptr<Clock> clock) override {
    return std::make_shared<RestTransport>(std::move(clock), options_);
  }
  Endpoint FreshEndpoint() override { return Endpoint("127.0.0.1", 0); }
  Endpoint Bound(Transport& transport, Endpoint) override {
    return dynamic_cast<RestTransport&>(transport).BoundEndpoint();
  }

 private:
  RestTransportOptions options_;
};

}  // namespace

std::unique_ptr<TransportBackend> MakeTransportBackend(TransportLimits limits) {
  return std::make_unique<RestBackend>(limits);
}

}  // namespace kommander::conformance
