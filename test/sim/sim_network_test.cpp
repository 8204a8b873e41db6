// The simulated network: handshake before messages, faults per directed link, lives that end.
#include "sim_network.hpp"

#include <algorithm>

#include "catch.hpp"

using namespace kommander;
using namespace kommander::sim;
using namespace std::chrono_literals;

namespace {

struct Host final : TransportHost {
  explicit Host(NodeId node) : self(node) {}
  Hello LocalHello(NodeId) const override {
    Hello hello;
    hello.node = self;
    return hello;
  }
  void Judge(Hello hello, NodeId dialled, std::function<void(error_code)> verdict) override {
    judged.emplace_back(hello.node, dialled);
    if (hold) {
      held.push_back(std::move(verdict));
    } else {
      verdict(answer);
    }
  }
  void OnMessages(NodeId from, std::vector<Message> messages) override {
    for (Message& message : messages) {
      CHECK(message.from == from);
      CHECK(message.to == self);
      received.push_back(std::get<Heartbeat>(message.body).round);
    }
  }
  void OnPeerDown(NodeId, error_code) override { ++downs; }
  void OnRefused(NodeId, error_code) override { ++refusals; }

  NodeId self;
  error_code answer;
  bool hold = false;
  std::vector<std::function<void(error_code)>> held;
  std::vector<std::pair<NodeId, NodeId>> judged;
  std::vector<std::uint64_t> received;
  int downs = 0;
  int refusals = 0;
};

// One life of a node on the network.
struct Peer {
  Peer(World& world, SimNetwork& network, std::uint32_t id)
      : node(id),
        process(std::make_unique<Process>(world, std::string("n").append(std::to_string(id)))),
        host(std::make_shared<Host>(node)),
        transport(network.CreateTransport(process->record(), node)) {
    std::string detail;
    REQUIRE_FALSE(transport->Start(process->get_executor(), Address(id), host, detail));
  }
  static Endpoint Address(std::uint32_t id) { return {"sim", static_cast<std::uint16_t>(id)}; }
  ~Peer() { Die(); }
  void Die() {
    transport->Kill();
    process.reset();
  }
  void Send(std::uint32_t to, std::uint64_t number) {
    transport->Send(Message(1, node, NodeId(to), Term(1), Heartbeat{LogIndex(), number}));
  }
  NodeId node;
  std::unique_ptr<Process> process;
  std::shared_ptr<Host> host;
  std::shared_ptr<SimTransport> transport;
};

void Introduce(Peer& a, Peer& b) {
  a.transport->SetPeer(b.node, Peer::Address(b.node.value()));
  b.transport->SetPeer(a.node, Peer::Address(a.node.value()));
}

std::vector<std::uint64_t> Numbers(std::uint64_t count) {
  std::vector<std::uint64_t> numbers(count);
  for (std::uint64_t i = 0; i < count; ++i) numbers[i] = i;
  return numbers;
}

}  // namespace

TEST_CASE("messages flow in order once both sides have judged the other") {
  World world(1);
  SimNetwork network(world, nullptr);
  Peer a(world, network, 1);
  Peer b(world, network, 2);
  b.host->hold = true;
  Introduce(a, b);
  a.Send(2, 99);  // nobody to take it yet
  world.RunFor(300ms);
  CHECK(b.host->judged.size() >= 1);
  a.Send(2, 98);
  world.RunFor(100ms);
  CHECK(b.host->received.empty());
  b.host->hold = false;
  for (auto& verdict : std::exchange(b.host->held, {})) verdict({});
  world.RunFor(300ms);
  for (std::uint64_t i = 0; i < 100; ++i) {
    a.Send(2, i);
    if (i % 7 == 0) world.RunFor(100us);
  }
  world.RunFor(100ms);
  CHECK(b.host->received == Numbers(100));
  // The dialler judges who answered it, knowing whom it meant; the acceptor does not know.
  CHECK(a.host->judged.size() == 2);
  CHECK(std::count(a.host->judged.begin(), a.host->judged.end(), std::pair(NodeId(2), NodeId(2))) ==
        1);
  CHECK(std::count(a.host->judged.begin(), a.host->judged.end(), std::pair(NodeId(2), NodeId())) ==
        1);
}

