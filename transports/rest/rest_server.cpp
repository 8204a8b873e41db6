// The public face of the REST server.
#include <utility>

#include <boost/asio/post.hpp>

#include <kommander/rest_server.hpp>

#include "rest/service.hpp"

namespace kommander {

RestServer::RestServer(boost::asio::any_io_executor executor, std::shared_ptr<Clock> clock,
                       RaftRoutes routes, RestServerOptions options)
    : executor_(std::move(executor)),
      service_(std::make_shared<rest::Service>(std::move(clock), std::move(routes), options)) {}

RestServer::~RestServer() { service_->Stop(false, {}); }

error_code RestServer::Start(const Endpoint& listen, std::string& detail) {
  return service_->Start(executor_, listen, detail);
}

Endpoint RestServer::BoundEndpoint() const { return service_->BoundEndpoint(); }

RestServerStatistics RestServer::Statistics() const noexcept { return service_->Statistics(); }

void RestServer::BeginStop(const std::shared_ptr<rest::Service>& service,
                           detail::PlainOperation operation) {
  service->Stop(true, [operation = std::move(operation)] {
    boost::asio::post(operation->executor(), [operation] { operation->Invoke(); });
  });
}

}  // namespace kommander
