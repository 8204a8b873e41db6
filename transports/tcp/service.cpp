// The lists of peers and accepted connections, the start and the end.
#include "tcp/service.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/asio/error.hpp>

#include "tcp/inbound.hpp"
#include "tcp/peer.hpp"

namespace kommander::tcp {

namespace asio = boost::asio;

Service::Service(std::shared_ptr<Clock> clock, TcpTransportOptions options,
                 std::shared_ptr<Names> names)
    : clock_(std::move(clock)), options_(options), names_(std::move(names)) {}

Service::~Service() = default;

error_code Service::Start(boost::asio::any_io_executor executor, const Endpoint& listen,
                          std::weak_ptr<TransportHost> host, std::string& detail) {
  const detail::MutexLock lock(mutex_);
  if (started_) {
    detail = "the transport was started before";
    return RaftErrc::InvalidArgument;
  }
  auto life = std::make_shared<Life>(executor);
  std::shared_ptr<Listener> listener;
  if (options_.listens()) {
    listener = std::make_shared<Listener>(shared_from_this(), life, executor);
    if (const error_code error = listener->Open(listen, bound_, detail)) return error;
  }
  started_ = true;
  host_ = std::move(host);
  executor_ = std::move(executor);
  life_ = std::move(life);
  listener_ = std::move(listener);
  if (listener_) listener_->PostBegin();
  return {};
}

Endpoint Service::BoundEndpoint() const {
  const detail::MutexLock lock(mutex_);
  return bound_;
}

void Service::SetPeer(NodeId peer, Endpoint endpoint) {
  const detail::MutexLock lock(mutex_);
  if (!life_) return;
  auto& place = peers_[peer];
  if (!place) place = std::make_shared<Peer>(shared_from_this(), life_, executor_, peer);
  place->PostEndpoint(std::move(endpoint));
}

void Service::RemovePeer(NodeId peer) {
  std::shared_ptr<Peer> removed;
  {
    const detail::MutexLock lock(mutex_);
    const auto found = peers_.find(peer);
    if (found == peers_.end()) return;
    removed = std::move(found->second);
    peers_.erase(found);
  }
  removed->PostClose();
}

void Service::Send(Message message) {
  std::shared_ptr<Peer> peer;
  {
    const detail::MutexLock lock(mutex_);
    const auto found = peers_.find(message.to);
    if (found != peers_.end()) peer = found->second;
  }
  if (peer) {
    peer->Send(std::move(message));
  } else {
    counters_.dropped_unreachable.Add();
  }
}

// --- Accepted connections ---

std::list<Service::Accepted>::iterator Service::Find(const Inbound* connection) {
  return std::find_if(accepted_.begin(), accepted_.end(), [connection](const Accepted& accepted) {
    return accepted.connection.get() == connection;
  });
}

// Who was accepted by the application is let in as by the listener.
error_code Service::Accept(asio::ip::tcp::socket socket, ByteSpan bytes_read) {
  if (bytes_read.size() > TcpTransport::kBytesReadMax || !socket.is_open()) {
    return RaftErrc::InvalidArgument;
  }
  std::shared_ptr<Inbound> connection;
  {
    const detail::MutexLock lock(mutex_);
    if (!life_) return started_ ? RaftErrc::NodeStopped : RaftErrc::NodeIsNotReady;
    connection = std::make_shared<Inbound>(shared_from_this(), life_, executor_);
  }
  if (const error_code error = connection->TakeOver(std::move(socket), bytes_read)) return error;
  if (const error_code error = Admit(connection)) return error;
  connection->PostBegin();
  return {};
}

error_code Service::Admit(const std::shared_ptr<Inbound>& connection) {
  std::shared_ptr<Inbound> evicted;
  {
    const detail::MutexLock lock(mutex_);
    if (!life_) return RaftErrc::NodeStopped;
    const auto is_silent = [](const Accepted& accepted) { return !accepted.greeted; };
    const auto silent = std::count_if(accepted_.begin(), accepted_.end(), is_silent);
    if (static_cast<std::size_t>(silent) >= options_.silent_max()) {
      // A peer says hello within milliseconds, so the oldest silent one is the least likely peer.
      const auto oldest = std::find_if(accepted_.begin(), accepted_.end(), is_silent);
      if (oldest == accepted_.end()) return asio::error::connection_refused;
      evicted = std::move(oldest->connection);
      accepted_.erase(oldest);
    }
    if (accepted_.size() >= options_.connections_max()) return asio::error::connection_refused;
    accepted_.push_back({connection, NodeId(), false});
  }
  if (evicted) evicted->PostClose();
  return {};
}

void Service::MarkGreeted(const Inbound* connection) {
  const detail::MutexLock lock(mutex_);
  if (const auto found = Find(connection); found != accepted_.end()) found->greeted = true;
}

void Service::Adopt(NodeId peer, const std::shared_ptr<Inbound>& connection) {
  std::shared_ptr<Inbound> older;
  {
    const detail::MutexLock lock(mutex_);
    const auto same = std::find_if(accepted_.begin(), accepted_.end(),
                                   [peer](const Accepted& a) { return a.peer == peer; });
    if (same != accepted_.end()) {
      older = std::move(same->connection);
      accepted_.erase(same);
    }
    if (const auto found = Find(connection.get()); found != accepted_.end()) found->peer = peer;
  }
  if (older) older->PostClose();
}

void Service::Forget(const Inbound* connection) {
  std::shared_ptr<Inbound> held;  // let go after the mutex
  const detail::MutexLock lock(mutex_);
  const auto found = Find(connection);
  if (found == accepted_.end()) return;
  held = std::move(found->connection);
  accepted_.erase(found);
}

// --- The end ---

void Service::Stop(std::function<void()> done) {
  std::shared_ptr<Life> life;
  std::shared_ptr<Listener> listener;
  decltype(peers_) peers;
  decltype(accepted_) accepted;
  {
    const detail::MutexLock lock(mutex_);
    started_ = true;  // a transport that was stopped does not start
    life = life_ ? std::exchange(life_, nullptr) : ending_.lock();
    ending_ = life;
    if (life && done) life->OnEnd(std::exchange(done, nullptr));
    executor_ = {};
    listener.swap(listener_);
    peers.swap(peers_);
    accepted.swap(accepted_);
  }
  if (listener) listener->PostClose();
  for (const auto& [id, peer] : peers) peer->PostClose();
  for (const auto& place : accepted) place.connection->PostClose();
  // Never started, or ended long ago: there is no executor to use.
  if (done) done();
}

}  // namespace kommander::tcp
