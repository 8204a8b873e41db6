// The asking side of a REST transport, with the test as its peer, on a clock that the test moves.
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <vector>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <kommander/rest_transport.hpp>

#include "catch.hpp"
#include "manual_clock.hpp"
#include "rest/json_messages.hpp"
#include "rest/request_reader.hpp"
#include "transport_fixture.hpp"

namespace kommander::testing {
namespace {

using conformance::MakeHeartbeat;
using conformance::MakeHello;
using conformance::RecordingHost;
using namespace std::chrono_literals;
namespace asio = boost::asio;

const NodeId kSelf(1);
const NodeId kPeer(2);
const std::string kSession(rest::kSessionLetters, 'a');

// The peer: takes connections and requests one by one, and answers what the test says. No wait of
// it is longer than a bounded time.
class FakePeer {
 public:
  FakePeer() : acceptor_(context_, {asio::ip::address_v4::loopback(), 0}), socket_(context_) {
    Bound(acceptor_.native_handle());
  }
  [[nodiscard]] Endpoint endpoint() const {
    return {"127.0.0.1", acceptor_.local_endpoint().port()};
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
    CHECK(request.session == kSession);
    rest::Batch batch;
    REQUIRE(rest::DecodeBatch(request.body, {kSelf, kPeer}, batch) == codec::FrameError::kNone);
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
  // A connection up to the end of its handshake.
  void Welcome() {
    Accept();
    const RestRequest request = Read();
    CHECK(request.target == "/v1/raft/handshake");
    codec::Greeting greeting;
    REQUIRE(rest::DecodeHello(request.body, greeting));
    CHECK(greeting.hello.node == kSelf);
    CHECK(greeting.to == kPeer);
    Answer("200 OK", rest::EncodeWelcome(kSession, {MakeHello(kPeer, Incarnation(2000)), kSelf}));
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

class RestNode {
 public:
  explicit RestNode(const FakePeer& peer)
      : runner_(conformance::MakeRunner(conformance::Threads::kContext1)),
        transport_(clock_, RestTransportOptions().BackOff(1ms, 1ms)) {
    std::string detail;
    REQUIRE(!transport_.Start(runner_->executor(), Endpoint("127.0.0.1", 0), host_, detail));
    transport_.SetPeer(kPeer, peer.endpoint());
  }
  ~RestNode() {
    transport_.Stop({});
    runner_.reset();
  }
  RestNode(const RestNode&) = delete;
  RestNode& operator=(const RestNode&) = delete;

  ManualClock& clock() { return *clock_; }
  RecordingHost& host() { return *host_; }
  TransportStatistics statistics() const { return transport_.Statistics(); }
  void Send(std::uint64_t round) { transport_.Send(MakeHeartbeat(kSelf, kPeer, 1, round)); }
  // Sends until the queue takes it: the session is open then.
  void SendOnceOpen(std::uint64_t round) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    for (auto lost = statistics().dropped_unreachable;; ++lost) {
      REQUIRE(std::chrono::steady_clock::now() < end);
      Send(round);
      if (statistics().dropped_unreachable == lost) return;
      std::this_thread::yield();
    }
  }
  // Lets pauses pass until the next attempt has come.
  void NextAttempt(FakePeer& peer) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!peer.IsAsked() && std::chrono::steady_clock::now() < end) clock_->Advance(1ms);
  }

