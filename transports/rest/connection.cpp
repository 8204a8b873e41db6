#include "rest/connection.hpp"

#include <exception>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "rest/answers.hpp"
#include "rest/response_text.hpp"

namespace kommander::rest {

namespace asio = boost::asio;

namespace {

// How long a client may take to read a last answer and to close.
constexpr Duration kGoodbye = std::chrono::seconds(1);

constexpr Refusal kTooSlow{408, "RequestTimeout", "the request did not come in time"};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

Connection::Connection(std::shared_ptr<Service> service, std::shared_ptr<Life> life,
                       asio::any_io_executor executor)
    : life_(std::move(life)),
      service_(std::move(service)),
      strand_(std::move(executor)),
      strand_executor_(strand_),
      socket_(strand_),
      reader_([router = service_->router()](const RestRequest& request) {
        return router->BodyBytesMax(request);
      }) {}

Connection::~Connection() = default;

void Connection::PostBegin() {
  asio::post(strand_, [self = shared_from_this()] { self->Begin(); });
}
void Connection::PostClose() {
  asio::post(strand_, [self = shared_from_this()] { self->Close(); });
}
void Connection::PostDrain() {
  asio::post(strand_, [self = shared_from_this()] {
    self->is_draining_ = true;
    if (self->state_ == State::kReading) self->Close();
  });
}

void Connection::Begin() {
  if (state_ == State::kClosed) return;
  error_code error;
  socket_.set_option(asio::ip::tcp::no_delay(true), error);
  if (error) return Close();
  Arm(service_->options().header_timeout());
  Read();
}

// --- Reading ---

void Connection::Read() {
  if (std::exchange(is_reading_, true)) return;
  const auto room = reader_.Prepare();
  socket_.async_read_some(asio::buffer(room.data(), room.size()),
                          [self = shared_from_this()](error_code error, std::size_t count) {
                            self->OnRead(error, count);
                          });
}

void Connection::OnRead(error_code error, std::size_t count) {
  is_reading_ = false;
  if (state_ == State::kClosed) return;
  if (error && state_ != State::kWriting) return Close();
  if (state_ == State::kGoodbye) {
    reader_.Discard();
    return Read();
  }
  if (state_ != State::kReading) return;  // it was too slow, and is being told so
  try {
    reader_.Commit(count);
    Go();
  } catch (const std::exception&) {
    Close();  // no memory for this client; the others need theirs
  }
}

// On with what the reader has.
void Connection::Go() {
  const auto phase = reader_.state();
  if (phase == RequestReader::State::kRefused) return Refuse(reader_.refusal());
  if (phase == RequestReader::State::kRequest) return OnRequest();
  const bool is_first = stage() == Stage::kSilent;
  const auto& options = service_->options();
  // The header's time runs from the accept: a new connection that says nothing has no other.
  if (phase != phase_ && !(is_first && phase == RequestReader::State::kBetween)) {
    phase_ = phase;
    if (phase == RequestReader::State::kBetween) Arm(options.idle_timeout());
    if (phase == RequestReader::State::kHeader) Arm(options.header_timeout());
    if (phase == RequestReader::State::kBody) Arm(options.body_timeout());
  }
  if (phase == RequestReader::State::kBody && reader_.TakeExpectation()) WriteContinue();
  if (state_ == State::kReading) Read();
}

// --- Answering ---

void Connection::OnRequest() {
  state_ = State::kAnswering;
  stage_.store(Stage::kBusy, std::memory_order_relaxed);
  timer_.Disarm();
  ++service_->counters().requests;
  is_last_ = !reader_.keep_alive();
  auto done = [weak = weak_from_this()](RestAnswer answer) {
    const auto self = weak.lock();
    if (!self) return;
    asio::post(self->strand_, [self, answer = std::move(answer)]() mutable {
      if (self->state_ == State::kAnswering) self->OnAnswer(std::move(answer));
    });
  };
  RestRequest request = reader_.TakeRequest();
  service_->router()->Handle(std::move(request), std::move(done));
}

void Connection::OnAnswer(RestAnswer answer) {
  is_last_ = is_last_ || is_draining_;
  try {
    Write(answer);
  } catch (const std::exception&) {
    Close();
  }
}

void Connection::Refuse(const Refusal& refusal) {
  ++service_->counters().refused;
  is_last_ = true;
  Write(ErrorAnswer(refusal.status, refusal.name, refusal.message));
}

void Connection::Write(const RestAnswer& answer) {
  state_ = State::kWriting;
  head_ = ResponseHead(answer, !is_last_, service_->clock().WallMilliseconds());
  body_ = answer.is_head ? std::string() : answer.body;
  Arm(service_->options().write_timeout());
  const std::array<asio::const_buffer, 2> parts = {asio::buffer(head_), asio::buffer(body_)};
  asio::async_write(socket_, parts, [self = shared_from_this()](error_code error, std::size_t) {
    self->OnWritten(error);
  });
}

// A few bytes into an empty socket: where they do not fit at once, nobody waits for them.
void Connection::WriteContinue() {
  error_code error;
  socket_.non_blocking(true, error);
  if (!error) socket_.write_some(asio::buffer(kContinue), error);
  if (error) Close();
}

void Connection::OnWritten(error_code error) {
  if (state_ == State::kClosed) return;
  if (error) return Close();
  body_ = {};
  if (is_last_ || is_draining_) return BeginGoodbye();
  state_ = State::kReading;
  stage_.store(Stage::kIdle, std::memory_order_relaxed);
  phase_ = RequestReader::State::kRequest;  // whatever comes next has its own time
  try {
    reader_.Resume();
    Go();
  } catch (const std::exception&) {
    Close();
  }
}

// --- Ends ---

// Closing at once, with bytes unread, could destroy the answer on its way.
void Connection::BeginGoodbye() {
  state_ = State::kGoodbye;
  Arm(kGoodbye);
  error_code ignored;
  socket_.shutdown(transports::Socket::shutdown_send, ignored);
  reader_.Discard();
  Read();
}

void Connection::Arm(Duration pause) {
  timer_.Arm(service_->clock(), strand_executor_, weak_from_this(), &Connection::OnDeadline, pause);
}

void Connection::OnDeadline() {
  if (state_ == State::kGoodbye || state_ == State::kClosed) return Close();
  ++service_->counters().timed_out;
  if (state_ == State::kWriting) {
    // What the client does not take would stay in the system's buffers for minutes.
    error_code ignored;
    socket_.set_option(transports::Socket::linger(true, 0), ignored);
  }
  // Half a request is told what it was; silence, and who does not take an answer, is not.
  const bool has_begun = reader_.state() == RequestReader::State::kHeader ||
                         reader_.state() == RequestReader::State::kBody;
  if (state_ != State::kReading || !has_begun) return Close();
  try {
    Refuse(kTooSlow);
  } catch (const std::exception&) {
    Close();
  }
}

void Connection::Close() {
  if (std::exchange(state_, State::kClosed) == State::kClosed) return;
  timer_.End();
  error_code ignored;
  socket_.close(ignored);
  service_->Forget(this);
}

}  // namespace kommander::rest
