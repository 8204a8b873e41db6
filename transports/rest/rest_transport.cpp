// The public face of the REST transport.
#include <utility>

#include <kommander/rest_transport.hpp>

#include "rest/transport_service.hpp"

namespace kommander {

RestTransport::RestTransport(std::shared_ptr<Clock> clock, RestTransportOptions options)
    : service_(std::make_shared<rest::TransportService>(std::move(clock), options)) {}

RestTransport::~RestTransport() { service_->Stop({}); }

error_code RestTransport::Start(boost::asio::any_io_executor executor, Endpoint listen,
                                std::weak_ptr<TransportHost> host, std::string& detail) {
  return service_->Start(std::move(executor), listen, std::move(host), detail);
}

void RestTransport::SetPeer(NodeId peer, Endpoint endpoint) {
  service_->SetPeer(peer, std::move(endpoint));
}

void RestTransport::RemovePeer(NodeId peer) { service_->RemovePeer(peer); }

void RestTransport::Send(Message message) noexcept {
  try {
    service_->Send(std::move(message));
  } catch (...) {
    // No memory for one more message: a full queue by another name.
    service_->counters().dropped_queue_full.Add();
  }
}

TransportStatistics RestTransport::Statistics() const noexcept {
  return service_->counters().Read();
}

void RestTransport::Stop(std::function<void()> done) { service_->Stop(std::move(done)); }

Endpoint RestTransport::BoundEndpoint() const { return service_->BoundEndpoint(); }

}  // namespace kommander
