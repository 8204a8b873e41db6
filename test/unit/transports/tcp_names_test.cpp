// A peer given by a host name: whom the dialling side asks, how often, and which address it takes.
#include <future>

#include "catch.hpp"
#include "raw_listener.hpp"
#include "scripted_names.hpp"
#include "tcp/service.hpp"

using namespace kommander;
using namespace kommander::testing;
using namespace std::chrono_literals;
using codec::FrameKind;

namespace {

// The dialling side alone, with a resolver of the test's.
class NamedNode {
 public:
  NamedNode() {
    std::string detail;
    REQUIRE(!service_->Start(runner_->executor(), Endpoint("127.0.0.1", 0), host_, detail));
  }
  ~NamedNode() {
    service_->Stop({});
    service_.reset();
    names_->Release();  // what is held holds the executor
    names_.reset();
    runner_.reset();
  }
  NamedNode(const NamedNode&) = delete;
  NamedNode& operator=(const NamedNode&) = delete;

  ManualClock& clock() { return *clock_; }
  ScriptedNames& names() { return *names_; }
  RecordingHost& host() { return *host_; }
  tcp::Service& service() { return *service_; }
  void Dial(const std::string& host, std::uint16_t port) {
    service_->SetPeer(kPeer, Endpoint(host, port));
  }
  static bool Wait(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }
  bool WaitForDowns(std::size_t count) {
    return host_->Wait([&] { return host_->downs().size() >= count; });
  }
  bool WaitForQuestions(std::size_t count) {
    return Wait([&] { return names_->asked().size() >= count; });
  }
  // Moves the clock on, past pauses and time-outs, until the condition holds.
  bool AdvanceUntil(const std::function<bool()>& condition) {
    return Wait([&] {
      clock_->Advance(50ms);
      // The node has its turn at each step: time does not run away from a thread that waits for a
      // processor.
      std::promise<void> turn;
      asio::post(runner_->executor(), [&turn] { turn.set_value(); });
      turn.get_future().wait();
      return condition();
    });
  }

 private:
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::unique_ptr<conformance::Runner> runner_ =
      conformance::MakeRunner(conformance::Threads::kContext1);
  std::shared_ptr<RecordingHost> host_ =
      std::make_shared<RecordingHost>(MakeHello(kSelf, Incarnation(1000)));
  std::shared_ptr<ScriptedNames> names_ = std::make_shared<ScriptedNames>();
  std::shared_ptr<tcp::Service> service_ = std::make_shared<tcp::Service>(
      clock_, TcpTransportOptions().BackOff(100ms, 400ms).HandshakeTimeout(5s).IdleTimeout(600s),
      names_);
};

// Two addresses of this machine with listeners at one port.
struct TwoHosts {
  RawListener first;
  RawListener second{Endpoint("127.0.0.2", first.endpoint().port)};
  std::uint16_t port = first.endpoint().port;
};

}  // namespace

TEST_CASE("tcp names: an answer that has changed is taken at the next attempt") {
  NamedNode node;
  TwoHosts hosts;
  node.names().Answer({"127.0.0.1"});
  node.Dial("node-2", hosts.port);
  RawSocket raw;
  hosts.first.AcceptAndGreet(raw);
  CHECK(node.names().asked() == std::vector<std::string>{"node-2"});
  node.names().Answer({"127.0.0.2"});
  raw.Close();
  REQUIRE(node.AdvanceUntil([&] { return node.names().asked().size() == 2; }));
  RawSocket again;
  hosts.second.AcceptAndGreet(again);
}

TEST_CASE("tcp names: the addresses of a name are tried in turn, within one attempt") {
  NamedNode node;
  RawListener listener;
  node.names().Answer({"127.0.0.3", "::1", "127.0.0.1"});  // nobody listens at the first two
  node.Dial("node-2", listener.endpoint().port);
  RawSocket raw;
  listener.AcceptAndGreet(raw);
  CHECK(node.names().asked().size() == 1);
}

TEST_CASE("tcp names: an attempt does not begin where the one before met nobody") {
  NamedNode node;
  TwoHosts hosts;  // the first one takes connections and says nothing
  node.names().Answer({"127.0.0.1", "127.0.0.2"});
  node.Dial("node-2", hosts.port);
  RawSocket silent;
  hosts.first.Accept(silent);
  REQUIRE(silent.ReadFrame());
  node.clock().Advance(5s);
  REQUIRE(node.WaitForDowns(1));
  REQUIRE(node.AdvanceUntil([&] { return node.names().asked().size() == 2; }));
  RawSocket raw;
  hosts.second.AcceptAndGreet(raw);
}

TEST_CASE("tcp names: no address and no answer end an attempt, and another follows") {
  NamedNode node;
  RawListener listener;
  SECTION("no address") { node.names().Answer({}); }
  SECTION("no answer") { node.names().Hold(); }
  node.Dial("node-2", listener.endpoint().port);
  REQUIRE(node.WaitForQuestions(1));
  REQUIRE(node.AdvanceUntil([&] { return !node.host().downs().empty(); }));
  node.names().Answer({"127.0.0.1"});
  node.names().Release();
  // The attempt that waits by now gets on, or one after it: the clock that moves may end an attempt
  // before its hello.
  for (bool is_greeted = false; !is_greeted;) {
    RawSocket raw;
    REQUIRE(node.AdvanceUntil([&] { return listener.HasConnection(); }));
    listener.Accept(raw);
    is_greeted = raw.ReadFrame().has_value();
  }
}

TEST_CASE("tcp names: a resolver that hangs is asked once and ends with the handshake's time") {
  NamedNode node;
  node.names().Hold();
  node.Dial("node-2", 7001);
  REQUIRE(node.WaitForQuestions(1));
  node.clock().Advance(5s - 1ns);
  CHECK(node.host().downs().empty());
  node.clock().Advance(1ns);
  REQUIRE(node.WaitForDowns(1));
  CHECK(node.host().WasDown(kPeer, asio::error::timed_out));
  // Attempts go on, questions do not.
  for (int i = 0; i < 10; ++i) {
    REQUIRE(node.Wait([&] { return node.clock().armed() == 1; }));
    node.clock().Advance(5s);  // the end of a pause or of an attempt
  }
  CHECK(node.names().asked().size() == 1);
}

TEST_CASE("tcp names: an answer for where the peer was is not taken for where it is") {
  NamedNode node;
  TwoHosts hosts;
  node.names().Hold();
  node.Dial("before", hosts.port);
  REQUIRE(node.WaitForQuestions(1));
  node.Dial("after", hosts.port);
  node.names().Answer({"127.0.0.1"});
  node.names().Release();
  REQUIRE(node.WaitForQuestions(2));
  CHECK(node.names().asked() == std::vector<std::string>{"before", "after"});
  RawSocket raw;
  hosts.first.AcceptAndGreet(raw);
}

TEST_CASE("tcp names: a literal address is never asked for") {
  NamedNode node;
  RawListener listener;
  node.Dial("127.0.0.1", listener.endpoint().port);
  RawSocket raw;
  listener.AcceptAndGreet(raw);
  CHECK(node.names().asked().empty());
}

TEST_CASE("tcp names: the end does not wait for a resolver that hangs") {
  NamedNode node;
  node.names().Hold();
  node.Dial("node-2", 7001);
  REQUIRE(node.WaitForQuestions(1));
  std::promise<void> ended;
  node.service().Stop([&] { ended.set_value(); });
  CHECK(ended.get_future().wait_for(20s) == std::future_status::ready);
}
