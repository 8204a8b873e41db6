#include "rest/response_reader.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace kommander::rest {

namespace beast = boost::beast;
namespace http = boost::beast::http;

class ResponseReader::Header {
 public:
  using Parser = http::response_parser<http::empty_body>;
  void Begin() {
    parser_.emplace();
    parser_->header_limit(kHeaderBytesMax + 1);
    parser_->body_limit(boost::none);  // judged by us, from the length that is said
  }
  Parser& parser() { return *parser_; }

 private:
  std::optional<Parser> parser_;
};

ResponseReader::ResponseReader()
    : header_(std::make_unique<Header>()), buffer_(2 * kHeaderBytesMax) {
  Begin();
}

ResponseReader::~ResponseReader() = default;

void ResponseReader::Begin() {
  header_->Begin();
  (void)scan_.Take();
  has_header_ = false;
  status_ = 0;
  body_.clear();
  state_ = State::kReading;
}

std::span<char> ResponseReader::Prepare() { return {buffer_.data() + end_, buffer_.size() - end_}; }

void ResponseReader::Commit(std::size_t count) {
  end_ += count;
  if (!has_header_ && state_ == State::kReading) ParseHeader();
  if (has_header_ && state_ == State::kReading) ParseBody();
}

void ResponseReader::ParseHeader() {
  switch (scan_.Look({buffer_.data(), end_})) {
    case HeaderScan::Result::kNeedMore: return;
    case HeaderScan::Result::kWhole: break;
    default: state_ = State::kMalformed; return;
  }
  const std::size_t size = scan_.Take();
  beast::error_code error;
  header_->parser().put(boost::asio::buffer(buffer_.data(), size), error);
  std::memmove(buffer_.data(), buffer_.data() + size, end_ - size);
  end_ -= size;
  if (error || !header_->parser().is_header_done()) {
    state_ = State::kMalformed;
  } else {
    OnHeader();
  }
}

void ResponseReader::OnHeader() {
  const auto& message = header_->parser().get();
  const auto length = header_->parser().content_length();
  const bool is_sound = message.count(http::field::content_length) == 1 && length &&
                        *length <= kResponseBodyMax &&
                        message.count(http::field::transfer_encoding) == 0;
  if (!is_sound) {
    state_ = State::kMalformed;
    return;
  }
  status_ = message.result_int();
  keep_alive_ = message.keep_alive();
  body_bytes_ = static_cast<std::size_t>(*length);
  has_header_ = true;
}

void ResponseReader::ParseBody() {
  const std::size_t count = std::min(body_bytes_ - body_.size(), end_);
  body_.append(buffer_.data(), count);
  std::memmove(buffer_.data(), buffer_.data() + count, end_ - count);
  end_ -= count;
  if (body_.size() == body_bytes_) state_ = State::kAnswer;
}

}  // namespace kommander::rest
