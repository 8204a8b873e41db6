// Handshakes between nodes of one process, step by step as over TCP, each on its own strand.
#include "memory/node.hpp"

#include <boost/asio/error.hpp>

#include "codec/messages.hpp"

namespace kommander::memory {

using codec::Greeting;

// Calls back when an attempt took too long, or when the pause after it is over.
class Node::RetryTimer final : public Clock::Sink, public std::enable_shared_from_this<RetryTimer> {
 public:
  RetryTimer(std::weak_ptr<Node> node, NodeId peer) : node_(std::move(node)), peer_(peer) {}
  void Arm(Clock& clock, const boost::asio::any_io_executor& strand, Duration pause) {
    if (!timer_) timer_ = clock.CreateTimer(strand, weak_from_this());
    timer_->Arm(clock.Now() + pause);
    armed_ = true;
  }
  void Disarm() noexcept {
    armed_ = false;
    if (timer_) timer_->Disarm();
  }
  void OnTimer() noexcept override {
    if (!armed_) return;  // it was on its way when it was disarmed
    armed_ = false;
    if (const auto node = node_.lock()) node->Attempt(peer_);
  }

 private:
  const std::weak_ptr<Node> node_;
  const NodeId peer_;
  bool armed_ = false;
  std::unique_ptr<Clock::Timer> timer_;
};

Node::Node(std::shared_ptr<Switchboard> switchboard, std::shared_ptr<Clock> clock)
    : switchboard_(std::move(switchboard)), clock_(std::move(clock)) {}

error_code Node::Start(boost::asio::any_io_executor executor, Endpoint listen,
                       std::weak_ptr<TransportHost> host, std::string& detail) {
  const detail::MutexLock lock(mutex_);
  if (started_) {
    detail = "the transport was started before";
    return RaftErrc::InvalidArgument;
  }
  const std::string name = listen.ToString();
  if (!switchboard_->Listen(name, weak_from_this())) {
    detail = "another node of the memory network listens on " + name;
    return RaftErrc::AddressInUse;
  }
  started_ = true;
  name_ = name;
  executor_ = executor;
  host_ = std::move(host);
  strand_.emplace(std::move(executor));
  strand_executor_ = *strand_;
  return {};
}

void Node::SetPeer(NodeId peer, Endpoint endpoint) {
  (void)Post([self = shared_from_this(), peer, endpoint = std::move(endpoint)]() mutable {
    self->AddDial(peer, std::move(endpoint));
  });
}

void Node::AddDial(NodeId peer, Endpoint endpoint) {
  if (const auto found = dials_.find(peer); found != dials_.end()) {
    Dial& dial = found->second;
    if (dial.endpoint == endpoint) return;
    dial.endpoint = std::move(endpoint);
    if (const auto link = std::move(dial.link)) CloseLink(link, boost::asio::error::eof);
  } else {
    const auto& options = switchboard_->options();
    dials_.try_emplace(peer, peer, std::move(endpoint),
                       transports::BackOff(options.back_off_least(), options.back_off_most(),
                                           switchboard_->DrawSeed()));
  }
  Attempt(peer);
}

void Node::RemovePeer(NodeId peer) {
  (void)Post([self = shared_from_this(), peer] {
    const auto found = self->dials_.find(peer);
    if (found == self->dials_.end()) return;
    const auto link = std::move(found->second.link);
    self->dials_.erase(found);
    if (link) self->CloseLink(link, boost::asio::error::eof);
  });
}

void Node::Send(Message message) {
  std::shared_ptr<Link> link;
  {
    const detail::MutexLock lock(mutex_);
    const auto found = routes_.find(message.to);
    if (found != routes_.end()) link = found->second;
  }
  const std::size_t bytes = codec::EncodedBytes(message);
  switch (link ? link->Push(std::move(message), bytes) : Link::Pushed::kClosed) {
    case Link::Pushed::kQueued:
    case Link::Pushed::kLost:
      counters_.messages_sent.Add();
      counters_.bytes_sent.Add(bytes);
      break;
    case Link::Pushed::kFull: counters_.dropped_queue_full.Add(); break;
    case Link::Pushed::kClosed: counters_.dropped_unreachable.Add(); break;
  }
}

// --- As dialler ---

Node::Dial* Node::Find(NodeId peer, std::uint64_t attempt) {
  const auto found = dials_.find(peer);
  if (found == dials_.end() || found->second.attempt != attempt) return nullptr;
  return &found->second;
}

void Node::Attempt(NodeId peer) {
  const auto found = dials_.find(peer);
  const auto host = host_.lock();
  if (found == dials_.end() || !host) return;
  Dial& dial = found->second;
  if (dial.link) return;
  ++dial.attempt;
  if (!dial.timer) dial.timer = std::make_shared<RetryTimer>(weak_from_this(), peer);
  Greeting greeting;
  greeting.hello = host->LocalHello(peer);
  greeting.to = peer;
  const NodeId self = greeting.hello.node;
  const auto target = switchboard_->Find(dial.endpoint.ToString());
  const bool reachable =
      target && !switchboard_->IsCut(self, peer) && !switchboard_->IsCut(peer, self);
  Caller caller{weak_from_this(), peer, dial.attempt};
  if (!reachable ||
      !target->Post([target, greeting, caller] { target->OnGreeting(greeting, caller); })) {
    Retry(dial, boost::asio::error::connection_refused);
    return;
  }
  dial.timer->Arm(*clock_, strand_executor_, switchboard_->options().handshake_timeout());
}

void Node::Retry(Dial& dial, error_code reason) {
  ++dial.attempt;
  if (!dial.timer) dial.timer = std::make_shared<RetryTimer>(weak_from_this(), dial.peer);
  dial.timer->Arm(*clock_, strand_executor_, dial.pauses.Next());
  // A peer that stays away is told of once.
  if (std::exchange(dial.reported, true)) return;
  const NodeId peer = dial.peer;
  if (const auto host = host_.lock()) host->OnPeerDown(peer, reason);
}

void Node::OnAnswer(NodeId peer, std::uint64_t attempt, std::shared_ptr<Node> acceptor,
                    Greeting answer) {
  const auto host = host_.lock();
  if (!Find(peer, attempt) || !host) return;
  const error_code error = codec::CheckGreeting(host->LocalHello(peer), answer, peer);
  if (error) {
    OnAnswerJudged(peer, attempt, std::move(acceptor), error);
    return;
  }
  auto verdict = [weak = weak_from_this(), peer, attempt,
                  weak_acceptor = std::weak_ptr(acceptor)](error_code judged) {
    const auto self = weak.lock();
    if (!self) return;
    (void)self->Post([self, peer, attempt, weak_acceptor, judged] {
      self->OnAnswerJudged(peer, attempt, weak_acceptor.lock(), judged);
    });
  };
  host->Judge(std::move(answer.hello), peer, std::move(verdict));
}

void Node::OnAnswerJudged(NodeId peer, std::uint64_t attempt, std::shared_ptr<Node> acceptor,
                          error_code verdict) {
  Dial* dial = Find(peer, attempt);
  const auto host = host_.lock();
  if (!dial || !host) return;
  if (verdict) {
    counters_.rejected_handshake.Add();
    dial->reported = false;
    Retry(*dial, verdict);
    return;
  }
  if (!acceptor) {
    Retry(*dial, boost::asio::error::eof);
    return;
  }
  auto link = std::make_shared<Link>(host->LocalHello(peer).node, peer, switchboard_,
                                     weak_from_this(), acceptor, acceptor->clock_);
  // The acceptor learns of the link before anything can arrive on it.
  if (!acceptor->Post([acceptor, link] { acceptor->AddInbound(link); })) {
    Retry(*dial, boost::asio::error::eof);
    return;
  }
  dial->timer->Disarm();
  dial->pauses.Reset();
  dial->reported = false;
  dial->link = link;
  const detail::MutexLock lock(mutex_);
  if (strand_) routes_[peer] = std::move(link);
}

void Node::OnRefused(NodeId peer, std::uint64_t attempt, error_code reason) {
  Dial* dial = Find(peer, attempt);
  if (!dial) return;
  dial->reported = true;  // in these words instead
  Retry(*dial, reason);
  if (const auto host = host_.lock()) host->OnRefused(peer, reason);
}

// --- As acceptor ---

void Node::OnGreeting(Greeting greeting, Caller caller) {
  const auto host = host_.lock();
  if (!host) return;
  const error_code error =
      codec::CheckGreeting(host->LocalHello(greeting.hello.node), greeting, NodeId());
  if (error) {
    OnGreetingJudged(greeting, caller, error);
    return;
  }
  Hello hello = greeting.hello;
  auto verdict = [weak = weak_from_this(), greeting = std::move(greeting),
                  caller](error_code judged) {
    const auto self = weak.lock();
    if (!self) return;
    (void)self->Post(
        [self, greeting, caller, judged] { self->OnGreetingJudged(greeting, caller, judged); });
  };
  host->Judge(std::move(hello), NodeId(), std::move(verdict));
}

void Node::OnGreetingJudged(const Greeting& greeting, const Caller& caller, error_code verdict) {
  const auto host = host_.lock();
  const auto dialler = caller.node.lock();
  if (!host) return;
  const NodeId from = greeting.hello.node;
  if (verdict) {
    counters_.rejected_handshake.Add();
    if (dialler) {
      (void)dialler->Post([dialler, peer = caller.peer, attempt = caller.attempt, verdict] {
        dialler->OnRefused(peer, attempt, verdict);
      });
    }
    return;
  }
  if (!dialler) return;
  Greeting answer;
  answer.hello = host->LocalHello(from);
  answer.to = from;
  (void)dialler->Post([dialler, caller, self = shared_from_this(), answer = std::move(answer)] {
    dialler->OnAnswer(caller.peer, caller.attempt, self, answer);
  });
}

void Node::AddInbound(std::shared_ptr<Link> link) {
  auto& place = inbound_[link->from()];
  const auto older = std::exchange(place, std::move(link));
  // The peer dialled anew: what it sent before on another link is no longer wanted.
  if (older && older->Close()) older->DropTimer();
}

void Node::Drain(const std::shared_ptr<Link>& link) {
  const auto found = inbound_.find(link->from());
  const auto host = host_.lock();
  if (found == inbound_.end() || found->second != link || !host) return;
  std::vector<Message> messages = link->TakeDue(strand_executor_);
  if (messages.empty()) return;
  std::size_t bytes = 0;
  for (const auto& message : messages) {
    if (message.from != link->from() || message.to != link->to()) {
      counters_.rejected_foreign.Add();
      CloseLink(link, RaftErrc::UnexpectedPeer);
      return;
    }
    bytes += codec::EncodedBytes(message);
  }
  counters_.messages_received.Add(messages.size());
  counters_.bytes_received.Add(bytes);
  counters_.writes.Add();
  host->OnMessages(link->from(), std::move(messages));
}

// --- Ends ---

bool Node::PostDrain(std::shared_ptr<Link> link) {
  return Post([self = shared_from_this(), link = std::move(link)] { self->Drain(link); });
}

void Node::Unroute(const std::shared_ptr<Link>& link) {
  std::shared_ptr<Link> held;  // let go after the mutex
  const detail::MutexLock lock(mutex_);
  const auto found = routes_.find(link->to());
  if (found == routes_.end() || found->second != link) return;
  held = std::move(found->second);
  routes_.erase(found);
}

void Node::CloseLink(const std::shared_ptr<Link>& link, error_code reason) {
  if (!link->Close()) return;
  for (const auto& node : {link->sender(), link->receiver()}) {
    if (!node) continue;
    if (node.get() == this) {
      OnLinkClosed(link, reason);
    } else {
      (void)node->Post([node, link, reason] { node->OnLinkClosed(link, reason); });
    }
  }
}

void Node::OnLinkClosed(const std::shared_ptr<Link>& link, error_code reason) {
  const auto host = host_.lock();
  if (const auto found = inbound_.find(link->from());
      found != inbound_.end() && found->second == link) {
    inbound_.erase(found);
    link->DropTimer();
    if (host) host->OnPeerDown(link->from(), reason);
    return;
  }
  Unroute(link);
  const auto found = dials_.find(link->to());
  if (found == dials_.end() || found->second.link != link) return;
  found->second.link.reset();
  Retry(found->second, reason);
}

void Node::Stop(std::function<void()> done) {
  std::optional<boost::asio::strand<boost::asio::any_io_executor>> strand;
  {
    const detail::MutexLock lock(mutex_);
    strand.swap(strand_);
    started_ = true;  // a transport that was stopped does not start
    if (strand) stopping_ = true;
    if (stopping_ && done) stopped_.push_back(std::exchange(done, nullptr));
  }
  if (strand) {
    switchboard_->Leave(name_, this);
    // Whatever was posted before this runs before it, and nothing is posted after it.
    boost::asio::post(*strand, [self = shared_from_this()] { self->Finish(); });
  }
  // Never started, or ended long ago: there is no executor to use.
  if (done) done();
}

void Node::Finish() {
  host_.reset();
  decltype(routes_) routes;
  {
    const detail::MutexLock lock(mutex_);
    routes.swap(routes_);
  }
  for (auto& [peer, dial] : std::exchange(dials_, {})) {
    if (const auto link = std::move(dial.link)) CloseLink(link, boost::asio::error::eof);
  }
  for (const auto& [peer, link] : std::exchange(inbound_, {})) {
    CloseLink(link, boost::asio::error::eof);
    link->DropTimer();
  }
  strand_executor_ = {};
  const auto executor = std::exchange(executor_, {});
  const detail::MutexLock lock(mutex_);
  stopping_ = false;
  for (auto& done : std::exchange(stopped_, {})) boost::asio::post(executor, std::move(done));
}

}  // namespace kommander::memory
