// From the first byte of a stranger to the messages of a peer.
#include "tcp/inbound.hpp"

#include <cstring>
#include <new>
#include <string>
#include <unistd.h>
#include <utility>

#include <boost/asio/post.hpp>

#include <kommander/tcp_transport.hpp>

#include "tcp/refusal.hpp"

namespace kommander::tcp {

namespace asio = boost::asio;
using codec::FrameError;
using codec::FrameKind;

namespace {

// How long a rejected peer may take to read why.
constexpr Duration kGoodbye = std::chrono::seconds(1);

}  // namespace

Inbound::Inbound(std::shared_ptr<Service> service, std::shared_ptr<Life> life,
                 asio::any_io_executor executor)
    : life_(std::move(life)),
      service_(std::move(service)),
      strand_(std::move(executor)),
      strand_executor_(strand_),
      socket_(strand_),
      reader_(codec::kFrameHeaderBytes + codec::kHandshakeBytesMax) {}

Inbound::~Inbound() = default;

void Inbound::PostBegin() {
  asio::post(strand_, [self = shared_from_this()] { self->Begin(); });
}

void Inbound::PostClose() {
  asio::post(strand_, [self = shared_from_this()] { self->Close({}); });
}

void Inbound::Begin() {
  if (state_ == State::kClosed) return;
  error_code error;
  socket_.set_option(asio::ip::tcp::no_delay(true), error);
  if (error) {
    Close(error);
    return;
  }
  timer_.Arm(service_->clock(), strand_executor_, weak_from_this(), &Inbound::OnDeadline,
             service_->options().handshake_timeout());
  if (reader_.InsideFrame()) {
    Received(early_bytes_);
  } else {
    Read();
  }
}

error_code Inbound::TakeOver(asio::ip::tcp::socket socket, ByteSpan bytes_read) {
  static_assert(TcpTransport::kBytesReadMax ==
                codec::kFrameHeaderBytes + codec::kHandshakeBytesMax);
  error_code error;
  const auto protocol = socket.remote_endpoint(error).protocol();
  if (error) return error;
  const auto handle = socket.release(error);  // ends its place in the executor that it came from
  if (error) return error;
  socket_.assign(protocol, handle, error);
  if (error) {
    ::close(handle);
    return error;
  }
  if (bytes_read.empty()) return error;
  std::memcpy(reader_.Prepare().data(), bytes_read.data(), bytes_read.size());
  reader_.Commit(bytes_read.size());
  early_bytes_ = bytes_read.size();
  return error;
}

// --- Reading ---

void Inbound::Read() {
  const auto room = reader_.Prepare();
  socket_.async_read_some(asio::buffer(room.data(), room.size()),
                          [self = shared_from_this()](error_code error, std::size_t count) {
                            self->OnRead(error, count);
                          });
}

void Inbound::OnRead(error_code error, std::size_t count) {
  if (state_ == State::kClosed) return;
  if (error) {
    if (state_ != State::kEnding && reader_.InsideFrame()) {
      service_->counters().AddRefused(FrameError::kTruncated);
    }
    Close(error);
    return;
  }
  if (state_ == State::kEnding) {
    service_->counters().bytes_received.Add(count);
    Read();  // into the same place again: nobody looks at it
    return;
  }
  reader_.Commit(count);
  Received(count);
}

// So many bytes are in the reader.
void Inbound::Received(std::size_t count) {
  service_->counters().bytes_received.Add(count);
  heard_ = true;
  try {
    Parse();
    if (state_ == State::kOpen || state_ == State::kGreeting) Read();
  } catch (const std::bad_alloc&) {
    Close(make_error_code(boost::system::errc::not_enough_memory));
  }
}

void Inbound::Parse() {
  codec::Frame frame;
  FrameError error = FrameError::kNone;
  while (error == FrameError::kNone && state_ < State::kEnding) {
    const auto result = reader_.Next(frame);
    if (result == codec::FrameReader::Result::kNeedMore) break;
    error = result == codec::FrameReader::Result::kFrame ? OnFrame(frame) : reader_.error();
  }
  Deliver();  // what came before a fault was sound
  if (state_ == State::kJudging && error == FrameError::kNone && reader_.InsideFrame()) {
    error = FrameError::kOutOfOrder;  // it must wait for the answer to its hello
  }
  if (state_ >= State::kEnding) return;
  if (error != FrameError::kNone) {
    service_->counters().AddRefused(error);
    Close(ToErrorCode(error));
  } else if (state_ == State::kOpen) {
    WatchFrame();
  }
}

// That bytes keep coming does not make a frame: its deadline is for all of it.
void Inbound::WatchFrame() {
  if (!reader_.InsideFrame()) {
    frame_deadline_ = kNever;
    return;
  }
  const Instant now = service_->clock().Now();
  if (frame_deadline_ == kNever || frame_ != reader_.frames()) {
    frame_ = reader_.frames();
    frame_deadline_ = now + service_->options().frame_timeout();
  } else if (now >= frame_deadline_) {
    service_->counters().AddRefused(FrameError::kTruncated);
    Close(asio::error::timed_out);
  }
}

FrameError Inbound::OnFrame(const codec::Frame& frame) {
  const FrameKind kind = frame.header.kind;
  if (state_ == State::kGreeting) {
    return kind == FrameKind::kHello ? OnHello(frame.payload) : FrameError::kOutOfOrder;
  }
  if (state_ != State::kOpen) return FrameError::kOutOfOrder;
  if (codec::CarriesMessages(kind)) {
    return codec::DecodeMessages(kind, frame.payload, route_, *frame.buffer, batch_);
  }
  switch (kind) {
    case FrameKind::kPing:
      pong_wanted_ = true;
      Write();
      return FrameError::kNone;
    case FrameKind::kReject: return OnReject(frame.payload);
    default: return codec::IsKnown(kind) ? FrameError::kOutOfOrder : FrameError::kNone;
  }
}

FrameError Inbound::OnReject(ByteSpan payload) {
  error_code reason;
  std::string text;
  if (!codec::DecodeReject(payload, reason, text)) return FrameError::kCorrupt;
  Deliver();
  if (const auto host = service_->host()) host->OnRefused(route_.from, reason);
  Close({});
  return FrameError::kNone;
}

void Inbound::Deliver() {
  if (batch_.empty()) return;
  service_->counters().messages_received.Add(batch_.size());
  const auto host = service_->host();
  if (host) host->OnMessages(route_.from, std::exchange(batch_, {}));
}

// --- The handshake ---

FrameError Inbound::OnHello(ByteSpan payload) {
  if (!codec::DecodeGreeting(payload, greeting_)) return FrameError::kCorrupt;
  state_ = State::kJudging;
  const auto host = service_->host();
  if (!host) {
    Close(RaftErrc::NodeStopped);
    return FrameError::kNone;
  }
  const error_code error =
      codec::CheckGreeting(host->LocalHello(greeting_.hello.node), greeting_, NodeId());
  if (error) {
    Reject(error);
    return FrameError::kNone;
  }
  service_->MarkGreeted(this);
  auto verdict = [weak = weak_from_this()](error_code judged) {
    const auto self = weak.lock();
    if (!self) return;
    asio::post(self->strand_, [self, judged] { self->OnJudged(judged); });
  };
  host->Judge(greeting_.hello, NodeId(), std::move(verdict));
  return FrameError::kNone;
}

void Inbound::OnJudged(error_code verdict) {
  const auto host = service_->host();
  if (state_ != State::kJudging || !host) return;
  if (verdict) {
    Reject(verdict);
    return;
  }
  const NodeId peer = greeting_.hello.node;
  codec::Greeting answer{host->LocalHello(peer), peer};
  const Payload bytes = codec::EncodeGreeting(answer);
  if (bytes.empty()) {
    Close(RaftErrc::InvalidArgument);  // our own cluster id is too long
    return;
  }
  // From what is said here, since that is what the peer chooses from.
  const std::uint16_t version = codec::ChooseVersion(answer.hello, greeting_.hello);
  if (version == codec::kNoVersion) {
    Reject(RaftErrc::VersionMismatch);
    return;
  }
  state_ = State::kOpen;
  route_ = {peer, answer.hello.node, version};
  reader_.Widen(service_->options().read_bytes(), codec::kAppendsBytesMax);
  service_->Adopt(peer, shared_from_this());
  heard_ = true;
  timer_.Arm(service_->clock(), strand_executor_, weak_from_this(), &Inbound::OnTick,
             service_->options().idle_timeout());
  encoder_.AddControl(FrameKind::kHelloAck, bytes.bytes());
  Write();
  Read();
}

void Inbound::Reject(error_code reason) {
  service_->counters().rejected_handshake.Add();
  state_ = State::kEnding;
  // Closing at once, with bytes unread, could destroy the rejection on its way.
  timer_.Arm(service_->clock(), strand_executor_, weak_from_this(), &Inbound::OnDeadline, kGoodbye);
  TellRejection(socket_, encoder_, reason);
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  Read();
}

// --- Writing: the answer, pongs ---

void Inbound::Write() {
  if (writing_) return;
  if (gather_.Done()) {
    if (std::exchange(pong_wanted_, false)) encoder_.AddControl(FrameKind::kPong, {});
    if (encoder_.bytes() == 0) return;
    encoder_.Finish();
    gather_.Assign(encoder_.parts());
  }
  writing_ = true;
  socket_.async_write_some(gather_.Window(),
                           [self = shared_from_this()](error_code error, std::size_t count) {
                             if (self->state_ != State::kOpen) return;
                             self->writing_ = false;
                             if (error) {
                               self->Close(error);
                               return;
                             }
                             self->service_->counters().writes.Add();
                             self->service_->counters().bytes_sent.Add(count);
                             self->gather_.Consume(count);
                             if (self->gather_.Done()) self->encoder_.Clear();
                             self->Write();
                           });
}

// --- Ends ---

// The handshake took too long, or the goodbye.
void Inbound::OnDeadline() { Close(asio::error::timed_out); }

void Inbound::OnTick() {
  WatchFrame();
  if (state_ != State::kOpen) return;
  if (!std::exchange(heard_, false)) {
    Close(asio::error::timed_out);
    return;
  }
  timer_.Arm(service_->clock(), strand_executor_, weak_from_this(), &Inbound::OnTick,
             service_->options().idle_timeout());
}

// No reason: the transport ends it, and the host need not hear of it.
void Inbound::Close(error_code reason) {
  const State state = std::exchange(state_, State::kClosed);
  if (state == State::kClosed) return;
  timer_.End();
  error_code ignored;
  socket_.close(ignored);
  service_->Forget(this);
  if (state != State::kOpen || !reason) return;
  if (const auto host = service_->host()) host->OnPeerDown(route_.from, reason);
}

}  // namespace kommander::tcp
