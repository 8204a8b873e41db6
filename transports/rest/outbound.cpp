// A peer's life: attempt, greet, be judged, ask and probe, lose, pause, attempt again.
#include "rest/outbound.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "codec/handshake.hpp"
#include "rest/inbox.hpp"

namespace kommander::rest {

namespace asio = boost::asio;

namespace {

// How long a request may take to leave before the farewell that follows it.
constexpr Duration kGoodbye = std::chrono::seconds(1);

}  // namespace

Outbound::Outbound(std::shared_ptr<TransportService> service, std::shared_ptr<detail::Life> life,
                   asio::any_io_executor executor, NodeId id)
    : life_(std::move(life)),
      service_(std::move(service)),
      id_(id),
      strand_(std::move(executor)),
      strand_executor_(strand_),
      queue_(service_->options().queue_bytes(), service_->counters()),
      pauses_(service_->options().back_off_least(), service_->options().back_off_most(),
              service_->options().seed() ^ (std::uint64_t{id.value()} << 32)) {}

Outbound::~Outbound() = default;

void Outbound::Send(Message message) {
  if (!queue_.Push(std::move(message))) return;
  asio::post(strand_, [self = shared_from_this()] { self->Flush(); });
}

void Outbound::PostEndpoint(Endpoint endpoint) {
  asio::post(strand_, [self = shared_from_this(), endpoint = std::move(endpoint)]() mutable {
    self->SetEndpoint(std::move(endpoint));
  });
}

void Outbound::PostLeave() {
  asio::post(strand_, [self = shared_from_this()] { self->Leave(); });
}

void Outbound::PostClose() {
  asio::post(strand_, [self = shared_from_this()] { self->Close(); });
}

void Outbound::SetEndpoint(Endpoint endpoint) {
  if (closed_ || endpoint == endpoint_) return;
  endpoint_ = std::move(endpoint);
  passed_over_ = 0;
  Abandon();
  timer_.Disarm();
  pauses_.Reset();
  Attempt();
}

void Outbound::Leave() {
  is_leaving_ = true;
  const bool is_sending = wire_ && wire_->is_open && wire_->is_asking && !wire_->has_sent;
  if (!is_sending || closed_) return Close();
  queue_.Close();
  Arm(kGoodbye);
}

void Outbound::Close() {
  if (std::exchange(closed_, true)) return;
  if (is_leaving_) service_->Forget(this);
  timer_.End();
  if (wire_ && wire_->is_open) SayFarewell(wire_, {});
  Abandon();
}

// Gives the current attempt or connection up; its handlers will find that it is not current.
void Outbound::Abandon() {
  queue_.Close();
  if (const WirePtr wire = std::exchange(wire_, nullptr)) {
    error_code ignored;
    wire->socket.close(ignored);
  }
}

// If the system takes it at once, which it does unless the peer has not read for long: nobody waits
// for the answer. Without it the peer hears of the end when the session's idle time is over.
void Outbound::SayFarewell(const WirePtr& wire, error_code reason) {
  if (wire->is_asking && !wire->has_sent) return;  // inside another request
  const std::string body = EncodeFarewell(reason);
  PutHead(*wire, kFarewellPath, body);
  const std::array<asio::const_buffer, 2> parts = {asio::buffer(wire->head), asio::buffer(body)};
  error_code ignored;
  wire->socket.non_blocking(true, ignored);
  if (!ignored) wire->socket.write_some(parts, ignored);
}

void Outbound::Lose(const WirePtr& wire, error_code reason) {
  if (wire != wire_ || closed_) return;
  if (is_leaving_) return Close();
  // Where nobody answered, or somebody else did, the next attempt does not begin.
  if (!wire->is_open) passed_over_ += wire->tried;
  Abandon();
  Arm(pauses_.Next());
  // A peer that stays away is told of once.
  if (std::exchange(reported_, true)) return;
  if (const auto host = service_->host()) host->OnPeerDown(id_, reason);
}

void Outbound::LoseMalformed(const WirePtr& wire) {
  service_->counters().AddRefused(codec::FrameError::kCorrupt);
  reported_ = false;
  Lose(wire, make_error_code(boost::system::errc::bad_message));
}

void Outbound::Arm(Duration pause) {
  timer_.Arm(service_->clock(), strand_executor_, weak_from_this(), &Outbound::OnTimer, pause);
}

// A pause is over, the queue was silent for long, or an answer did not come in time.
void Outbound::OnTimer() {
  if (is_leaving_) return Close();
  const WirePtr wire = wire_;
  if (!wire) return Attempt();
  if (!wire->is_open || wire->is_asking) return Lose(wire, asio::error::timed_out);
  SendBatch(wire);  // empty: is the peer there?
}

// --- Up to the end of the handshake ---

void Outbound::Attempt() {
  const auto host = service_->host();
  if (closed_ || wire_ || !host) return;
  const auto wire = std::make_shared<Wire>(strand_);
  wire->local = host->LocalHello(id_);
  wire_ = wire;
  Arm(service_->options().handshake_timeout());
  error_code not_literal;
  const auto address = asio::ip::make_address(endpoint_.host, not_literal);
  if (not_literal) {
    wire->awaits_names = true;
    return LookUp(wire);
  }
  wire->addresses.push_back(address);
  Connect(wire);
}

// Asked anew for every attempt, but one question at a time: a resolver that hangs is not given more
// to do, and its answer serves the attempt that waits by then. Held weakly, since it may come late.
void Outbound::LookUp(const WirePtr& wire) {
  if (wire != wire_ || std::exchange(looking_up_, true)) return;
  service_->names().Find(
      strand_, endpoint_.host,
      [weak = weak_from_this(), host = endpoint_.host](error_code error, auto addresses) {
        if (const auto self = weak.lock()) self->OnNames(host, error, std::move(addresses));
      });
}

void Outbound::OnNames(const std::string& host, error_code error,
                       transports::Names::Addresses addresses) {
  looking_up_ = false;
  const WirePtr wire = wire_;
  if (closed_ || !wire || !wire->awaits_names) return;
  if (host != endpoint_.host) return LookUp(wire);  // the peer is somewhere else by now
  wire->awaits_names = false;
  if (!error && addresses.empty()) error = asio::error::host_not_found;
  if (error) return Lose(wire, error);
  const auto first = static_cast<std::ptrdiff_t>(passed_over_ % addresses.size());
  std::rotate(addresses.begin(), addresses.begin() + first, addresses.end());
  wire->addresses = std::move(addresses);
  Connect(wire);
}

// One address after the other, until one takes the connection.
void Outbound::Connect(const WirePtr& wire) {
  const asio::ip::tcp::endpoint endpoint(wire->addresses[wire->tried++], endpoint_.port);
  wire->socket.async_connect(endpoint, [self = shared_from_this(), wire](error_code error) {
    if (wire != self->wire_) return;
    if (!error || wire->tried == wire->addresses.size()) return self->OnConnected(wire, error);
    error_code ignored;
    wire->socket.close(ignored);  // the next one may be of the other family
    self->Connect(wire);
  });
}

void Outbound::OnConnected(const WirePtr& wire, error_code error) {
  if (wire != wire_) return;
  const bool is_named = wire->local.cluster_id.size() <= codec::kClusterIdBytesMax;
  if (!error && !is_named) error = RaftErrc::InvalidArgument;
  if (!error) wire->socket.set_option(asio::ip::tcp::no_delay(true), error);
  if (error) return Lose(wire, error);
  wire->body = EncodeHello(codec::Greeting{wire->local, id_});
  Ask(wire, kHandshakePath, wire->body);
}

void Outbound::OnGreeted(const WirePtr& wire) {
  codec::Greeting answer;
  if (!DecodeWelcome(wire->reader.body(), wire->session, answer)) return LoseMalformed(wire);
  const auto host = service_->host();
  const error_code error = codec::CheckGreeting(wire->local, answer, id_);
  if (error || !host) {
    return OnJudged(wire, error ? error : make_error_code(RaftErrc::NodeStopped));
  }
  wire->version = codec::ChooseVersion(wire->local, answer.hello);
  auto verdict = [weak = weak_from_this(), weak_wire = std::weak_ptr(wire)](error_code judged) {
    const auto self = weak.lock();
    const auto judged_wire = weak_wire.lock();
    if (!self || !judged_wire) return;
    asio::post(self->strand_, [self, judged_wire, judged] { self->OnJudged(judged_wire, judged); });
  };
  host->Judge(std::move(answer.hello), id_, std::move(verdict));
}

void Outbound::OnRefused(const WirePtr& wire) {
  error_code reason;
  if (!DecodeRefusal(wire->reader.body(), reason)) return LoseMalformed(wire);
  reported_ = true;  // in these words instead
  Lose(wire, reason);
  if (const auto host = service_->host()) host->OnRefused(id_, reason);
}

void Outbound::OnJudged(const WirePtr& wire, error_code verdict) {
  if (wire != wire_ || wire->is_open) return;
  if (verdict) {
    service_->counters().rejected_handshake.Add();
    SayFarewell(wire, verdict);
    reported_ = false;
    return Lose(wire, verdict);
  }
  wire->is_open = true;
  reported_ = false;
  pauses_.Reset();
  queue_.Open();
  Arm(service_->options().idle_timeout() / kProbesPerIdle);
}

// --- Requests ---

void Outbound::PutHead(Wire& wire, std::string_view path, const std::string& body) const {
  wire.head = "POST ";
  wire.head += path;
  wire.head += " HTTP/1.1\r\nHost: " + endpoint_.ToString();
  if (!wire.session.empty()) wire.head += "\r\nKommander-Session: " + wire.session;
  wire.head += "\r\nContent-Type: application/json\r\nContent-Length: ";
  wire.head += std::to_string(body.size()) + "\r\n\r\n";
}

void Outbound::Ask(const WirePtr& wire, std::string_view path, const std::string& body) {
  wire->is_asking = true;
  wire->has_sent = false;
  PutHead(*wire, path, body);
  const std::array<asio::const_buffer, 2> parts = {asio::buffer(wire->head), asio::buffer(body)};
  asio::async_write(wire->socket, parts,
                    [self = shared_from_this(), wire](error_code error, std::size_t count) {
                      self->OnAsked(wire, error, count);
                    });
  Read(wire);
}

void Outbound::OnAsked(const WirePtr& wire, error_code error, std::size_t count) {
  if (wire != wire_) return;
  service_->counters().writes.Add();
  service_->counters().bytes_sent.Add(count);
  // An answer that refuses what was not read to its end may still be on its way.
  if (error && wire->is_reading) return;
  if (error) return Lose(wire, error);
  wire->has_sent = true;
  if (is_leaving_) return Close();
  if (wire->reader.state() == ResponseReader::State::kAnswer) OnAnswer(wire);
}

// One is always under way, so the end of a connection shows at once.
void Outbound::Read(const WirePtr& wire) {
  if (std::exchange(wire->is_reading, true)) return;
  const auto room = wire->reader.Prepare();
  wire->socket.async_read_some(
      asio::buffer(room.data(), room.size()),
      [self = shared_from_this(), wire](error_code error, std::size_t count) {
        self->OnRead(wire, error, count);
      });
}

void Outbound::OnRead(const WirePtr& wire, error_code error, std::size_t count) {
  wire->is_reading = false;
  if (wire != wire_) return;
  if (error) return Lose(wire, error);
  service_->counters().bytes_received.Add(count);
  if (!wire->is_asking) return LoseMalformed(wire);  // nothing was asked
  try {
    wire->reader.Commit(count);
    switch (wire->reader.state()) {
      case ResponseReader::State::kMalformed: return LoseMalformed(wire);
      case ResponseReader::State::kReading: return Read(wire);
      case ResponseReader::State::kAnswer: break;
    }
    const bool is_refusal = wire->reader.status() != 200;
    if (wire->has_sent || is_refusal) OnAnswer(wire);
  } catch (const std::exception&) {
    Lose(wire, make_error_code(boost::system::errc::not_enough_memory));
  }
}

void Outbound::OnAnswer(const WirePtr& wire) {
  const unsigned status = wire->reader.status();
  const bool is_handshake = wire->session.empty();
  if (is_handshake && (status == 403 || status == 503)) return OnRefused(wire);
  if (status != 200) {
    return Lose(wire, make_error_code(boost::system::errc::protocol_error));
  }
  if (wire->reader.HasMore()) return LoseMalformed(wire);
  if (!wire->reader.keep_alive()) return Lose(wire, asio::error::eof);
  wire->is_asking = false;
  if (is_handshake) {
    OnGreeted(wire);
  } else {
    service_->counters().messages_sent.Add(wire->writer.count());
  }
  if (wire != wire_) return;
  wire->reader.Begin();
  Read(wire);
  if (!is_handshake) Flush();
}

// --- What the queue holds ---

void Outbound::Flush() {
  const WirePtr wire = wire_;
  if (!wire || !wire->is_open || wire->is_asking) return;
  try {
    wire->messages.swap(wire->later);
    wire->later.clear();
    const bool has_some =
        !wire->messages.empty() || queue_.Take(service_->options().request_bytes(), wire->messages);
    if (has_some) return SendBatch(wire);
    Arm(service_->options().idle_timeout() / kProbesPerIdle);
  } catch (const std::exception&) {
    Lose(wire, make_error_code(boost::system::errc::not_enough_memory));
  }
}

void Outbound::SendBatch(const WirePtr& wire) {
  auto message = wire->messages.begin();
  codec::Route route{wire->local.node, id_, wire->version};
  if (message != wire->messages.end()) {
    route.from = message->from;
    route.to = message->to;
  }
  wire->writer.Begin(route, ++wire->sequence);
  for (; message != wire->messages.end(); ++message) {
    if (message->from != route.from || message->to != route.to) break;
    if (wire->writer.Add(*message)) continue;
    if (wire->writer.count() != 0) break;           // the next request has room for it
    service_->counters().dropped_queue_full.Add();  // none has
  }
  wire->later.assign(std::make_move_iterator(message),
                     std::make_move_iterator(wire->messages.end()));
  wire->messages.clear();
  Arm(service_->options().idle_timeout());
  Ask(wire, kMessagesPath, wire->writer.Finish());
}

}  // namespace kommander::rest
