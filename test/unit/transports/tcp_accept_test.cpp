// Connections that the application has accepted and hands over: they are treated like those of the
// transport's own listener.
#include <list>
#include <thread>

#include "catch.hpp"
#include "tcp_fixture.hpp"

using namespace kommander;
using namespace kommander::testing;
using namespace std::chrono_literals;
using codec::FrameKind;

namespace {

// The application's own listener, with a context of its own that nobody runs.
class Application {
 public:
  Application() : acceptor_(context_, {asio::ip::make_address("127.0.0.1"), 0}) {}
  // A new connection: one end for the test, the other for the transport.
  asio::ip::tcp::socket Connect(RawSocket& far) {
    far.Connect(Endpoint("127.0.0.1", acceptor_.local_endpoint().port()));
    return acceptor_.accept();
  }

 private:
  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_;
};

std::string HelloFrame() { return MakeHelloFrame(FrameKind::kHello, PeerHello(), kSelf); }

TcpTransportOptions NoListener() { return TcpTransportOptions().Listen(false); }

void ExpectAck(RawSocket& far) {
  const auto answer = far.ReadFrame();
  REQUIRE(answer);
  CHECK(answer->header.kind == FrameKind::kHelloAck);
}

}  // namespace

TEST_CASE("tcp accept: a connection of the application becomes one of the transport") {
  TcpNode node(NoListener());
  CHECK(node.endpoint() == Endpoint());
  Application application;
  RawSocket far;
  REQUIRE(!node.transport().Accept(application.Connect(far)));
  Greet(far);
  far.Send(MakeMessageFrame({MakeHeartbeat(kPeer, kSelf, 1, 1)}, 1));
  CHECK(node.host().Wait([&] { return node.host().messages().size() == 1; }));
  far.Send(MakeFrame(FrameKind::kPing, "", 2));
  const auto pong = far.ReadFrame();
  REQUIRE(pong);
  CHECK(pong->header.kind == FrameKind::kPong);
}

TEST_CASE("tcp accept: what was read already is part of the stream, wherever it was cut") {
  TcpNode node(NoListener());
  Application application;
  const std::string hello = HelloFrame();
  for (std::size_t size = 0; size <= hello.size(); ++size) {
    CAPTURE(size);
    RawSocket far;
    auto near = application.Connect(far);
    REQUIRE(!node.transport().Accept(std::move(near), AsBytes(hello).first(size)));
    far.Send(std::string_view(hello).substr(size));
    ExpectAck(far);
  }
  CHECK(node.statistics().bytes_received == hello.size() * (hello.size() + 1));
}

TEST_CASE("tcp accept: bytes that are no hello end it as they do elsewhere") {
  TcpNode node(NoListener());
  Application application;
  const auto hand_over = [&](std::string_view bytes) {
    RawSocket far;
    REQUIRE(!node.transport().Accept(application.Connect(far), AsBytes(bytes)));
    return far.WaitForEnd();
  };
  CHECK(hand_over(std::string(TcpTransport::kBytesReadMax, 'g')));
  CHECK(node.statistics().rejected_corrupt == 1);
  CHECK(hand_over(HelloFrame() + "K"));
  CHECK(hand_over(MakeFrame(FrameKind::kPing, "", 0)));
  CHECK(node.Wait([&] { return node.statistics().rejected_out_of_order == 2; }));
  CHECK(node.host().messages().empty());
}

TEST_CASE("tcp accept: what it refuses it closes, by name") {
  TcpNode node(NoListener());
  Application application;
  {
    RawSocket far;
    const std::string bytes(TcpTransport::kBytesReadMax + 1, 'x');
    CHECK(node.transport().Accept(application.Connect(far), AsBytes(bytes)) ==
          RaftErrc::InvalidArgument);
    CHECK(far.WaitForEnd());
  }
  asio::io_context context;
  CHECK(node.transport().Accept(asio::ip::tcp::socket(context)) == RaftErrc::InvalidArgument);
  asio::ip::tcp::socket unconnected(context, asio::ip::tcp::v4());
  CHECK(node.transport().Accept(std::move(unconnected)) == asio::error::not_connected);
  CHECK(node.clock().armed() == 0);
}

