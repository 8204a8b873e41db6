// Connections, handshakes and the fate of messages.
#include "sim_network.hpp"

#include <algorithm>
#include <limits>

#include <boost/asio/post.hpp>

namespace kommander::sim {

namespace {

constexpr Duration kRedialMin = std::chrono::milliseconds(20);
constexpr Duration kRedialMax = std::chrono::milliseconds(120);
// A handshake that is not done by then is given up, as a transport's deadline does.
constexpr Duration kHandshakeMax = std::chrono::seconds(2);

}  // namespace

// Carries messages one way, from the side that dialled. It belongs to the two lives that made it.
struct SimNetwork::Connection {
  NodeId from;
  NodeId to;
  std::weak_ptr<SimTransport> dialler;
  std::weak_ptr<SimTransport> acceptor;
  bool accepted = false;     // the acceptor takes messages
  bool established = false;  // the dialler sends
  bool closed = false;
  bool flush_pending = false;
  std::vector<Message> outbox;
  Instant last_arrival{};
};

SimNetwork::SimNetwork(World& world, Observer* observer)
    : world_(world), observer_(observer), chance_(world.Fork(0x6e6574)) {}
SimNetwork::~SimNetwork() = default;

std::shared_ptr<SimTransport> SimNetwork::CreateTransport(ProcessRecord& process, NodeId node) {
  return std::make_shared<SimTransport>(*this, process, node);
}

void SimNetwork::Heal() {
  for (auto& [key, link] : links_) link = LinkFaults();
}

bool SimNetwork::DropConnection(NodeId from, NodeId to) {
  const auto found = connections_.find(Key(from, to));
  if (found == connections_.end()) return false;
  const std::shared_ptr<Connection> connection = found->second;
  ++counters_.connections_dropped;
  Close(connection, boost::system::errc::make_error_code(boost::system::errc::connection_reset));
  return true;
}

std::shared_ptr<SimTransport> SimNetwork::Listener(const Endpoint& endpoint) const {
  const auto found = listeners_.find({endpoint.host, endpoint.port});
  return found == listeners_.end() ? nullptr : found->second.lock();
}

bool SimNetwork::Inject(As as, NodeId from, NodeId to, std::vector<Message> messages) {
  for (const auto& [address, listener] : listeners_) {
    const auto transport = listener.lock();
    if (!transport || transport->node_ != to) continue;
    After(listener, Duration(0),
          [this, as, listener, from, messages = std::move(messages)]() mutable {
            const auto host = listener.lock()->host_.lock();
            if (!host) return;
            const bool is_pinned = static_cast<bool>(host->LocalHello(from).known_incarnation);
            if (is_pinned != (as == As::kPeer)) return;
            (is_pinned ? counters_.lies : counters_.strange) += messages.size();
            host->OnMessages(from, std::move(messages));
          });
    return true;
  }
  return false;
}

void SimNetwork::SetSilenced(NodeId node, bool silenced) {
  if (!silenced) {
    silenced_.erase(node);
    return;
  }
  silenced_.insert(node);
  std::vector<std::shared_ptr<Connection>> doomed;
  for (const auto& [key, connection] : connections_) {
    if (connection->from == node || connection->to == node) doomed.push_back(connection);
  }
  for (const auto& connection : doomed) {
    Close(connection, boost::system::errc::make_error_code(boost::system::errc::connection_reset));
  }
}

void SimNetwork::CountCut(NodeId from, NodeId to, std::uint64_t times) {
  counters_.cut += times;
  for (const FaultMark& mark : Link(from, to).cut_by) mark.Felt(times);
}

Duration SimNetwork::Delay(NodeId from, NodeId to) {
  const LinkFaults& link = Link(from, to);
  return chance_.Between(link.delay_min, link.delay_max);
}

template <class Function>
void SimNetwork::After(const std::weak_ptr<SimTransport>& transport, Duration delay,
                       Function function) {
  const auto locked = transport.lock();
  if (!locked || locked->stopped_) return;
  auto event = [transport, function = std::move(function)]() mutable {
    const auto alive = transport.lock();
    if (alive && !alive->stopped_) function();
  };
  if (delay > Duration(0)) {
    world_.PushAt(locked->process_, world_.Now() + delay, std::move(event));
  } else {
    world_.Push(locked->process_, std::move(event));
  }
}

void SimNetwork::Dial(const std::shared_ptr<SimTransport>& from, NodeId peer) {
  const auto address = from->peers_.find(peer);
  const auto host = from->host_.lock();
  if (address == from->peers_.end() || !host) return;
  const LinkKey key = Key(from->node_, peer);
  if (connections_.contains(key)) return;
  auto connection = std::make_shared<Connection>();
  connection->from = from->node_;
  connection->to = peer;
  connection->dialler = from;
  connections_[key] = connection;
  const Endpoint endpoint = address->second;
  const std::weak_ptr<SimTransport> listener = Listener(endpoint);
  const bool is_cut = IsCut(from->node_, peer);
  if (is_cut) CountCut(from->node_, peer, 1);
  if (listener.expired() || is_cut) {
    Close(connection,
          boost::system::errc::make_error_code(boost::system::errc::connection_refused));
    return;
  }
  Hello hello = host->LocalHello(peer);
  After(listener, Delay(from->node_, peer),
        [this, connection, endpoint, hello] { Hear(connection, endpoint, hello); });
  After(from, kHandshakeMax, [this, connection] {
    if (!connection->established) {
      Close(connection, boost::system::errc::make_error_code(boost::system::errc::timed_out));
    }
  });
}

void SimNetwork::Hear(const std::shared_ptr<Connection>& connection, const Endpoint& endpoint,
                      const Hello& hello) {
  const auto acceptor = Listener(endpoint);
  if (!acceptor || connection->closed || IsCut(connection->from, connection->to)) return;
  connection->acceptor = acceptor;
  const auto host = acceptor->host_.lock();
  if (!host) return;
  host->Judge(hello, NodeId(),
              [this, connection, process = &acceptor->process_](error_code verdict) {
                // May come from inside Judge: taken up later, like an answer from another thread.
                world_.Push(*process, [this, connection, verdict] { Accept(connection, verdict); });
              });
}

void SimNetwork::Accept(const std::shared_ptr<Connection>& connection, error_code verdict) {
  const auto acceptor = connection->acceptor.lock();
  if (!acceptor || acceptor->stopped_ || connection->closed) return;
  if (verdict) {
    ++counters_.handshakes_refused;
    ++acceptor->statistics_.rejected_handshake;
    After(connection->dialler, Delay(connection->to, connection->from),
          [this, connection, verdict] { HearRefusal(connection, verdict); });
    return;
  }
  const auto host = acceptor->host_.lock();
  if (!host || IsCut(connection->to, connection->from)) return;
  connection->accepted = true;
  const Hello reply = host->LocalHello(connection->from);
  After(connection->dialler, Delay(connection->to, connection->from),
        [this, connection, reply] { HearReply(connection, reply); });
}

void SimNetwork::HearRefusal(const std::shared_ptr<Connection>& connection, error_code reason) {
  const auto dialler = connection->dialler.lock();
  if (!dialler || connection->closed) return;
  if (const auto host = dialler->host_.lock()) host->OnRefused(connection->to, reason);
  Close(connection, reason);
}

void SimNetwork::HearReply(const std::shared_ptr<Connection>& connection, const Hello& hello) {
  const auto dialler = connection->dialler.lock();
  if (!dialler || connection->closed) return;
  const auto host = dialler->host_.lock();
  if (!host) return;
  host->Judge(
      hello, connection->to, [this, connection, process = &dialler->process_](error_code verdict) {
        world_.Push(*process, [this, connection, verdict] { Establish(connection, verdict); });
      });
}

void SimNetwork::Establish(const std::shared_ptr<Connection>& connection, error_code verdict) {
  const auto dialler = connection->dialler.lock();
  if (!dialler || dialler->stopped_ || connection->closed) return;
  if (verdict) {
    ++counters_.handshakes_refused;
    ++dialler->statistics_.rejected_handshake;
    Close(connection, verdict);
    return;
  }
  connection->established = true;
  world_.trace().Event(world_.Now(), "connected", connection->from.value(), connection->to.value());
}

void SimNetwork::Close(const std::shared_ptr<Connection>& connection, error_code reason) {
  if (connection->closed) return;
  connection->closed = true;
  connection->outbox.clear();
  const auto found = connections_.find(Key(connection->from, connection->to));
  if (found != connections_.end() && found->second == connection) connections_.erase(found);
  const bool was_up = connection->established;
  const auto tell = [&](const std::weak_ptr<SimTransport>& side, NodeId peer) {
    After(side, Duration(0), [side, peer, reason] {
      const auto transport = side.lock();
      if (auto host = transport->host_.lock()) host->OnPeerDown(peer, reason);
    });
  };
  tell(connection->dialler, connection->to);
  if (was_up) tell(connection->acceptor, connection->from);
  Redial(connection->dialler, connection->to);
}

void SimNetwork::Redial(const std::weak_ptr<SimTransport>& transport, NodeId peer) {
  After(transport, chance_.Between(kRedialMin, kRedialMax), [this, transport, peer] {
    if (const auto alive = transport.lock()) Dial(alive, peer);
  });
}

void SimNetwork::Flush(const std::shared_ptr<Connection>& connection) {
  connection->flush_pending = false;
  if (connection->closed || connection->outbox.empty()) return;
  // An end that died without a word is noticed by whoever sends to it.
  const auto acceptor = connection->acceptor.lock();
  if (!acceptor || acceptor->stopped_ || acceptor->host_.expired()) {
    return Close(connection,
                 boost::system::errc::make_error_code(boost::system::errc::connection_reset));
  }
  const LinkFaults& link = Link(connection->from, connection->to);
  std::vector<Message> messages = std::exchange(connection->outbox, {});
  if (IsCut(connection->from, connection->to)) {
    CountCut(connection->from, connection->to, messages.size());
    return;
  }
  std::vector<Message> together;
  together.reserve(messages.size());
  for (Message& message : messages) {
    if (link.lose_permille != 0 && chance_.Permille(link.lose_permille)) {
      ++counters_.lost;
      link.lost_by.Felt();
      continue;
    }
    if (filter_permille_ != 0 && chance_.Permille(filter_permille_)) {
      ++counters_.encoded;
      if (!filter_(message)) FailWorld("a message does not survive its encoding");
    }
    const auto alone = [&](Message copy) {
      std::vector<Message> one;
      one.push_back(std::move(copy));
      Deliver(connection, std::move(one), chance_.Between(link.delay_min, link.reorder_max), false);
    };
    if (link.duplicate_permille != 0 && chance_.Permille(link.duplicate_permille)) {
      ++counters_.duplicated;
      link.duplicated_by.Felt();
      alone(message);
    }
    if (link.reorder_permille != 0 && chance_.Permille(link.reorder_permille)) {
      ++counters_.reordered;
      link.reordered_by.Felt();
      alone(std::move(message));
    } else {
      together.push_back(std::move(message));
    }
  }
  if (together.empty()) return;
  if (link.delay_max > LinkFaults().delay_max) {
    counters_.delayed += together.size();
    link.delayed_by.Felt(together.size());
  }
  Deliver(connection, std::move(together), chance_.Between(link.delay_min, link.delay_max), true);
}

void SimNetwork::Deliver(const std::shared_ptr<Connection>& connection,
                         std::vector<Message> messages, Duration delay, bool keeps_order) {
  Instant arrival = world_.Now() + delay;
  if (keeps_order) {
    arrival = std::max(arrival, connection->last_arrival + Duration(1));
    connection->last_arrival = arrival;
  }
  After(connection->acceptor, arrival - world_.Now(),
        [this, connection, messages = std::move(messages)]() mutable {
          const auto acceptor = connection->acceptor.lock();
          // Bytes that were under way when the connection ended die with it.
          if (connection->closed || !connection->accepted) return;
          const auto host = acceptor->host_.lock();
          if (!host) return;
          counters_.delivered += messages.size();
          acceptor->statistics_.messages_received += messages.size();
          world_.trace().Event(world_.Now(), "deliver", connection->from.value(),
                               connection->to.value(), messages.size(),
                               messages.front().body.index());
          host->OnMessages(connection->from, std::move(messages));
        });
}

error_code SimTransport::Start(boost::asio::any_io_executor executor, Endpoint listen,
                               std::weak_ptr<TransportHost> host, std::string& detail) {
  if (network_.Listener(listen)) {
    detail = "the simulated address is in use";
    return RaftErrc::AddressInUse;
  }
  executor_ = std::move(executor);
  host_ = std::move(host);
  listen_ = std::move(listen);
  started_ = true;
  network_.listeners_[{listen_.host, listen_.port}] = weak_from_this();
  for (const auto& [peer, endpoint] : peers_) network_.Redial(weak_from_this(), peer);
  return {};
}

void SimTransport::SetPeer(NodeId peer, Endpoint endpoint) {
  if (stopped_ || peer == node_) return;
  const auto [place, is_new] = peers_.try_emplace(peer, endpoint);
  if (!is_new && place->second == endpoint) return;
  place->second = std::move(endpoint);
  if (!started_) return;
  if (is_new) {
    network_.Redial(weak_from_this(), peer);
  } else {
    network_.DropConnection(node_, peer);
  }
}

void SimTransport::RemovePeer(NodeId peer) {
  peers_.erase(peer);
  const auto found = network_.connections_.find(SimNetwork::Key(node_, peer));
  if (found != network_.connections_.end()) {
    const auto connection = found->second;
    network_.Close(connection, {});
  }
}

void SimTransport::Send(Message message) noexcept {
  if (stopped_) return;
  ++network_.counters_.sent;
  if (network_.observer_ != nullptr) network_.observer_->OnSent(node_, message);
  for (const auto& tap : network_.taps_) tap(message);
  const auto found = network_.connections_.find(SimNetwork::Key(node_, message.to));
  if (found == network_.connections_.end() || !found->second->established) {
    ++statistics_.dropped_unreachable;
    return;
  }
  ++statistics_.messages_sent;
  const std::shared_ptr<SimNetwork::Connection>& connection = found->second;
  connection->outbox.push_back(std::move(message));
  if (connection->flush_pending) return;
  connection->flush_pending = true;
  network_.After(weak_from_this(), Duration(0),
                 [network = &network_, connection] { network->Flush(connection); });
}

void SimTransport::LeaveNetwork() {
  stopped_ = true;
  const auto listener = network_.listeners_.find({listen_.host, listen_.port});
  if (listener != network_.listeners_.end()) {
    const auto transport = listener->second.lock();
    if (!transport || transport.get() == this) network_.listeners_.erase(listener);
  }
  std::vector<std::shared_ptr<SimNetwork::Connection>> mine;
  for (const auto& [key, connection] : network_.connections_) {
    // An expired side is one that is being destroyed: this one, perhaps.
    const auto is_gone = [this](const std::weak_ptr<SimTransport>& side, NodeId node) {
      const auto transport = side.lock();
      return transport.get() == this || (!transport && node == node_);
    };
    const bool was_accepted = connection->accepted && is_gone(connection->acceptor, connection->to);
    if (is_gone(connection->dialler, connection->from) || was_accepted) mine.push_back(connection);
  }
  for (const auto& connection : mine) {
    network_.Close(connection,
                   boost::system::errc::make_error_code(boost::system::errc::connection_reset));
  }
}

void SimTransport::Stop(std::function<void()> done) {
  const bool had_executor = static_cast<bool>(executor_);
  if (!stopped_) LeaveNetwork();
  if (!done) return;
  if (had_executor) {
    boost::asio::post(executor_, [done = std::move(done)] { done(); });
    executor_ = {};
  } else {
    network_.world_.Push(process_, std::move(done));
  }
}

void SimTransport::Kill() noexcept {
  if (!stopped_) LeaveNetwork();
  executor_ = {};
  host_.reset();
}

}  // namespace kommander::sim