TEST_CASE("a refused peer hears nothing and tries again") {
  World world(2);
  SimNetwork network(world, nullptr);
  Peer a(world, network, 1);
  Peer b(world, network, 2);
  b.host->answer = RaftErrc::IdentityReplaced;
  a.transport->SetPeer(NodeId(2), Peer::Address(2));
  world.RunFor(1s);
  a.Send(2, 1);
  world.RunFor(1s);
  CHECK(b.host->received.empty());
  CHECK(b.host->judged.size() > 5);
  CHECK(network.counters().handshakes_refused > 5);
  CHECK(a.host->downs > 5);
  b.host->answer = {};
  world.RunFor(1s);
  a.Send(2, 1);
  world.RunFor(1s);
  CHECK(b.host->received.size() == 1);
}

TEST_CASE("loss, repetition and disorder happen as often as asked") {
  World world(3);
  SimNetwork network(world, nullptr);
  Peer a(world, network, 1);
  Peer b(world, network, 2);
  Introduce(a, b);
  world.RunFor(1s);
  LinkFaults& link = network.Link(NodeId(1), NodeId(2));
  const auto run = [&] {
    b.host->received.clear();
    for (std::uint64_t i = 0; i < 2000; ++i) {
      a.Send(2, i);
      world.RunFor(20us);
    }
    world.RunFor(1s);
    return b.host->received;
  };
  CHECK(run() == Numbers(2000));
  link.lose_permille = 100;
  const auto lossy = run();
  CHECK(lossy.size() > 1700);
  CHECK(lossy.size() < 1900);
  CHECK(std::is_sorted(lossy.begin(), lossy.end()));
  link = LinkFaults();
  link.duplicate_permille = 100;
  CHECK(run().size() > 2100);
  link = LinkFaults();
  link.reorder_permille = 100;
  auto disordered = run();
  CHECK_FALSE(std::is_sorted(disordered.begin(), disordered.end()));
  std::sort(disordered.begin(), disordered.end());
  CHECK(disordered == Numbers(2000));
  network.Heal();
  CHECK(run() == Numbers(2000));
}

TEST_CASE("a cut is one way, and heals") {
  World world(4);
  SimNetwork network(world, nullptr);
  Peer a(world, network, 1);
  Peer b(world, network, 2);
  Introduce(a, b);
  world.RunFor(1s);
  network.Link(NodeId(1), NodeId(2)).cut = true;
  a.Send(2, 1);
  b.Send(1, 2);
  world.RunFor(1s);
  CHECK(b.host->received.empty());
  CHECK(a.host->received == std::vector<std::uint64_t>{2});
  network.Heal();
  a.Send(2, 3);
  world.RunFor(1s);
  CHECK(b.host->received == std::vector<std::uint64_t>{3});
}

TEST_CASE("what was under way to or over a connection that ended is lost") {
  World world(5);
  SimNetwork network(world, nullptr);
  Peer a(world, network, 1);
  auto b = std::make_unique<Peer>(world, network, 2);
  Introduce(a, *b);
  world.RunFor(1s);
  network.Link(NodeId(1), NodeId(2)).delay_min = 200ms;
  network.Link(NodeId(1), NodeId(2)).delay_max = 200ms;
  a.Send(2, 1);
  world.RunFor(100ms);
  b.reset();
  auto reborn = std::make_unique<Peer>(world, network, 2);
  reborn->transport->SetPeer(NodeId(1), Peer::Address(1));
  world.RunFor(2s);
  CHECK(reborn->host->received.empty());
  CHECK(a.host->downs > 0);
  a.Send(2, 2);
  world.RunFor(1s);
  CHECK(reborn->host->received == std::vector<std::uint64_t>{2});
  a.Send(2, 3);
  world.RunFor(100ms);
  network.DropConnection(NodeId(1), NodeId(2));
  world.RunFor(2s);
  CHECK(reborn->host->received.size() == 1);
  a.Send(2, 4);
  world.RunFor(1s);
  CHECK(reborn->host->received.back() == 4);
}

TEST_CASE("an address has one owner, and a stopped transport is silent") {
  World world(6);
  SimNetwork network(world, nullptr);
  Peer a(world, network, 1);
  Peer b(world, network, 2);
  Introduce(a, b);
  world.RunFor(1s);
  auto other = network.CreateTransport(a.process->record(), NodeId(3));
  std::string detail;
  CHECK(other->Start(a.process->get_executor(), Peer::Address(2), a.host, detail) ==
        RaftErrc::AddressInUse);
  CHECK_FALSE(detail.empty());
  a.Send(2, 1);
  bool done = false;
  b.transport->Stop([&] { done = true; });
  CHECK_FALSE(done);
  world.RunFor(1s);
  CHECK(done);
  CHECK(b.host->received.empty());
  CHECK_FALSE(other->Start(a.process->get_executor(), Peer::Address(2), a.host, detail));
  other->Kill();
}