TEST_CASE("tcp accept: before the start and after the stop") {
  const auto runner = conformance::MakeRunner(conformance::Threads::kContext1);
  const auto host = std::make_shared<RecordingHost>(MakeHello(kSelf, Incarnation(1)));
  TcpTransport transport(std::make_shared<ManualClock>(), NoListener());
  Application application;
  RawSocket early;
  CHECK(transport.Accept(application.Connect(early)) == RaftErrc::NodeIsNotReady);
  CHECK(early.WaitForEnd());
  std::string detail;
  // The endpoint is not looked at.
  REQUIRE(!transport.Start(runner->executor(), Endpoint("no address", 1), host, detail));
  CHECK(transport.BoundEndpoint() == Endpoint());
  RawSocket there;
  REQUIRE(!transport.Accept(application.Connect(there)));
  Greet(there);
  transport.Stop({});
  CHECK(there.WaitForEnd());
  RawSocket late;
  CHECK(transport.Accept(application.Connect(late)) == RaftErrc::NodeStopped);
  CHECK(late.WaitForEnd());
}

TEST_CASE("tcp accept: the same bounds") {
  TcpNode node(NoListener().MaxConnections(3, 2));
  Application application;
  std::list<RawSocket> silent;
  for (int i = 0; i < 3; ++i) {
    REQUIRE(!node.transport().Accept(application.Connect(silent.emplace_back())));
  }
  CHECK(silent.front().WaitForEnd());  // the oldest gave way
  for (auto& far : silent) far.Close();
  REQUIRE(node.Wait([&] { return node.clock().armed() == 0; }));
  std::list<RawSocket> peers;
  for (std::uint32_t i = 0; i < 3; ++i) {
    RawSocket& far = peers.emplace_back();
    REQUIRE(!node.transport().Accept(application.Connect(far)));
    far.Send(
        MakeHelloFrame(FrameKind::kHello, MakeHello(NodeId(10 + i), Incarnation(i + 1)), kSelf));
    ExpectAck(far);
  }
  RawSocket one_too_many;
  CHECK(node.transport().Accept(application.Connect(one_too_many)) ==
        asio::error::connection_refused);
  CHECK(one_too_many.WaitForEnd());
}

TEST_CASE("tcp accept: the handshake's deadline begins with it") {
  TcpNode node(NoListener().HandshakeTimeout(5s));
  Application application;
  RawSocket far;
  const std::string hello = HelloFrame();
  REQUIRE(!node.transport().Accept(application.Connect(far), AsBytes(hello).first(40)));
  REQUIRE(node.Wait([&] { return node.clock().armed() == 1; }));
  node.clock().Advance(4999ms);
  CHECK(node.clock().armed() == 1);
  node.clock().Advance(1ms);
  CHECK(far.WaitForEnd());
  const auto host_heard = node.host().judged();
  CHECK(host_heard == 0);
}

TEST_CASE("tcp accept: from any thread, while it stops") {
  for (int round = 0; round < 20; ++round) {
    TcpNode node(NoListener(), conformance::Threads::kContext4);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&node] {
        Application application;
        const std::string hello = HelloFrame();
        for (int connection = 0; connection < 10; ++connection) {
          RawSocket far;
          auto near = application.Connect(far);
          const error_code error = node.transport().Accept(
              std::move(near), AsBytes(hello).first(static_cast<std::size_t>(connection) * 9));
          if (error && error != RaftErrc::NodeStopped) throw std::logic_error(error.message());
        }
      });
    }
    node.transport().Stop({});
    for (auto& thread : threads) thread.join();
  }
}
