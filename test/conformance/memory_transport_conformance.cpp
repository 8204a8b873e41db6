// The suite over the transport without sockets.
#include <kommander/memory_transport.hpp>

#include "transport_fixture.hpp"

namespace kommander::conformance {
namespace {

class MemoryBackend final : public TransportBackend {
 public:
  explicit MemoryBackend(TransportLimits limits)
      : network_(MemoryNetwork::Create(
            MemoryNetworkOptions()
                .QueueBytes(limits.queue_bytes)
                .HandshakeTimeout(limits.handshake_timeout)
                .BackOff(std::chrono::milliseconds(1), std::chrono::milliseconds(20)))) {}
  std::shared_ptr<Transport> Create(std::shared_ptr<Clock> clock) override {
    return network_->CreateTransport(std::move(clock));
  }
  Endpoint FreshEndpoint() override { return Endpoint("node", ++port_); }
  Endpoint Bound(Transport&, Endpoint asked) override { return asked; }

 private:
  std::shared_ptr<MemoryNetwork> network_;
  std::uint16_t port_ = 0;
};

}  // namespace

std::unique_ptr<TransportBackend> MakeTransportBackend(TransportLimits limits) {
  return std::make_unique<MemoryBackend>(limits);
}

}  // namespace kommander::conformance
