// What the parts of one TCP transport share: options, clock, counters, host, and the lists of who
// is there. The lists have a mutex; everything else is set before the parts exist.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <kommander/clock.hpp>
#include <kommander/detail/life.hpp>
#include <kommander/detail/mutex.hpp>
#include <kommander/tcp_transport.hpp>
#include <kommander/transport.hpp>

#include "common/acceptor.hpp"
#include "common/counters.hpp"
#include "common/names.hpp"

namespace kommander::tcp {

using detail::Life;
using transports::MakeSystemNames;
using transports::Names;

class Inbound;
class Service;
using Listener = transports::Acceptor<Service, Inbound>;
class Peer;

class Service final : public std::enable_shared_from_this<Service> {
 public:
  Service(std::shared_ptr<Clock> clock, TcpTransportOptions options,
          std::shared_ptr<Names> names = MakeSystemNames());
  ~Service();

  error_code Start(boost::asio::any_io_executor executor, const Endpoint& listen,
                   std::weak_ptr<TransportHost> host, std::string& detail);
  void SetPeer(NodeId peer, Endpoint endpoint);
  void RemovePeer(NodeId peer);
  void Send(Message message);
  error_code Accept(boost::asio::ip::tcp::socket socket, ByteSpan bytes_read);
  void Stop(std::function<void()> done);
  [[nodiscard]] Endpoint BoundEndpoint() const;

  [[nodiscard]] const TcpTransportOptions& options() const noexcept { return options_; }
  [[nodiscard]] Clock& clock() const noexcept { return *clock_; }
  [[nodiscard]] Names& names() const noexcept { return *names_; }
  [[nodiscard]] transports::Counters& counters() noexcept { return counters_; }
  [[nodiscard]] std::shared_ptr<TransportHost> host() const noexcept { return host_.lock(); }

  // An accepted connection begins, unless it is one too many, or the end has come.
  [[nodiscard]] error_code Admit(const std::shared_ptr<Inbound>& connection);
  [[nodiscard]] bool Admits(const std::shared_ptr<Inbound>& connection) {
    return !Admit(connection);
  }
  // It has shown a hello that may be judged: it does not give way to newer ones any more.
  void MarkGreeted(const Inbound* connection);
  // It is the peer's connection now; an older one of the same peer ends.
  void Adopt(NodeId peer, const std::shared_ptr<Inbound>& connection);
  void Forget(const Inbound* connection);

 private:
  struct Accepted {
    std::shared_ptr<Inbound> connection;
    NodeId peer;           // 0 until the handshake is done
    bool greeted = false;  // its hello is being judged, or was
  };
  [[nodiscard]] std::list<Accepted>::iterator Find(const Inbound* connection)
      KOMMANDER_REQUIRES(mutex_);

  const std::shared_ptr<Clock> clock_;
  const TcpTransportOptions options_;
  const std::shared_ptr<Names> names_;
  transports::Counters counters_;
  std::weak_ptr<TransportHost> host_;

  mutable detail::Mutex mutex_;
  bool started_ KOMMANDER_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Life> life_ KOMMANDER_GUARDED_BY(mutex_);  // while it runs
  std::weak_ptr<Life> ending_ KOMMANDER_GUARDED_BY(mutex_);  // while the last parts go
  boost::asio::any_io_executor executor_ KOMMANDER_GUARDED_BY(mutex_);
  Endpoint bound_ KOMMANDER_GUARDED_BY(mutex_);
  std::shared_ptr<Listener> listener_ KOMMANDER_GUARDED_BY(mutex_);
  std::unordered_map<NodeId, std::shared_ptr<Peer>> peers_ KOMMANDER_GUARDED_BY(mutex_);
  std::list<Accepted> accepted_ KOMMANDER_GUARDED_BY(mutex_);  // the oldest first
};

}  // namespace kommander::tcp