 private:
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::unique_ptr<conformance::Runner> runner_;
  std::shared_ptr<RecordingHost> host_ =
      std::make_shared<RecordingHost>(MakeHello(kSelf, Incarnation(1000)));
  RestTransport transport_;
};

TEST_CASE("what queues while a request is under way goes with the next one, newest state only") {
  FakePeer peer;
  RestNode node(peer);
  peer.Welcome();
  node.SendOnceOpen(1);
  const rest::Batch first = peer.ReadBatch();
  CHECK(first.sequence == 1);
  REQUIRE(first.messages.size() == 1);
  for (std::uint64_t round = 2; round <= 4; ++round) node.Send(round);
  peer.Answer("200 OK", R"({"received":1})");
  const rest::Batch second = peer.ReadBatch();
  CHECK(second.sequence == 2);
  REQUIRE(second.messages.size() == 1);
  CHECK(std::get<Heartbeat>(second.messages[0].body).round == 4);
  CHECK(node.statistics().dropped_superseded == 2);
}

TEST_CASE("a peer that does not answer in time is given up, and greeted anew") {
  FakePeer peer;
  RestNode node(peer);
  peer.Welcome();
  node.SendOnceOpen(1);
  CHECK(peer.ReadBatch().sequence == 1);
  node.clock().Advance(6s);
  CHECK(node.host().Wait([&] { return node.host().WasDown(kPeer, asio::error::timed_out); }));
  node.NextAttempt(peer);
  peer.Welcome();
  node.SendOnceOpen(2);
  CHECK(peer.ReadBatch().sequence == 1);  // of the new session
}

TEST_CASE("an empty request asks whether the peer is there when nothing else is to be said") {
  FakePeer peer;
  RestNode node(peer);
  peer.Welcome();
  node.SendOnceOpen(1);
  CHECK(peer.ReadBatch().messages.size() == 1);
  peer.Answer("200 OK", R"({"received":1})");
  // The answer has been taken when the next request comes.
  node.Send(2);
  CHECK(peer.ReadBatch().messages.size() == 1);
  peer.Answer("200 OK", R"({"received":1})");
  std::atomic<bool> has_come{false};
  std::thread mover([&] {
    while (!has_come) {
      node.clock().Advance(100ms);
      std::this_thread::yield();
    }
  });
  const rest::Batch probe = peer.ReadBatch();
  has_come = true;
  mover.join();
  CHECK(probe.messages.empty());
  CHECK(probe.sequence == 3);
}

TEST_CASE("a refusal is told by its name, and names that no peer may say are not believed") {
  FakePeer peer;
  RestNode node(peer);
  const auto refuse = [&](const char* name) {
    peer.Accept();
    (void)peer.Read();
    peer.Answer("403 Forbidden",
                std::string(R"({"error":{"name":")") + name + R"(","message":""}})");
  };
  refuse("IdentityReplaced");
  CHECK(
      node.host().Wait([&] { return node.host().WasRefused(kPeer, RaftErrc::IdentityReplaced); }));
  node.NextAttempt(peer);
  refuse("StorageFailed");
  CHECK(node.host().Wait([&] { return node.host().WasRefused(kPeer, RaftErrc::UnexpectedPeer); }));
}

TEST_CASE("what is no answer ends the connection") {
  const std::string welcome =
      rest::EncodeWelcome(kSession, {MakeHello(kPeer, Incarnation(2000)), kSelf});
  const std::string length = std::to_string(welcome.size());
  const std::vector<std::string> wrongs{
      "nonsense\r\n\r\n",
      "HTTP/1.1 200 OK\r\n\r\n" + welcome,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
      "HTTP/1.1 200 OK\r\nContent-Length: " + length + "\r\n\r\n" + welcome + "more",
      "HTTP/1.1 200 OK\nContent-Length: " + length + "\n\n" + welcome,
      "HTTP/1.1 200 OK\r\na: " + std::string(9000, 'b')};
  FakePeer peer;
  RestNode node(peer);
  for (std::size_t i = 0; i < wrongs.size(); ++i) {
    CAPTURE(wrongs[i].substr(0, 80));
    peer.Accept();
    (void)peer.Read();
    peer.Say(wrongs[i]);
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (node.statistics().rejected_corrupt < i + 1 && std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
    }
    CHECK(node.statistics().rejected_corrupt == i + 1);
    node.NextAttempt(peer);
  }
}

}  // namespace
}  // namespace kommander::testing
