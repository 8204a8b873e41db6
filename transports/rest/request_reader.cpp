#include "rest/request_reader.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace kommander::rest {

namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

// Room for a header, and for what follows it in the same read.
constexpr std::size_t kBufferBytes = 2 * kHeaderBytesMax;
// A body is not given its room before most of it has come.
constexpr std::size_t kBodyRoomBytes = 64u << 10;

std::string_view AsView(beast::string_view text) noexcept { return {text.data(), text.size()}; }

// The one plain form that every reader takes for the same number.
std::optional<std::uint64_t> ParseLength(std::string_view text) noexcept {
  std::uint64_t length = 0;
  if (text.empty() || text.size() > 18) return std::nullopt;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    length = length * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return length;
}

}  // namespace

class RequestReader::Header {
 public:
  using Parser = http::request_parser<http::empty_body>;
  Parser& Begin() {
    parser_.emplace();
    parser_->header_limit(kHeaderBytesMax + 1);
    parser_->body_limit(boost::none);  // judged by us, from the length that is said
    return *parser_;
  }
  Parser& parser() { return *parser_; }
  void End() { parser_.reset(); }

 private:
  std::optional<Parser> parser_;
};

RequestReader::RequestReader(BodyLimit body_limit)
    : body_limit_(std::move(body_limit)),
      header_(std::make_unique<Header>()),
      buffer_(kBufferBytes) {}

RequestReader::~RequestReader() = default;

std::span<char> RequestReader::Prepare() {
  const std::size_t body_left = static_cast<std::size_t>(body_bytes_) - request_.body.size();
  if (state_ == State::kBody && begin_ == end_ && body_left >= kBufferBytes) {
    // A large body is read to where it stays.
    std::string& body = request_.body;
    body_room_ = std::min(body_left, std::max(body.size(), kBodyRoomBytes));
    body.resize(body.size() + body_room_);
    return {body.data() + body.size() - body_room_, body_room_};
  }
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  return {buffer_.data() + end_, buffer_.size() - end_};
}

void RequestReader::Commit(std::size_t count) {
  if (body_room_ != 0) {
    request_.body.resize(request_.body.size() - std::exchange(body_room_, 0) + count);
  } else {
    end_ += count;
  }
  Parse();
}

bool RequestReader::TakeExpectation() noexcept { return std::exchange(expects_, false); }

RestRequest RequestReader::TakeRequest() { return std::exchange(request_, {}); }

void RequestReader::Resume() {
  state_ = State::kBetween;
  Parse();
}

void RequestReader::Parse() {
  if ((state_ == State::kBetween || state_ == State::kHeader) && begin_ < end_) ParseHeader();
  if (state_ == State::kBody) ParseBody();
}

void RequestReader::ParseHeader() {
  state_ = State::kHeader;
  switch (scan_.Look({buffer_.data() + begin_, end_ - begin_})) {
    case HeaderScan::Result::kNeedMore: return;
    case HeaderScan::Result::kWhole: break;
    case HeaderScan::Result::kBareLineFeed:
      return Refuse(400, "BadRequest", "a line ends with a carriage return and a line feed");
    case HeaderScan::Result::kTooLarge:
      return Refuse(431, "HeaderTooLarge", "a header has at most 8192 bytes");
  }
  const std::size_t size = scan_.Take();
  beast::error_code error;
  auto& parser = header_->Begin();
  parser.put(boost::asio::buffer(buffer_.data() + begin_, size), error);
  begin_ += size;
  if (error == http::error::bad_version) {
    return Refuse(505, "VersionNotSupported", "the version is not HTTP/1.1");
  }
  if (error || !parser.is_header_done()) {
    return Refuse(400, "BadRequest", "this is no well-formed HTTP/1.1 request");
  }
  OnHeader();
}

void RequestReader::OnHeader() {
  const auto& message = header_->parser().get();
  const auto lengths = message.count(http::field::content_length);
  std::optional<std::uint64_t> length = 0;
  if (lengths == 1) length = ParseLength(AsView(message[http::field::content_length]));
  request_.method = AsView(message.method_string());
  request_.target = AsView(message.target());
  request_.session = AsView(message["Kommander-Session"]);
  keep_alive_ = message.keep_alive() && message.version() == 11;
  const auto expectation = message[http::field::expect];
  expects_ = beast::iequals(expectation, "100-continue");
  const auto fields = static_cast<std::size_t>(std::distance(message.begin(), message.end()));
  if (message.version() != 11 && message.version() != 10) {
    return Refuse(505, "VersionNotSupported", "the version is not HTTP/1.1");
  }
  if (fields > kHeaderFieldsMax) {
    return Refuse(431, "HeaderTooLarge", "a header has at most 100 fields");
  }
  if (message.count(http::field::host) > 1 ||
      (message.version() == 11 && message.count(http::field::host) == 0)) {
    return Refuse(400, "BadRequest", "a request has one Host");
  }
  if (message.count(http::field::transfer_encoding) != 0) {
    return Refuse(411, "LengthRequired", "a body is sent with a Content-Length, in one piece");
  }
  if (lengths > 1 || !length) {
    return Refuse(400, "BadRequest", "Content-Length is one plain decimal number");
  }
  if (*length > body_limit_(request_)) {
    return Refuse(413, "BodyTooLarge", "the body is larger than the route takes");
  }
  if (!expectation.empty() && !expects_) {
    return Refuse(417, "ExpectationFailed", "the one expectation is 100-continue");
  }
  expects_ = expects_ && *length > 0 && message.version() == 11;
  header_->End();
  body_bytes_ = *length;
  state_ = State::kBody;
}

void RequestReader::ParseBody() {
  std::string& body = request_.body;
  const std::size_t wanted = body_bytes_ - body.size();
  const std::size_t count = std::min(wanted, end_ - begin_);
  if (body.capacity() < body.size() + count) {
    body.reserve(std::min<std::size_t>(body_bytes_, std::max(2 * body.size(), kBodyRoomBytes)));
  }
  body.append(buffer_.data() + begin_, count);
  begin_ += count;
  if (body.size() < body_bytes_) return;
  expects_ = false;
  state_ = State::kRequest;
}

void RequestReader::Refuse(unsigned status, std::string_view name, std::string_view message) {
  refusal_ = {status, name, message};
  state_ = State::kRefused;
  keep_alive_ = false;
  header_->End();
}

}  // namespace kommander::rest
