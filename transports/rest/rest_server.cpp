// The public face of the REST server.
#include <utility>

#include <boost/asio/post.hpp>

#include <kommander/rest_server.hpp>

#include "rest/service.hpp"

namespace kommander {
namespace {

// A node's routes, as a server takes them.
class NodeRouter final : public rest::Router {
 public:
  explicit NodeRouter(RaftRoutes routes) : routes_(std::move(routes)) {}
  bool Owns(std::string_view target) const noexcept override { return routes_.Owns(target); }
  std::size_t BodyBytesMax(const RestRequest& request) const noexcept override {
    return routes_.BodyBytesMax(request);
  }
  void Handle(RestRequest request, Done done) override {
    routes_.Handle(std::move(request), std::move(done));
  }

 private:
  const RaftRoutes routes_;
};

}  // namespace

RestServer::RestServer(boost::asio::any_io_executor executor, std::shared_ptr<Clock> clock,
                       RaftRoutes routes, RestServerOptions options)
    : executor_(std::move(executor)),
      service_(std::make_shared<rest::Service>(
          std::move(clock), std::make_shared<NodeRouter>(std::move(routes)), options)) {}

RestServer::~RestServer() { service_->Stop(false, {}); }

error_code RestServer::Start(const Endpoint& listen, std::string& detail) {
  return service_->Start(std::make_shared<detail::Life>(executor_), executor_, listen, detail);
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
