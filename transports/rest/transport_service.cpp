// The list of peers, the start and the end.
#include "rest/transport_service.hpp"

#include <algorithm>
#include <utility>

#include "rest/answers.hpp"
#include "rest/inbox.hpp"
#include "rest/outbound.hpp"
#include "rest/service.hpp"

namespace kommander::rest {

RestAnswer RefusalAnswer(error_code reason) {
  const bool is_ours = reason.category() == RaftCategory();
  const auto errc = is_ours ? static_cast<RaftErrc>(reason.value()) : RaftErrc::UnexpectedPeer;
  const bool is_passing = errc == RaftErrc::NodeIsNotReady || errc == RaftErrc::NodeStopped;
  return ErrorAnswer(is_passing ? 503 : 403, errc, make_error_code(errc).message());
}

namespace {

constexpr std::size_t kRequestBytesMax = 8u << 20;

// What is wrong with the options, or nothing.
const char* Problem(const RestTransportOptions& options) {
  if (options.request_bytes() == 0 || options.request_bytes() > kRequestBytesMax) {
    return "RequestBytes must be 1 to 8 MiB";
  }
  if (options.connections_max() == 0 || options.address_connections_max() == 0) {
    return "MaxConnections must be at least 1, of one address too";
  }
  for (const Duration time : {options.handshake_timeout(), options.back_off_least(),
                              options.back_off_most(), options.idle_timeout()}) {
    if (time <= Duration::zero())
      return "HandshakeTimeout, BackOff and IdleTimeout must be above 0";
  }
  return nullptr;
}

// A peer is silent for a third of the idle time at most, and may take all of it for one request.
RestServerOptions ServerOptions(const RestTransportOptions& options) {
  RestServerOptions server;
  return server.MaxConnections(options.connections_max(), options.address_connections_max())
      .IdleTimeout(std::max(server.idle_timeout(), options.idle_timeout()))
      .BodyTimeout(std::max(server.body_timeout(), options.idle_timeout()));
}

}  // namespace

TransportService::TransportService(std::shared_ptr<Clock> clock, RestTransportOptions options,
                                   std::shared_ptr<transports::Names> names)
    : clock_(std::move(clock)), options_(options), names_(std::move(names)) {}

TransportService::~TransportService() = default;

error_code TransportService::Start(boost::asio::any_io_executor executor, const Endpoint& listen,
                                   std::weak_ptr<TransportHost> host, std::string& detail) {
  const detail::MutexLock lock(mutex_);
  if (started_) {
    detail = "the transport was started before";
    return RaftErrc::InvalidArgument;
  }
  if (const char* problem = Problem(options_)) {
    detail = problem;
    return RaftErrc::InvalidArgument;
  }
  auto life = std::make_shared<detail::Life>(executor);
  std::shared_ptr<Service> server;
  if (!options_.is_mounted()) {
    server = std::make_shared<Service>(clock_, shared_from_this(), ServerOptions(options_));
    if (const error_code error = server->Start(life, executor, listen, detail)) return error;
  }
  started_ = true;
  host_ = std::move(host);
  inbox_ = std::make_shared<Inbox>(shared_from_this(), life, executor);
  inbox_->PostBegin();
  executor_ = std::move(executor);
  life_ = std::move(life);
  server_ = std::move(server);
  return {};
}

Endpoint TransportService::BoundEndpoint() const {
  const detail::MutexLock lock(mutex_);
  return server_ ? server_->BoundEndpoint() : Endpoint();
}

void TransportService::SetPeer(NodeId peer, Endpoint endpoint) {
  const detail::MutexLock lock(mutex_);
  if (!life_) return;
  auto& place = peers_[peer];
  if (!place) place = std::make_shared<Outbound>(shared_from_this(), life_, executor_, peer);
  place->PostEndpoint(std::move(endpoint));
}

void TransportService::RemovePeer(NodeId peer) {
  std::shared_ptr<Outbound> removed;
  {
    const detail::MutexLock lock(mutex_);
    const auto found = peers_.find(peer);
    if (found == peers_.end()) return;
    removed = std::move(found->second);
    peers_.erase(found);
    leaving_.push_back(removed);
  }
  removed->PostLeave();
}

void TransportService::Forget(const Outbound* peer) {
  std::shared_ptr<Outbound> held;  // let go after the mutex
  const detail::MutexLock lock(mutex_);
  const auto found = std::find_if(leaving_.begin(), leaving_.end(),
                                  [peer](const auto& one) { return one.get() == peer; });
  if (found == leaving_.end()) return;
  held = std::move(*found);
  leaving_.erase(found);
}

void TransportService::Send(Message message) {
  std::shared_ptr<Outbound> peer;
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

// --- Requests of peers ---

std::shared_ptr<Inbox> TransportService::inbox() const {
  const detail::MutexLock lock(mutex_);
  return inbox_;
}

bool TransportService::Owns(std::string_view target) const noexcept { return IsRaftPath(target); }

std::size_t TransportService::BodyBytesMax(const RestRequest& request) const noexcept {
  const auto current = inbox();
  if (current) return current->BodyBytesMax(request);
  return request.method == "POST" ? kGreetingTextMax : 0;
}

void TransportService::Handle(RestRequest request, Done done) {
  if (const auto current = inbox()) return current->Handle(std::move(request), std::move(done));
  RaftErrc reason = RaftErrc::NodeIsNotReady;
  {
    const detail::MutexLock lock(mutex_);
    if (started_) reason = RaftErrc::NodeStopped;
  }
  done(RefusalAnswer(reason));
}

// --- The end ---

void TransportService::Stop(std::function<void()> done) {
  std::shared_ptr<detail::Life> life;
  std::shared_ptr<Inbox> inbox;
  std::shared_ptr<Service> server;
  decltype(peers_) peers;
  decltype(leaving_) leaving;
  {
    const detail::MutexLock lock(mutex_);
    started_ = true;  // a transport that was stopped does not start
    life = life_ ? std::exchange(life_, nullptr) : ending_.lock();
    ending_ = life;
    if (life && done) life->OnEnd(std::exchange(done, nullptr));
    executor_ = {};
    inbox.swap(inbox_);
    server.swap(server_);
    peers.swap(peers_);
    leaving.swap(leaving_);
  }
  if (server) server->Stop(false, {});
  if (inbox) inbox->Close();
  for (const auto& [id, peer] : peers) peer->PostClose();
  for (const auto& peer : leaving) peer->PostClose();
  // Never started, or ended long ago: there is no executor to use.
  if (done) done();
}

}  // namespace kommander::rest
