// The peer that the asking side of a REST transport meets, in the hands of a test.
#pragma once

#include <memory>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "catch.hpp"
#include "rest/json_messages.hpp"
#include "rest/request_reader.hpp"
#include "transport_fixture.hpp"

namespace kommander::testing {

namespace asio = boost::asio;

inline const std::string kRestSession(rest::kSessionLetters, 'a');

// The peer: takes connections and requests one by one, and answers what the test says. No wait of
// it is longer than a bounded time.
class FakePeer {
 public:
  explicit FakePeer(const Endpoint& endpoint = Endpoint("127.0.0.1", 0))
      : acceptor_(context_, {asio::ip::make_address(endpoint.host), endpoint.port}),
        socket_(context_) {
    Bound(acceptor_.native_handle());
  }
  [[nodiscard]] Endpoint endpoint() const {
    const auto bound = acceptor_.local_endpoint();
    return Endpoint(bound.address().to_string(), bound.port());
  }
  // Whether a connection waits, or comes within a moment.
  [[nodiscard]] bool IsAsked() {
    pollfd asked{acceptor_.native_handle(), POLLIN, 0};
    return ::poll(&asked, 1, 1) == 1;
  }
  void Accept() {
    const int accepted = ::accept(acceptor_.native_handle(), nullptr, nullptr);
    REQUIRE(accepted >= 0);
    Bound(accepted);
    boost::system::error_code ignored;
    socket_.close(ignored);
    socket_.assign(asio::ip::tcp::v4(), accepted);
    reader_ = std::make_unique<rest::RequestReader>(
        [](const RestRequest&) { return rest::kBatchTextMax; });
  }
  RestRequest Read() {
    while (reader_->state() != rest::RequestReader::State::kRequest) {
      const auto room = reader_->Prepare();
      const auto count = ::recv(socket_.native_handle(), room.data(), room.size(), 0);
      REQUIRE(count > 0);
      reader_->Commit(static_cast<std::size_t>(count));
      REQUIRE(reader_->state() != rest::RequestReader::State::kRefused);
    }
    RestRequest request = reader_->TakeRequest();
    reader_->Resume();
    return request;
  }
  rest::Batch ReadBatch() {
    const RestRequest request = Read();
    CHECK(request.method == "POST");
    CHECK(request.target == "/v1/raft/messages");
    CHECK(request.session == kRestSession);
    rest::Batch batch;
    REQUIRE(rest::DecodeBatch(request.body, {NodeId(1), NodeId(2)}, batch) ==
            codec::FrameError::kNone);
    return batch;
  }
  void Say(std::string_view text) {
    boost::system::error_code ignored;  // the other end may close meanwhile; that is its right
    asio::write(socket_, asio::buffer(text.data(), text.size()), ignored);
  }
  void Answer(const std::string& status, const std::string& body) {
    Say("HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
        body);
  }
  void Close() { socket_.close(); }
  // Whether the other end closes, without another word.
  [[nodiscard]] bool WaitForEnd() {
    char byte = 0;
    return ::recv(socket_.native_handle(), &byte, 1, 0) == 0;
  }
  // What the session is ended with.
  error_code ReadFarewell() {
    const RestRequest request = Read();
    CHECK(request.method == "POST");
    CHECK(request.target == "/v1/raft/farewell");
    CHECK(request.session == kRestSession);
    error_code reason;
    REQUIRE(rest::DecodeFarewell(request.body, reason));
    return reason;
  }
  // A connection up to the end of its handshake.
  void Welcome() {
    Accept();
    const RestRequest request = Read();
    CHECK(request.target == "/v1/raft/handshake");
    CHECK(request.session.empty());
    codec::Greeting greeting;
    REQUIRE(rest::DecodeHello(request.body, greeting));
    CHECK(greeting.hello.node == NodeId(1));
    CHECK(greeting.to == NodeId(2));
    Answer("200 OK",
           rest::EncodeWelcome(kRestSession,
                               {conformance::MakeHello(NodeId(2), Incarnation(2000)), NodeId(1)}));
  }

 private:
  static void Bound(int handle) {
    const timeval limit{20, 0};
    REQUIRE(::setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
  }
  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_;
  asio::ip::tcp::socket socket_;
  std::unique_ptr<rest::RequestReader> reader_;
};

}  // namespace kommander::testing
