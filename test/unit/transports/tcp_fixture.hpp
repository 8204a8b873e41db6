// One TCP transport on a clock that the test moves, for tests that play the other end themselves.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <kommander/tcp_transport.hpp>

#include "manual_clock.hpp"
#include "raw_socket.hpp"
#include "transport_fixture.hpp"

namespace kommander::testing {

using conformance::MakeHeartbeat;
using conformance::MakeHello;
using conformance::RecordingHost;

inline const NodeId kSelf(1);
inline const NodeId kPeer(2);

class TcpNode {
 public:
  explicit TcpNode(TcpTransportOptions options = {},
                   conformance::Threads threads = conformance::Threads::kContext1)
      : runner_(conformance::MakeRunner(threads)), transport_(clock_, options) {
    std::string detail;
    REQUIRE(!transport_.Start(runner_->executor(), Endpoint("127.0.0.1", 0), host_, detail));
  }
  ~TcpNode() {
    transport_.Stop({});
    runner_.reset();
  }
  TcpNode(const TcpNode&) = delete;
  TcpNode& operator=(const TcpNode&) = delete;

  ManualClock& clock() { return *clock_; }
  RecordingHost& host() { return *host_; }
  TcpTransport& transport() { return transport_; }
  conformance::Runner& runner() { return *runner_; }
  Endpoint endpoint() const { return transport_.BoundEndpoint(); }
  TransportStatistics statistics() const { return transport_.Statistics(); }
  // Counters move on other threads; this waits until the condition holds.
  bool Wait(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

 private:
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::unique_ptr<conformance::Runner> runner_;
  std::shared_ptr<RecordingHost> host_ =
      std::make_shared<RecordingHost>(MakeHello(kSelf, Incarnation(1000)));
  TcpTransport transport_;
};

// A peer as the node under test expects it.
inline Hello PeerHello() { return MakeHello(kPeer, Incarnation(2000)); }

// A raw connection to the node that has completed its handshake; frames go on from number 1.
inline void Greet(RawSocket& raw) {
  raw.Send(MakeHelloFrame(codec::FrameKind::kHello, PeerHello(), kSelf));
  const auto answer = raw.ReadFrame();
  REQUIRE(answer);
  REQUIRE(answer->header.kind == codec::FrameKind::kHelloAck);
  REQUIRE(answer->header.sequence == 0);
}

// The sum of everything that a malformed input can be counted as.
inline std::uint64_t Refused(const TransportStatistics& s) {
  return s.rejected_truncated + s.rejected_oversize + s.rejected_corrupt + s.rejected_out_of_order +
         s.rejected_foreign + s.rejected_handshake;
}

}  // namespace kommander::testing
