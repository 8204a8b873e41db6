// A client of a server under test, in the hands of a test: says any bytes, and hears what comes.
#pragma once

#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <kommander/discovery.hpp>

#include "catch.hpp"

namespace kommander::testing {

// A client of blocking calls, none of which takes longer than a bounded time.
class Client {
 public:
  Client() : socket_(context_) { socket_.open(boost::asio::ip::tcp::v4()); }
  explicit Client(const Endpoint& endpoint) : Client() { Connect(endpoint); }

  void Connect(const Endpoint& endpoint) {
    socket_.connect({boost::asio::ip::make_address(endpoint.host), endpoint.port});
    const timeval limit{20, 0};
    REQUIRE(::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ==
            0);
  }
  void Send(std::string_view bytes) {
    boost::system::error_code ignored;  // the other end may close meanwhile; that is its right
    boost::asio::write(socket_, boost::asio::buffer(bytes.data(), bytes.size()), ignored);
  }
  // As often as it goes, without reading an answer.
  void Flood(std::string_view bytes) {
    boost::system::error_code error;
    socket_.non_blocking(true);
    while (!error) socket_.write_some(boost::asio::buffer(bytes.data(), bytes.size()), error);
    socket_.non_blocking(false);
  }
  // What the server says until it has said `text`, or has closed.
  std::string ReadUntil(std::string_view text) {
    while (heard_.find(text) == heard_.npos && ReadSome()) {
    }
    return std::exchange(heard_, {});
  }
  // All that it says until it closes.
  std::string ReadToEnd() {
    while (ReadSome()) {
    }
    return std::exchange(heard_, {});
  }
  [[nodiscard]] bool HasEnded() { return !ReadSome() && has_ended_; }

 private:
  bool ReadSome() {
    char piece[4096];
    const auto count = ::recv(socket_.native_handle(), piece, sizeof piece, 0);
    if (count > 0) heard_.append(piece, static_cast<std::size_t>(count));
    has_ended_ = count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
    return count > 0;
  }
  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_;
  std::string heard_;
  bool has_ended_ = false;
};

}  // namespace kommander::testing
