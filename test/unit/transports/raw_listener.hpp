// The listener that a dialling node meets, in the hands of a test.
#pragma once

#include <poll.h>

#include "tcp_fixture.hpp"

namespace kommander::testing {

// Where the node under test finds its peer.
class RawListener {
 public:
  explicit RawListener(Endpoint endpoint = Endpoint("127.0.0.1", 0))
      : acceptor_(context_, {asio::ip::make_address(endpoint.host), endpoint.port}) {
    const timeval limit{20, 0};
    REQUIRE(setsockopt(acceptor_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ==
            0);
  }
  Endpoint endpoint() const {
    const auto bound = acceptor_.local_endpoint();
    return Endpoint(bound.address().to_string(), bound.port());
  }
  // Somebody waits to be accepted.
  bool HasConnection() {
    pollfd one{acceptor_.native_handle(), POLLIN, 0};
    return ::poll(&one, 1, 0) == 1;
  }
  // The next connection, or a failed test.
  void Accept(RawSocket& raw) {
    const int handle = ::accept(acceptor_.native_handle(), nullptr, nullptr);
    REQUIRE(handle >= 0);
    raw.socket().assign(asio::ip::tcp::v4(), handle);
    raw.BoundWaits();
  }
  // Accepts, and answers the hello as a good peer would.
  void AcceptAndGreet(RawSocket& raw) {
    Accept(raw);
    const auto hello = raw.ReadFrame();
    REQUIRE(hello);
    REQUIRE(hello->header.kind == codec::FrameKind::kHello);
    raw.Send(MakeHelloFrame(codec::FrameKind::kHelloAck, PeerHello(), kSelf));
  }

 private:
  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_;
};

}  // namespace kommander::testing
