// Bytes of a client, as requests, one after the other. It bounds what a client can make it keep,
// and takes nothing that two readers could understand in two ways (request smuggling): a body has
// one plain Content-Length or does not exist. Knows neither sockets nor time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <kommander/raft_routes.hpp>

#include "rest/header_scan.hpp"

namespace kommander::rest {

inline constexpr std::size_t kHeaderFieldsMax = 100;

// Why there is no request. Nothing more is read of the connection.
struct Refusal {
  unsigned status = 0;  // 0: none
  std::string_view name;
  std::string_view message;
};

class RequestReader {
 public:
  enum class State : std::uint8_t {
    kBetween,  // no byte of the next request is here
    kHeader,
    kBody,
    kRequest,  // one is here, to be taken
    kRefused,
  };
  // What the body of a request may have at most.
  using BodyLimit = std::function<std::size_t(const RestRequest& request)>;

  explicit RequestReader(BodyLimit body_limit);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  // Room for the next bytes, until Commit says how many came. Not for kRequest or kRefused.
  [[nodiscard]] std::span<char> Prepare();
  void Commit(std::size_t count);

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] const Refusal& refusal() const noexcept { return refusal_; }
  // The client waits for a "100 Continue" before it sends the body. Says so once.
  [[nodiscard]] bool TakeExpectation() noexcept;
  // Of the request that is here.
  [[nodiscard]] bool keep_alive() const noexcept { return keep_alive_; }
  [[nodiscard]] RestRequest TakeRequest();
  // On to the next request, with what has come of it; after TakeRequest.
  void Resume();
  // For who reads on without looking at it: makes room. Nothing is a request any more. Leaves alone
  // where a read that is under way may write to.
  void Discard() noexcept {
    state_ = State::kRefused;
    begin_ = end_ = body_room_ = 0;
  }

 private:
  class Header;  // Beast's parser

  void Parse();
  void ParseHeader();
  void OnHeader();
  void ParseBody();
  void Refuse(unsigned status, std::string_view name, std::string_view message);

  const BodyLimit body_limit_;
  std::unique_ptr<Header> header_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // what is read and not yet understood: [begin_, end_) of buffer_
  std::size_t end_ = 0;
  HeaderScan scan_;
  State state_ = State::kBetween;
  Refusal refusal_;
  bool keep_alive_ = false;
  bool expects_ = false;
  RestRequest request_;
  std::uint64_t body_bytes_ = 0;  // of the request, said before they come
  std::size_t body_room_ = 0;     // Prepare gave so much of the body's own memory
};

}  // namespace kommander::rest
