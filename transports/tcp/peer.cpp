// A peer's life: attempt, greet, be judged, write and ping, lose, pause, attempt again.
#include "tcp/peer.hpp"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include "codec/handshake.hpp"
#include "mutants/mutants.hpp"
#include "tcp/refusal.hpp"

namespace kommander::tcp {

namespace asio = boost::asio;
using codec::FrameKind;

Peer::Peer(std::shared_ptr<Service> service, std::shared_ptr<Life> life,
           asio::any_io_executor executor, NodeId id)
    : life_(std::move(life)),
      service_(std::move(service)),
      id_(id),
      strand_(std::move(executor)),
      strand_executor_(strand_),
      queue_(service_->options().queue_bytes(), service_->counters()),
      pauses_(service_->options().back_off_least(), service_->options().back_off_most(),
              service_->options().seed() ^ (std::uint64_t{id.value()} << 32)) {}

Peer::~Peer() = default;

void Peer::Send(Message message) {
  if (!queue_.Push(std::move(message))) return;
  asio::post(strand_, [self = shared_from_this()] { self->Flush(); });
}

void Peer::PostEndpoint(Endpoint endpoint) {
  asio::post(strand_, [self = shared_from_this(), endpoint = std::move(endpoint)]() mutable {
    self->SetEndpoint(std::move(endpoint));
  });
}

void Peer::PostClose() {
  asio::post(strand_, [self = shared_from_this()] { self->Close(); });
}

void Peer::SetEndpoint(Endpoint endpoint) {
  if (closed_ || endpoint == endpoint_) return;
  endpoint_ = std::move(endpoint);
  passed_over_ = 0;
  Abandon();
  timer_.Disarm();
  pauses_.Reset();
  Attempt();
}

void Peer::Close() {
  closed_ = true;
  timer_.End();
  Abandon();
}

// Gives the current attempt or connection up; its handlers will find that it is not current.
void Peer::Abandon() {
  queue_.Close();
  if (const WirePtr wire = std::exchange(wire_, nullptr)) {
    error_code ignored;
    wire->socket.close(ignored);
  }
}

void Peer::Lose(const WirePtr& wire, error_code reason) {
  if (wire != wire_ || closed_) return;
  // Where nobody answered, or somebody else did, the next attempt does not begin.
  if (!wire->open) passed_over_ += wire->tried;
  Abandon();
  timer_.Arm(service_->clock(), strand_executor_, weak_from_this(), &Peer::OnDeadline,
             pauses_.Next());
  // A peer that stays away is told of once.
  if (std::exchange(reported_, true)) return;
  if (const auto host = service_->host()) host->OnPeerDown(id_, reason);
}

void Peer::LoseMalformed(const WirePtr& wire, codec::FrameError error) {
  service_->counters().AddRefused(error);
  reported_ = false;
  Lose(wire, ToErrorCode(error));
}

// --- Up to the end of the handshake ---

void Peer::Attempt() {
  const auto host = service_->host();
  if (closed_ || wire_ || !host) return;
  const auto wire = std::make_shared<Wire>(strand_);
  wire->local = host->LocalHello(id_);
  wire_ = wire;
  timer_.Arm(service_->clock(), strand_executor_, weak_from_this(), &Peer::OnDeadline,
             service_->options().handshake_timeout());
  error_code not_literal;
  const auto address = asio::ip::make_address(endpoint_.host, not_literal);
  if (not_literal) {
    wire->awaits_names = true;
    LookUp(wire);
    return;
  }
  wire->addresses.push_back(address);
  Connect(wire);
}

// Asked anew for every attempt, but one question at a time: a resolver that hangs is not given more
// to do, and its answer serves the attempt that waits by then. Held weakly, since it may come late.
void Peer::LookUp(const WirePtr& wire) {
  if (wire != wire_ || std::exchange(looking_up_, true)) return;
  service_->names().Find(
      strand_, endpoint_.host,
      [weak = weak_from_this(), host = endpoint_.host](error_code error, auto addresses) {
        if (const auto self = weak.lock()) self->OnNames(host, error, std::move(addresses));
      });
}

void Peer::OnNames(const std::string& host, error_code error, Names::Addresses addresses) {
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
void Peer::Connect(const WirePtr& wire) {
  const asio::ip::tcp::endpoint endpoint(wire->addresses[wire->tried++], endpoint_.port);
  wire->socket.async_connect(endpoint, [self = shared_from_this(), wire](error_code error) {
    if (wire != self->wire_) return;
    if (!error || wire->tried == wire->addresses.size()) return self->OnConnected(wire, error);
    error_code ignored;
    wire->socket.close(ignored);  // the next one may be of the other family
    self->Connect(wire);
  });
}

void Peer::OnConnected(const WirePtr& wire, error_code error) {
  if (wire != wire_) return;
  const Payload greeting =
      error ? Payload() : codec::EncodeGreeting(codec::Greeting{wire->local, id_});
  if (!error && greeting.empty()) error = RaftErrc::InvalidArgument;  // the cluster id is too long
  if (!error) wire->socket.set_option(asio::ip::tcp::no_delay(true), error);
  if (error) {
    Lose(wire, error);
    return;
  }
  wire->encoder.AddControl(FrameKind::kHello, greeting.bytes());
  StartWrite(wire);
  Read(wire);
}

void Peer::OnAnswer(const WirePtr& wire, ByteSpan payload) {
  codec::Greeting answer;
  if (!codec::DecodeGreeting(payload, answer)) {
    LoseMalformed(wire, codec::FrameError::kCorrupt);
    return;
  }
  wire->answered = true;
  const auto host = service_->host();
  const error_code error = codec::CheckGreeting(wire->local, answer, id_);
  if (error || !host) {
    OnJudged(wire, error ? error : make_error_code(RaftErrc::NodeStopped));
    return;
  }
  wire->encoder.Speak(codec::ChooseVersion(wire->local, answer.hello));
  auto verdict = [weak = weak_from_this(), weak_wire = std::weak_ptr(wire)](error_code judged) {
    const auto self = weak.lock();
    const auto judged_wire = weak_wire.lock();
    if (!self || !judged_wire) return;
    asio::post(self->strand_, [self, judged_wire, judged] { self->OnJudged(judged_wire, judged); });
  };
  host->Judge(std::move(answer.hello), id_, std::move(verdict));
}

void Peer::OnJudged(const WirePtr& wire, error_code verdict) {
  if (wire != wire_ || wire->open) return;
  if (verdict) {
    service_->counters().rejected_handshake.Add();
    if (!wire->writing) TellRejection(wire->socket, wire->encoder, verdict);
    reported_ = false;
    Lose(wire, verdict);
    return;
  }
  wire->open = true;
  reported_ = false;
  pauses_.Reset();
  queue_.Open();
  ArmTick();
}

// The attempt took too long, or the pause after the last one is over.
void Peer::OnDeadline() {
  if (wire_) {
    Lose(wire_, asio::error::timed_out);
  } else {
    Attempt();
  }
}

// --- Reading: answers, rejections and pongs ---

void Peer::Read(const WirePtr& wire) {
  const auto room = wire->reader.Prepare();
  wire->socket.async_read_some(
      asio::buffer(room.data(), room.size()),
      [self = shared_from_this(), wire](error_code error, std::size_t count) {
        self->OnRead(wire, error, count);
      });
}

void Peer::OnRead(const WirePtr& wire, error_code error, std::size_t count) {
  if (wire != wire_) return;
  if (error) {
    if (wire->reader.InsideFrame()) {
      service_->counters().AddRefused(codec::FrameError::kTruncated);
    }
    Lose(wire, error);
    return;
  }
  service_->counters().bytes_received.Add(count);
  wire->reader.Commit(count);
  codec::Frame frame;
  auto result = wire->reader.Next(frame);
  for (; result == codec::FrameReader::Result::kFrame; result = wire->reader.Next(frame)) {
    OnFrame(wire, frame);
    if (wire != wire_) return;
  }
  if (result == codec::FrameReader::Result::kRefused) {
    LoseMalformed(wire, wire->reader.error());
    return;
  }
  Read(wire);
}

void Peer::OnFrame(const WirePtr& wire, const codec::Frame& frame) {
  const FrameKind kind = frame.header.kind;
  if (kind == FrameKind::kHelloAck && !wire->answered) {
    OnAnswer(wire, frame.payload);
  } else if (kind == FrameKind::kReject) {
    error_code reason;
    std::string text;
    if (!codec::DecodeReject(frame.payload, reason, text)) {
      LoseMalformed(wire, codec::FrameError::kCorrupt);
      return;
    }
    reported_ = true;  // in these words instead
    Lose(wire, reason);
    if (const auto host = service_->host()) host->OnRefused(id_, reason);
  } else if (kind == FrameKind::kPong && wire->ping_unanswered) {
    wire->ping_unanswered = false;
    wire->silent_ticks = 0;
  } else if (codec::IsKnown(kind) || !wire->answered) {
    LoseMalformed(wire, codec::FrameError::kOutOfOrder);
  }
}

// --- Writing ---

void Peer::Flush() {
  const WirePtr wire = wire_;
  if (!wire || !wire->open || wire->writing) return;
  try {
    wire->encoder.Clear();
    wire->messages.clear();
    if (std::exchange(wire->ping_wanted, false)) {
      wire->encoder.AddControl(FrameKind::kPing, {});
      wire->ping_in_write = true;
    }
    if (queue_.Take(service_->options().write_bytes(), wire->messages)) {
      for (const auto& message : wire->messages) {
        if (!wire->encoder.Add(message)) service_->counters().dropped_queue_full.Add();
      }
    }
    if (wire->encoder.bytes() != 0) StartWrite(wire);
  } catch (const std::bad_alloc&) {
    Lose(wire, make_error_code(boost::system::errc::not_enough_memory));
  }
}

void Peer::StartWrite(const WirePtr& wire) {
  wire->encoder.Finish();
  wire->gather.Assign(wire->encoder.parts());
  wire->writing = true;
  Write(wire);
}

void Peer::Write(const WirePtr& wire) {
  wire->socket.async_write_some(wire->gather.Window(), [self = shared_from_this(), wire](
                                                           error_code error, std::size_t count) {
    self->OnWritten(wire, error, count);
  });
}

void Peer::OnWritten(const WirePtr& wire, error_code error, std::size_t count) {
  if (wire != wire_) return;
  if (error) {
    Lose(wire, error);
    return;
  }
  service_->counters().writes.Add();
  service_->counters().bytes_sent.Add(count);
  wire->progress = true;
  wire->gather.Consume(count);
  if (!wire->gather.Done()) {
    Write(wire);
    return;
  }
  wire->writing = false;
  service_->counters().messages_sent.Add(wire->messages.size());
  if (std::exchange(wire->ping_in_write, false)) wire->ping_unanswered = true;
  Flush();
}

// --- Half-open connections ---

void Peer::ArmTick() {
  timer_.Arm(service_->clock(), strand_executor_, weak_from_this(), &Peer::OnTick,
             service_->options().idle_timeout() / kTicksPerIdle);
}

// A ping must be answered, and a write must come along, within the idle time. That the system took
// bytes of a write says nothing of the peer while it has room for them, so it does not excuse a
// missing answer.
void Peer::OnTick() {
  const WirePtr wire = wire_;
  if (!wire || !wire->open) return;
  const bool progress = std::exchange(wire->progress, false);
  const bool stuck = wire->ping_unanswered || (wire->writing && !progress);
  wire->silent_ticks = stuck ? wire->silent_ticks + 1 : 0;
  if (wire->silent_ticks >= kTicksPerIdle && !KOMMANDER_MUTANT(silent_peer_kept)) {
    Lose(wire, asio::error::timed_out);
    return;
  }
  if (!wire->ping_unanswered && !wire->ping_in_write) {
    wire->ping_wanted = true;
    Flush();
  }
  ArmTick();
}

}  // namespace kommander::tcp
