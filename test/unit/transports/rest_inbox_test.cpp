// What a REST transport answers to strangers and to peers that do not keep to the rules, on a clock
// that the test moves.
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/error.hpp>

#include <kommander/rest_transport.hpp>

#include "catch.hpp"
#include "manual_clock.hpp"
#include "rest/json_messages.hpp"
#include "rest/transport_service.hpp"
#include "rest_client.hpp"
#include "transport_fixture.hpp"

namespace kommander::testing {
namespace {

using conformance::MakeHeartbeat;
using conformance::MakeHello;
using conformance::RecordingHost;
using namespace std::chrono_literals;

const NodeId kSelf(1);
const NodeId kPeer(2);

struct Told {
  unsigned status = 0;
  std::string body;
};

class RestNode {
 public:
  explicit RestNode(RestTransportOptions options = {})
      : runner_(conformance::MakeRunner(conformance::Threads::kContext1)),
        transport_(clock_, options) {
    std::string detail;
    REQUIRE(!transport_.Start(runner_->executor(), Endpoint("127.0.0.1", 0), host_, detail));
  }
  ~RestNode() {
    transport_.Stop({});
    runner_.reset();
  }
  RestNode(const RestNode&) = delete;
  RestNode& operator=(const RestNode&) = delete;

  ManualClock& clock() { return *clock_; }
  RecordingHost& host() { return *host_; }
  RestTransport& transport() { return transport_; }

