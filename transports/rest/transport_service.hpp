// What the parts of one REST transport share: options, clock, counters, host, and the list of
// peers. The list has a mutex; everything else is set before the parts exist.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include <boost/asio/any_io_executor.hpp>

#include <kommander/clock.hpp>
#include <kommander/detail/life.hpp>
#include <kommander/detail/mutex.hpp>
#include <kommander/rest_transport.hpp>
#include <kommander/transport.hpp>

#include "common/counters.hpp"
#include "common/names.hpp"
#include "rest/router.hpp"

namespace kommander::rest {

class Inbox;
class Outbound;
class Service;

// {"error": {"name": ..., "message": ...}} of a hello that is refused.
[[nodiscard]] RestAnswer RefusalAnswer(error_code reason);

class TransportService final : public Router,
                               public std::enable_shared_from_this<TransportService> {
 public:
  TransportService(std::shared_ptr<Clock> clock, RestTransportOptions options,
                   std::shared_ptr<transports::Names> names = transports::MakeSystemNames());
  ~TransportService() override;

  error_code Start(boost::asio::any_io_executor executor, const Endpoint& listen,
                   std::weak_ptr<TransportHost> host, std::string& detail);
  void SetPeer(NodeId peer, Endpoint endpoint);
  void RemovePeer(NodeId peer);
  void Send(Message message);
  void Stop(std::function<void()> done);
  // A peer that was removed has ended.
  void Forget(const Outbound* peer);
  [[nodiscard]] Endpoint BoundEndpoint() const;

  // The inbox's routes, while there is one.
  [[nodiscard]] bool Owns(std::string_view target) const noexcept override;
  [[nodiscard]] std::size_t BodyBytesMax(const RestRequest& request) const noexcept override;
  void Handle(RestRequest request, Done done) override;

  [[nodiscard]] const RestTransportOptions& options() const noexcept { return options_; }
  [[nodiscard]] Clock& clock() const noexcept { return *clock_; }
  [[nodiscard]] transports::Names& names() const noexcept { return *names_; }
  [[nodiscard]] transports::Counters& counters() noexcept { return counters_; }
  [[nodiscard]] std::shared_ptr<TransportHost> host() const noexcept { return host_.lock(); }

 private:
  [[nodiscard]] std::shared_ptr<Inbox> inbox() const;

  const std::shared_ptr<Clock> clock_;
  const RestTransportOptions options_;
  const std::shared_ptr<transports::Names> names_;
  transports::Counters counters_;
  std::weak_ptr<TransportHost> host_;

  mutable detail::Mutex mutex_;
  bool started_ KOMMANDER_GUARDED_BY(mutex_) = false;
  std::shared_ptr<detail::Life> life_ KOMMANDER_GUARDED_BY(mutex_);  // while it runs
  std::weak_ptr<detail::Life> ending_ KOMMANDER_GUARDED_BY(mutex_);  // while the last parts go
  boost::asio::any_io_executor executor_ KOMMANDER_GUARDED_BY(mutex_);
  std::shared_ptr<Inbox> inbox_ KOMMANDER_GUARDED_BY(mutex_);
  std::shared_ptr<Service> server_ KOMMANDER_GUARDED_BY(mutex_);  // none: mounted
  std::unordered_map<NodeId, std::shared_ptr<Outbound>> peers_ KOMMANDER_GUARDED_BY(mutex_);
  std::list<std::shared_ptr<Outbound>> leaving_ KOMMANDER_GUARDED_BY(mutex_);  // were removed
};

}  // namespace kommander::rest
