// Bytes of a server, as the answer to one request. Bounded like RequestReader, and as strict: an
// answer has one Content-Length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "rest/header_scan.hpp"

namespace kommander::rest {

inline constexpr std::size_t kResponseBodyMax = 64u << 10;

class ResponseReader {
 public:
  enum class State : std::uint8_t { kReading, kAnswer, kMalformed };

  ResponseReader();
  ~ResponseReader();
  ResponseReader(const ResponseReader&) = delete;
  ResponseReader& operator=(const ResponseReader&) = delete;

  // Of the next answer.
  void Begin();
  // Room for the next bytes, until Commit says how many came.
  [[nodiscard]] std::span<char> Prepare();
  void Commit(std::size_t count);

  [[nodiscard]] State state() const noexcept { return state_; }
  // Of an answer that is here.
  [[nodiscard]] unsigned status() const noexcept { return status_; }
  [[nodiscard]] bool keep_alive() const noexcept { return keep_alive_; }
  [[nodiscard]] const std::string& body() const noexcept { return body_; }
  // Bytes came that belong to no answer.
  [[nodiscard]] bool HasMore() const noexcept { return end_ != 0; }

 private:
  class Header;  // Beast's parser

  void ParseHeader();
  void OnHeader();
  void ParseBody();

  std::unique_ptr<Header> header_;
  std::vector<char> buffer_;
  std::size_t end_ = 0;  // what is read and not yet understood: [0, end_) of buffer_
  HeaderScan scan_;
  State state_ = State::kReading;
  bool has_header_ = false;
  bool keep_alive_ = false;
  unsigned status_ = 0;
  std::size_t body_bytes_ = 0;
  std::string body_;
};

}  // namespace kommander::rest
