// The faults of a memory network, each on its own, on a clock that the test moves.
#include <algorithm>

#include <boost/asio/error.hpp>

#include <kommander/memory_transport.hpp>

#include "catch.hpp"
#include "manual_clock.hpp"
#include "transport_fixture.hpp"

using namespace kommander;
using namespace kommander::conformance;
using kommander::testing::ManualClock;
using namespace std::chrono_literals;

namespace {

const NodeId kA(1);
const NodeId kB(2);

class Backend final : public TransportBackend {
 public:
  std::shared_ptr<Transport> Create(std::shared_ptr<Clock> clock) override {
    return network->CreateTransport(std::move(clock));
  }
  Endpoint FreshEndpoint() override { return Endpoint("node", ++port_); }
  Endpoint Bound(Transport&, Endpoint asked) override { return asked; }
  const std::shared_ptr<MemoryNetwork> network = MemoryNetwork::Create(
      MemoryNetworkOptions().Seed(5).BackOff(10ms, 100ms).HandshakeTimeout(1s));

 private:
  std::uint16_t port_ = 0;
};

struct Fixture {
  Fixture() : a(backend, Threads::kContext1, kA, clock), b(backend, Threads::kContext1, kB, clock) {
    a.Start();
    b.Start();
    a.Dial(b);
    REQUIRE(a.Reach(b));
  }
  void SendBeats(std::uint64_t count) {
    for (std::uint64_t i = 1; i <= count; ++i) {
      a.transport().Send(MakeHeartbeat(kA, kB, static_cast<std::uint32_t>(i), i));
    }
  }
  // The rounds that have arrived, after everything that was under way has.
  std::vector<std::uint64_t> Rounds() {
    backend.network->Heal();
    const auto rounds = [&] {
      std::vector<std::uint64_t> result;
      for (const auto& m : b.host().messages()) result.push_back(std::get<Heartbeat>(m.body).round);
      return result;
    };
    REQUIRE(a.Reach(b));
    return rounds();
  }
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  Backend backend;
  TestNode a;
  TestNode b;
};

}  // namespace

TEST_CASE("memory network: without faults everything arrives once, in order") {
  Fixture f;
  f.SendBeats(200);
  const auto rounds = f.Rounds();
  REQUIRE(rounds.size() == 200);
  CHECK(std::is_sorted(rounds.begin(), rounds.end()));
}

TEST_CASE("memory network: drop") {
  Fixture f;
  f.backend.network->SetFaults(kA, kB, LinkFaults().Drop(0.5));
  f.SendBeats(1000);
  const auto rounds = f.Rounds();
  CHECK(rounds.size() > 400);
  CHECK(rounds.size() < 600);
  CHECK(std::is_sorted(rounds.begin(), rounds.end()));
}

TEST_CASE("memory network: duplicate") {
  Fixture f;
  f.backend.network->SetDefaultFaults(LinkFaults().Duplicate(1));
  f.SendBeats(100);
  CHECK(f.Rounds().size() == 200);
}

TEST_CASE("memory network: delay holds back, and keeps the order unless told otherwise") {
  Fixture f;
  const bool reorder = GENERATE(false, true);
  f.backend.network->SetFaults(kA, kB, LinkFaults().Delay(10ms, 50ms).Reorder(reorder));
  f.SendBeats(100);
  f.clock->Advance(9ms);
  if (reorder) {
    f.backend.network->SetFaults(kA, kB, LinkFaults().Reorder());
    REQUIRE(f.a.Reach(f.b));  // the probe overtakes
    CHECK(f.b.host().messages().empty());
    f.clock->Advance(41ms);
    const auto rounds = f.Rounds();
    CHECK(rounds.size() == 100);
    CHECK_FALSE(std::is_sorted(rounds.begin(), rounds.end()));
  } else {
    CHECK(f.b.host().messages().empty());
    f.clock->Advance(41ms);
    const auto rounds = f.Rounds();
    CHECK(rounds.size() == 100);
    CHECK(std::is_sorted(rounds.begin(), rounds.end()));
  }
}

TEST_CASE("memory network: a cut loses what is sent, one way, and heals") {
  Fixture f;
  f.b.Dial(f.a);
  REQUIRE(f.b.Reach(f.a));
  f.backend.network->SetFaults(kA, kB, LinkFaults().Cut());
  f.SendBeats(50);
  CHECK_FALSE(f.a.Reach(f.b, 20ms));
  CHECK(f.b.Reach(f.a));
  CHECK(f.Rounds().empty());
  f.SendBeats(3);
  CHECK(f.Rounds().size() == 3);
}

TEST_CASE("memory network: no handshake through a cut") {
  Fixture f;
  f.backend.network->SetFaults(kA, kB, LinkFaults().Cut());
  f.b.Dial(f.a);
  const error_code refused = boost::asio::error::connection_refused;
  REQUIRE(f.b.host().Wait([&] { return f.b.host().WasDown(kA, refused); }));
  f.backend.network->Heal();
  CHECK_FALSE(f.b.Reach(f.a, 20ms));  // the next attempt waits for the clock
  f.clock->Advance(100ms);
  CHECK(f.b.Reach(f.a));
}