  Told Post(const std::string& path, const std::string& body, const std::string& session = {}) {
    Client client(transport_.BoundEndpoint());
    std::string text = "POST " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    if (!session.empty()) text += "Kommander-Session: " + session + "\r\n";
    client.Send(text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    const std::string answer = client.ReadToEnd();
    const std::size_t end = answer.find("\r\n\r\n");
    REQUIRE(end != std::string::npos);
    return {static_cast<unsigned>(std::stoul(answer.substr(9, 3))), answer.substr(end + 4)};
  }
  // The word of a session of the peer.
  std::string Greet() {
    const Told told = Post("/v1/raft/handshake", Hello());
    CAPTURE(told.body);
    REQUIRE(told.status == 200);
    std::string session;
    codec::Greeting answer;
    REQUIRE(rest::DecodeWelcome(told.body, session, answer));
    REQUIRE(answer.hello.node == kSelf);
    return session;
  }
  static std::string Hello(const std::function<void(codec::Greeting&)>& change = {}) {
    codec::Greeting greeting{MakeHello(kPeer, Incarnation(2000)), kSelf};
    if (change) change(greeting);
    return rest::EncodeHello(greeting);
  }
  static std::string Batch(std::uint64_t sequence, std::uint64_t round, NodeId from = kPeer) {
    rest::BatchWriter writer;
    writer.Begin({from, kSelf}, sequence);
    REQUIRE(writer.Add(MakeHeartbeat(from, kSelf, 1, round)));
    return writer.Finish();
  }

 private:
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::unique_ptr<conformance::Runner> runner_;
  std::shared_ptr<RecordingHost> host_ =
      std::make_shared<RecordingHost>(MakeHello(kSelf, Incarnation(1000)));
  RestTransport transport_;
};

bool Names(const Told& told, unsigned status, const std::string& name) {
  return told.status == status && told.body.find("\"name\":\"" + name + "\"") != std::string::npos;
}

TEST_CASE("messages of a session arrive in order, and an empty request says that the peer lives") {
  RestNode node;
  const std::string session = node.Greet();
  const std::string path = "/v1/raft/messages";
  CHECK(node.Post(path, RestNode::Batch(1, 5), session).body == R"({"received":1})");
  const std::string empty = R"({"from":2,"to":1,"sequence":2,"messages":[]})";
  CHECK(node.Post(path, empty, session).body == R"({"received":0})");
  CHECK(node.Post(path, RestNode::Batch(3, 6), session).status == 200);
  REQUIRE(node.host().Wait([&] { return node.host().messages().size() == 2; }));
  CHECK(node.host().batches() == 2);
}

TEST_CASE("nothing is delivered without a session, twice, or in another order") {
  RestNode node;
  const std::string path = "/v1/raft/messages";
  CHECK(Names(node.Post(path, RestNode::Batch(1, 5)), 401, "NoSession"));
  CHECK(Names(node.Post(path, RestNode::Batch(1, 5), std::string(32, '0')), 401, "NoSession"));
  const std::string session = node.Greet();
  CHECK(node.Post(path, RestNode::Batch(1, 5), session).status == 200);
  CHECK(Names(node.Post(path, RestNode::Batch(1, 5), session), 409, "OutOfOrder"));
  // That was the end of it.
  CHECK(Names(node.Post(path, RestNode::Batch(2, 5), session), 401, "NoSession"));
  CHECK(node.host().downs().size() == 1);
  const std::string second = node.Greet();
  CHECK(Names(node.Post(path, RestNode::Batch(2, 5), second), 409, "OutOfOrder"));
  const std::string third = node.Greet();
  const std::string fourth = node.Greet();  // replaces it
  CHECK(Names(node.Post(path, RestNode::Batch(1, 5), third), 401, "NoSession"));
  CHECK(node.Post(path, RestNode::Batch(1, 7), fourth).status == 200);
  CHECK(node.host().messages().size() == 2);
}

TEST_CASE("a session is its peer's alone, and ends with what is no batch") {
  RestNode node;
  const std::string path = "/v1/raft/messages";
  const auto foreign = node.Post(path, RestNode::Batch(1, 5, NodeId(3)), node.Greet());
  CHECK(Names(foreign, 403, "UnexpectedPeer"));
  CHECK(node.host().WasDown(kPeer, RaftErrc::UnexpectedPeer));
  const std::string session = node.Greet();
  CHECK(Names(node.Post(path, "{\"from\":2}", session), 400, "BadRequest"));
  CHECK(node.Post(path, RestNode::Batch(1, 5), session).status == 401);
  CHECK(node.host().messages().empty());
  const TransportStatistics statistics = node.transport().Statistics();
  CHECK(statistics.rejected_foreign == 1);
  CHECK(statistics.rejected_corrupt == 1);
}

TEST_CASE("a hello is refused by name, and one that is none is told so") {
  RestNode node;
  const std::string path = "/v1/raft/handshake";
  const auto other = [](codec::Greeting& g) { g.hello.cluster_id = "other"; };
  CHECK(Names(node.Post(path, RestNode::Hello(other)), 403, "ClusterIdMismatch"));
  const auto newer = [](codec::Greeting& g) { g.hello.version_min = g.hello.version_max = 900; };
  CHECK(Names(node.Post(path, RestNode::Hello(newer)), 403, "VersionMismatch"));
  CHECK(Names(node.Post(path, "{}"), 400, "BadRequest"));
  CHECK(Names(node.Post(path, std::string(4097, ' ')), 413, "BodyTooLarge"));
  node.host().SetPolicy(
      [](const Hello&, NodeId) { return error_code(RaftErrc::IdentityReplaced); });
  CHECK(Names(node.Post(path, RestNode::Hello()), 403, "IdentityReplaced"));
  CHECK(node.transport().Statistics().rejected_handshake == 3);
}

TEST_CASE("without a session nobody sends much") {
  RestNode node;
  const std::string large(5000, ' ');
  CHECK(Names(node.Post("/v1/raft/messages", large), 413, "BodyTooLarge"));
  const std::string session = node.Greet();
  CHECK(Names(node.Post("/v1/raft/messages", large, session), 400, "BadRequest"));
}

TEST_CASE("a judgement that does not come is not waited for, and a silent session is over") {
  RestNode node;
  node.host().HoldVerdicts();
  Client waiting(node.transport().BoundEndpoint());
  const std::string hello = RestNode::Hello();
  waiting.Send("POST /v1/raft/handshake HTTP/1.1\r\nHost: x\r\nContent-Length: " +
               std::to_string(hello.size()) + "\r\n\r\n" + hello);
  REQUIRE(node.host().Wait([&] { return node.host().held_verdicts() == 1; }));
  // A request that is being answered has no deadline of the server's.
  std::atomic<bool> is_answered{false};
  std::thread mover([&] {
    while (!is_answered) {
      node.clock().Advance(1s);
      std::this_thread::yield();
    }
  });
  const std::string answer = waiting.ReadUntil("}}");
  is_answered = true;
  mover.join();
  CHECK(answer.find("NodeIsNotReady") != std::string::npos);
  node.host().ReleaseVerdicts();  // too late
  const std::string session = node.Greet();
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (node.host().downs().empty() && std::chrono::steady_clock::now() < end) {
    node.clock().Advance(1s);
    std::this_thread::yield();
  }
  CHECK(node.host().WasDown(kPeer, boost::asio::error::timed_out));
  CHECK(node.Post("/v1/raft/messages", RestNode::Batch(1, 5), session).status == 401);
}

TEST_CASE("a farewell ends its session, and is told to the host as what it is") {
  RestNode node;
  const std::string path = "/v1/raft/farewell";
  const std::string batches = "/v1/raft/messages";
  CHECK(Names(node.Post(path, rest::EncodeFarewell({})), 401, "NoSession"));
  const std::string session = node.Greet();
  CHECK(Names(node.Post(path, R"({"reason":1})", session), 400, "BadRequest"));
  CHECK(node.Post(batches, RestNode::Batch(1, 5), session).status == 200);
  CHECK(node.Post(path, rest::EncodeFarewell({}), session).body == "{}");
  CHECK(node.host().WasDown(kPeer, boost::asio::error::eof));
  CHECK(node.Post(batches, RestNode::Batch(2, 5), session).status == 401);
  CHECK(node.host().refusals().empty());
  // A peer that will not have this node says so by name, and only what a peer may say is believed.
  const error_code replaced = RaftErrc::IdentityReplaced;
  CHECK(node.Post(path, rest::EncodeFarewell(replaced), node.Greet()).status == 200);
  CHECK(node.host().WasRefused(kPeer, replaced));
  const error_code failed = RaftErrc::StorageFailed;
  CHECK(node.Post(path, rest::EncodeFarewell(failed), node.Greet()).status == 200);
  const error_code strange = boost::asio::error::eof;
  CHECK(node.Post(path, rest::EncodeFarewell(strange), node.Greet()).status == 200);
  const auto refusals = node.host().refusals();
  REQUIRE(refusals.size() == 3);
  CHECK(refusals[1].second == RaftErrc::UnexpectedPeer);
  CHECK(refusals[2].second == RaftErrc::UnexpectedPeer);
  CHECK(node.host().downs().size() == 1);
}

// What a mounted transport answers, without a server between.
class MountedNode {
 public:
  explicit MountedNode(RestTransportOptions options)
      : service_(std::make_shared<rest::TransportService>(clock_, options.Mounted())) {}
  ~MountedNode() {
    service_->Stop({});
    service_.reset();
    runner_.reset();
  }
  MountedNode(const MountedNode&) = delete;
  MountedNode& operator=(const MountedNode&) = delete;

