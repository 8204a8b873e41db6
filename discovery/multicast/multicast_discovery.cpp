// The public face of discovery by multicast.
#include <utility>

#include <kommander/multicast_discovery.hpp>

#include "multicast/service.hpp"

namespace kommander {

MulticastDiscovery::MulticastDiscovery(std::shared_ptr<Clock> clock, MulticastOptions options)
    : service_(std::make_shared<multicast::Service>(std::move(clock), std::move(options))) {}

MulticastDiscovery::~MulticastDiscovery() { service_->Stop({}); }

error_code MulticastDiscovery::Start(boost::asio::any_io_executor executor, std::string& detail) {
  return service_->Start(std::move(executor), detail);
}

std::vector<NodeAddress> MulticastDiscovery::Nodes() const { return service_->Nodes(); }

MulticastStatistics MulticastDiscovery::Statistics() const { return service_->Statistics(); }

void MulticastDiscovery::Stop(std::function<void()> done) { service_->Stop(std::move(done)); }

}  // namespace kommander
