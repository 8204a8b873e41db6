// The public face of the TCP transport.
#include <utility>

#include <kommander/tcp_transport.hpp>

#include "tcp/service.hpp"

namespace kommander {

TcpTransport::TcpTransport(std::shared_ptr<Clock> clock, TcpTransportOptions options)
    : service_(std::make_shared<tcp::Service>(std::move(clock), options)) {}

TcpTransport::~TcpTransport() { service_->Stop({}); }

error_code TcpTransport::Start(boost::asio::any_io_executor executor, Endpoint listen,
                               std::weak_ptr<TransportHost> host, std::string& detail) {
  return service_->Start(std::move(executor), listen, std::move(host), detail);
}

void TcpTransport::SetPeer(NodeId peer, Endpoint endpoint) {
  service_->SetPeer(peer, std::move(endpoint));
}

void TcpTransport::RemovePeer(NodeId peer) { service_->RemovePeer(peer); }

void TcpTransport::Send(Message message) noexcept {
  try {
    service_->Send(std::move(message));
  } catch (...) {
    // No memory for one more message: a full queue by another name.
    service_->counters().dropped_queue_full.Add();
  }
}

TransportStatistics TcpTransport::Statistics() const noexcept {
  return service_->counters().Read();
}

void TcpTransport::Stop(std::function<void()> done) { service_->Stop(std::move(done)); }

error_code TcpTransport::Accept(boost::asio::ip::tcp::socket socket, ByteSpan bytes_read) {
  return service_->Accept(std::move(socket), bytes_read);
}

Endpoint TcpTransport::BoundEndpoint() const { return service_->BoundEndpoint(); }

}  // namespace kommander
