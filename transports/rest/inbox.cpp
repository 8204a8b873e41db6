#include "rest/inbox.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <new>
#include <random>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include "rest/answers.hpp"
#include "rest/transport_service.hpp"

namespace kommander::rest {

using codec::FrameError;

namespace {

// 128 bits that nobody guesses, in hexadecimal.
std::string DrawToken() {
  std::random_device device;
  std::string token;
  for (int i = 0; i < 4; ++i) {
    char digits[9];
    std::snprintf(digits, sizeof digits, "%08x", device());
    token += digits;
  }
  return token;
}

RestAnswer JsonAnswer(std::string body) { return {200, "application/json", std::move(body)}; }

error_code ReasonOf(FrameError error) noexcept {
  namespace errc = boost::system::errc;
  if (error == FrameError::kForeign) return RaftErrc::UnexpectedPeer;
  if (error == FrameError::kOutOfOrder) return make_error_code(errc::protocol_error);
  return make_error_code(errc::bad_message);
}

}  // namespace

Inbox::Inbox(std::shared_ptr<TransportService> service, std::shared_ptr<detail::Life> life,
             const boost::asio::any_io_executor& executor)
    : life_(std::move(life)),
      service_(std::move(service)),
      strand_(executor),
      strand_executor_(strand_) {}

Inbox::~Inbox() = default;

bool Inbox::Owns(std::string_view target) const noexcept { return IsRaftPath(target); }

// Who has no session cannot make this node read much.
std::size_t Inbox::BodyBytesMax(const RestRequest& request) const noexcept {
  if (request.method != "POST" || !Owns(request.target)) return 0;
  if (Target(request.target).path == kHandshakePath) return kGreetingTextMax;
  if (Target(request.target).path == kFarewellPath) return kGreetingTextMax;
  const detail::MutexLock lock(mutex_);
  return sessions_.count(request.session) != 0 ? kBatchTextMax : kGreetingTextMax;
}

void Inbox::Handle(RestRequest request, Done done) {
  const Target target(request.target);
  if (request.method != "POST") {
    RestAnswer answer = ErrorAnswer(405, "MethodNotAllowed", "this route takes POST");
    answer.allow = "POST";
    answer.is_head = request.method == "HEAD";
    return done(std::move(answer));
  }
  if (!target.query.empty()) {
    return done(ErrorAnswer(400, RaftErrc::InvalidArgument, "this route has no parameters"));
  }
  // A server of the application's has its own bound for all its routes.
  if (request.body.size() > BodyBytesMax(request)) {
    return done(ErrorAnswer(413, "BodyTooLarge", "the body is larger than the route takes"));
  }
  if (target.path == kHandshakePath) return Greet(request.body, done);
  if (target.path == kFarewellPath) return done(Part(request));
  Take(request, done);
}

// --- Handshakes ---

void Inbox::Greet(std::string_view text, const Done& done) {
  codec::Greeting greeting;
  if (!DecodeHello(text, greeting)) {
    service_->counters().AddRefused(FrameError::kCorrupt);
    return done(ErrorAnswer(400, "BadRequest", "this is no hello"));
  }
  const auto host = service_->host();
  if (!host) return done(ErrorAnswer(503, RaftErrc::NodeStopped, "the node was stopped"));
  const error_code error =
      codec::CheckGreeting(host->LocalHello(greeting.hello.node), greeting, NodeId());
  if (error) {
    service_->counters().rejected_handshake.Add();
    return done(RefusalAnswer(error));
  }
  std::uint64_t number = 0;
  {
    const detail::MutexLock lock(mutex_);
    if (is_closed_) return done(ErrorAnswer(503, RaftErrc::NodeStopped, "the node was stopped"));
    if (waiting_.size() >= service_->options().connections_max()) {
      return done(RefusalAnswer(RaftErrc::NodeIsNotReady));  // others wait for the host already
    }
    number = next_waiting_++;
    waiting_[number] = {done, greeting,
                        service_->clock().Now() + service_->options().handshake_timeout()};
  }
  host->Judge(greeting.hello, NodeId(), [weak = weak_from_this(), number](error_code verdict) {
    if (const auto self = weak.lock()) self->OnJudged(number, verdict);
  });
}

void Inbox::OnJudged(std::uint64_t number, error_code verdict) {
  Waiting waiting;
  {
    const detail::MutexLock lock(mutex_);
    const auto found = waiting_.find(number);
    if (found == waiting_.end()) return;  // given up meanwhile
    waiting = std::move(found->second);
    waiting_.erase(found);
  }
  const auto host = service_->host();
  if (!host && !verdict) verdict = RaftErrc::NodeStopped;
  if (verdict) {
    service_->counters().rejected_handshake.Add();
    return waiting.done(RefusalAnswer(verdict));
  }
  const NodeId peer = waiting.greeting.hello.node;
  const codec::Greeting answer{host->LocalHello(peer), peer};
  const codec::Route route{peer, answer.hello.node,
                           codec::ChooseVersion(answer.hello, waiting.greeting.hello)};
  std::string token = DrawToken();
  {
    const detail::MutexLock lock(mutex_);
    if (is_closed_) token.clear();
    // A peer has one session: the newer one says that the older one is over.
    std::erase_if(sessions_, [peer](const auto& one) { return one.second.route.from == peer; });
    if (!token.empty()) sessions_[token] = {route, 1, service_->clock().Now(), false};
  }
  if (token.empty()) return waiting.done(RefusalAnswer(RaftErrc::NodeStopped));
  waiting.done(JsonAnswer(EncodeWelcome(token, answer)));
}

// --- Messages ---

void Inbox::Take(const RestRequest& request, const Done& done) {
  codec::Route route;
  {
    const detail::MutexLock lock(mutex_);
    const auto found = sessions_.find(request.session);
    if (found != sessions_.end() && !found->second.is_busy) {
      route = found->second.route;
      found->second.is_busy = true;
      found->second.heard = service_->clock().Now();
    }
  }
  if (!route.from) {
    service_->counters().AddRefused(FrameError::kOutOfOrder);
    return done(ErrorAnswer(401, "NoSession", "there is no such session, or it is busy"));
  }
  RestAnswer answer;
  try {
    answer = TakeBatch(request.session, route, request.body);
  } catch (const std::bad_alloc&) {
    ReportDown(EndSession(request.session),
               make_error_code(boost::system::errc::not_enough_memory));
    answer = RefusalAnswer(RaftErrc::NodeIsNotReady);
  }
  done(std::move(answer));
}

RestAnswer Inbox::TakeBatch(const std::string& token, const codec::Route& route,
                            std::string_view text) {
  const auto host = service_->host();
  if (!host) return ErrorAnswer(503, RaftErrc::NodeStopped, "the node was stopped");
  service_->counters().bytes_received.Add(text.size());
  Batch batch;
  FrameError error = DecodeBatch(text, route, batch);
  if (error != FrameError::kNone) return RefuseBatch(token, error);
  {
    const detail::MutexLock lock(mutex_);
    const auto found = sessions_.find(token);
    if (found == sessions_.end()) {
      return ErrorAnswer(401, "NoSession", "the session is over");
    }
    if (found->second.next != batch.sequence) error = FrameError::kOutOfOrder;
    ++found->second.next;
  }
  if (error != FrameError::kNone) return RefuseBatch(token, error);
  const std::size_t count = batch.messages.size();
  if (count != 0) {
    service_->counters().messages_received.Add(count);
    host->OnMessages(route.from, std::move(batch.messages));
  }
  {
    const detail::MutexLock lock(mutex_);
    const auto found = sessions_.find(token);
    if (found != sessions_.end()) found->second.is_busy = false;
  }
  return JsonAnswer("{\"received\":" + std::to_string(count) + "}");
}

RestAnswer Inbox::RefuseBatch(const std::string& token, FrameError error) {
  service_->counters().AddRefused(error);
  ReportDown(EndSession(token), ReasonOf(error));
  if (error == FrameError::kForeign) {
    return ErrorAnswer(403, RaftErrc::UnexpectedPeer, "the session is another node's");
  }
  if (error == FrameError::kOutOfOrder) {
    return ErrorAnswer(409, "OutOfOrder", "another request was to come next");
  }
  return ErrorAnswer(400, "BadRequest", "this is no batch of messages");
}

// The peer will not go on: it has judged against this node, or does not know it any more.
RestAnswer Inbox::Part(const RestRequest& request) {
  error_code reason;
  if (!DecodeFarewell(request.body, reason)) {
    service_->counters().AddRefused(FrameError::kCorrupt);
    return ErrorAnswer(400, "BadRequest", "this is no farewell");
  }
  const NodeId peer = EndSession(request.session);
  if (!peer) {
    service_->counters().AddRefused(FrameError::kOutOfOrder);
    return ErrorAnswer(401, "NoSession", "there is no such session");
  }
  const auto host = service_->host();
  if (reason && host) host->OnRefused(peer, reason);
  if (!reason) ReportDown(peer, boost::asio::error::eof);
  return JsonAnswer("{}");
}

NodeId Inbox::EndSession(const std::string& token) {
  const detail::MutexLock lock(mutex_);
  const auto found = sessions_.find(token);
  if (found == sessions_.end()) return {};
  const NodeId peer = found->second.route.from;
  sessions_.erase(found);
  return peer;
}

void Inbox::ReportDown(NodeId peer, error_code reason) {
  const auto host = service_->host();
  if (peer && host) host->OnPeerDown(peer, reason);
}

// --- Time, and the end ---

void Inbox::PostBegin() {
  boost::asio::post(strand_, [self = shared_from_this()] { self->Sweep(); });
}

// Sessions that hear nothing, judgements that do not come.
void Inbox::Sweep() {
  const Instant now = service_->clock().Now();
  std::vector<NodeId> silent;
  std::vector<Done> unanswered;
  {
    const detail::MutexLock lock(mutex_);
    if (is_closed_) return;
    for (auto session = sessions_.begin(); session != sessions_.end();) {
      const bool is_over = !session->second.is_busy &&
                           session->second.heard + service_->options().idle_timeout() <= now;
      if (is_over) silent.push_back(session->second.route.from);
      session = is_over ? sessions_.erase(session) : std::next(session);
    }
    for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
      const bool is_over = waiting->second.until <= now;
      if (is_over) unanswered.push_back(std::move(waiting->second.done));
      waiting = is_over ? waiting_.erase(waiting) : std::next(waiting);
    }
  }
  for (const NodeId peer : silent) ReportDown(peer, boost::asio::error::timed_out);
  for (const Done& done : unanswered) done(RefusalAnswer(RaftErrc::NodeIsNotReady));
  const Duration pause =
      std::min(service_->options().idle_timeout(), service_->options().handshake_timeout()) / 2;
  timer_.Arm(service_->clock(), strand_executor_, weak_from_this(), &Inbox::Sweep, pause);
}

void Inbox::Close() {
  decltype(waiting_) waiting;
  {
    const detail::MutexLock lock(mutex_);
    is_closed_ = true;
    sessions_.clear();
    waiting.swap(waiting_);
  }
  for (const auto& [number, one] : waiting) one.done(RefusalAnswer(RaftErrc::NodeStopped));
  boost::asio::post(strand_, [self = shared_from_this()] { self->timer_.End(); });
}

}  // namespace kommander::rest