  void Start() {
    std::string detail;
    REQUIRE(!service_->Start(runner_->executor(), Endpoint(), host_, detail));
  }
  RecordingHost& host() { return *host_; }
  rest::TransportService& service() { return *service_; }
  // The status of the answer, once there is one; 0 before.
  std::shared_ptr<std::atomic<unsigned>> Greet(const std::string& hello = RestNode::Hello()) {
    const auto status = std::make_shared<std::atomic<unsigned>>(0);
    RestRequest request("POST", "/v1/raft/handshake", hello);
    service_->Handle(std::move(request), [status](RestAnswer answer) { *status = answer.status; });
    return status;
  }

 private:
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::unique_ptr<conformance::Runner> runner_ =
      conformance::MakeRunner(conformance::Threads::kContext1);
  std::shared_ptr<RecordingHost> host_ =
      std::make_shared<RecordingHost>(MakeHello(kSelf, Incarnation(1000)));
  std::shared_ptr<rest::TransportService> service_;
};

TEST_CASE("a mounted transport says so before its start and after its stop, and whoever waits") {
  MountedNode node({});
  CHECK(*node.Greet() == 503);
  node.Start();
  CHECK(*node.Greet() == 200);
  node.host().HoldVerdicts();
  const auto waiting = node.Greet();
  CHECK(*waiting == 0);
  node.service().Stop({});
  CHECK(*waiting == 503);
  node.host().ReleaseVerdicts();
  CHECK(*node.Greet() == 503);
}

TEST_CASE("a server that takes large bodies does not make a mounted transport read them") {
  MountedNode node({});
  node.Start();
  CHECK(*node.Greet(RestNode::Hello() + std::string(4096, ' ')) == 413);
  CHECK(*node.Greet() == 200);
}

TEST_CASE("so many greetings wait for the host, and no more") {
  MountedNode node(RestTransportOptions().MaxConnections(2, 2));
  node.Start();
  node.host().HoldVerdicts();
  const auto first = node.Greet();
  const auto second = node.Greet();
  CHECK(*node.Greet() == 503);
  CHECK(node.host().held_verdicts() == 2);
  node.host().ReleaseVerdicts();
  CHECK(*first == 200);
  CHECK(*second == 200);
}

}  // namespace
}  // namespace kommander::testing
