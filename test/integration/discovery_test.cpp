// Whole nodes whose addresses nobody has written down: they move while they run, or find each
// other.
#include <algorithm>
#include <array>
#include <mutex>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>

#include <kommander/dynamic_discovery.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/steady_clock.hpp>
#include <kommander/tcp_transport.hpp>
#ifdef KOMMANDER_TEST_MULTICAST
#include <kommander/multicast_discovery.hpp>
#endif

#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

// An address of this machine at which nobody listens now.
template <class Protocol>
Endpoint FreshEndpoint() {
  asio::io_context context;
  typename Protocol::socket socket(context);
  socket.open(Protocol::v4());
  socket.bind({asio::ip::address_v4::loopback(), 0});
  return Endpoint("127.0.0.1", socket.local_endpoint().port());
}

// Three nodes over TCP that know nothing of each other but their ids.
class Strangers {
 public:
  static constexpr std::uint32_t kNodes = 3;

  Strangers() {
    for (auto& wal : wals_) wal = std::make_shared<MemoryWal>();
  }
  // A life of the node, which begins to join.
  void Start(std::uint32_t id, Endpoint listen, std::shared_ptr<Discovery> discovery) {
    RaftConfiguration configuration;
    std::vector<NodeAddress> members;
    for (std::uint32_t i = 1; i <= kNodes; ++i) members.emplace_back(NodeId(i), Endpoint());
    configuration.Id(NodeId(id)).ClusterId("strangers").InitialMembers(std::move(members));
    configuration.Listen(std::move(listen)).ElectionTimeout(milliseconds(300));
    auto transport = std::make_shared<TcpTransport>(
        MakeSteadyClock(), TcpTransportOptions().BackOff(milliseconds(5), milliseconds(40)));
    nodes_[id - 1] = std::make_unique<TestNode>(
        world_.executor(), std::move(configuration), wals_[id - 1], std::move(transport),
        std::make_shared<Journal>(), nullptr, RaftDependencies(), std::move(discovery));
    joins_[id - 1] = Answer<>();
    raft(id).JoinCluster(joins_[id - 1].Token());
  }
  void WaitForJoins() {
    for (const auto& join : joins_) join.Get();
  }
  void Stop(std::uint32_t id) {
    Answer<> stop;
    raft(id).Stop(stop.Token());
    stop.Get();
    nodes_[id - 1]->Destroy();
  }
  // Through whoever leads; every node then has it.
  void Write(const std::string& text) {
    const bool is_written = Eventually([&] {
      for (std::uint32_t id = 1; id <= kNodes; ++id) {
        if (!raft(id).AmILeaderQuick(1)) continue;
        Answer<ReplicateResult> write;
        raft(id).ReplicateLogs(1, "Text", text, write.Token());
        if (!write.Wait()) return true;
      }
      return false;
    });
    REQUIRE(is_written);
    for (const auto& node : nodes_) node->journal().WaitForText(1, text);
  }
  void Finish() {
    for (std::uint32_t id = 1; id <= kNodes; ++id) Stop(id);
    world_.Finish();
  }
  RaftManager& raft(std::uint32_t id) { return nodes_[id - 1]->raft(); }
  World& world() { return world_; }

 private:
  World world_{World::Kind::kFourThreads};
  std::array<std::shared_ptr<MemoryWal>, kNodes> wals_;
  std::array<std::unique_ptr<TestNode>, kNodes> nodes_;
  std::array<Answer<>, kNodes> joins_;
};

// Carries nothing and remembers where it was told that peers are.
class DeafTransport final : public Transport {
 public:
  error_code Start(asio::any_io_executor executor, Endpoint, std::weak_ptr<TransportHost>,
                   std::string&) override {
    executor_ = std::move(executor);
    return {};
  }
  void SetPeer(NodeId peer, Endpoint endpoint) override {
    const std::lock_guard lock(mutex_);
    told_.emplace_back(peer, std::move(endpoint));
  }
  void RemovePeer(NodeId peer) override {
    const std::lock_guard lock(mutex_);
    removed_.push_back(peer);
  }
  void Send(Message) noexcept override {}
  [[nodiscard]] TransportStatistics Statistics() const noexcept override { return {}; }
  void Stop(std::function<void()> done) override {
    if (done) asio::post(executor_, std::move(done));
  }

  std::vector<NodeAddress> TakeTold() {
    const std::lock_guard lock(mutex_);
    return std::exchange(told_, {});
  }
  std::size_t told() const {
    const std::lock_guard lock(mutex_);
    return told_.size();
  }
  std::vector<NodeId> removed() const {
    const std::lock_guard lock(mutex_);
    return removed_;
  }

 private:
  asio::any_io_executor executor_;
  mutable std::mutex mutex_;
  std::vector<NodeAddress> told_;
  std::vector<NodeId> removed_;
};

// Whatever the test says, however little sense it makes.
class AnyDiscovery final : public Discovery {
 public:
  void Set(std::vector<NodeAddress> nodes) {
    const std::lock_guard lock(mutex_);
    nodes_ = std::move(nodes);
  }
  [[nodiscard]] std::vector<NodeAddress> Nodes() const override {
    const std::lock_guard lock(mutex_);
    return nodes_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<NodeAddress> nodes_;
};

NodeAddress At(std::uint32_t id, const std::string& host) {
  return NodeAddress(NodeId(id), Endpoint(host, 7001));
}

}  // namespace

TEST_CASE("a node asks again and again where the others are, and tells its transport") {
  World world(World::Kind::kOneThread);
  const auto transport = std::make_shared<DeafTransport>();
  const auto discovery = std::make_shared<AnyDiscovery>();
  RaftConfiguration configuration;
  configuration.Id(NodeId(1)).ClusterId("strangers").ElectionTimeout(milliseconds(20));
  configuration.InitialMembers({NodeAddress(NodeId(1), Endpoint()),
                                NodeAddress(NodeId(2), Endpoint()),
                                NodeAddress(NodeId(3), Endpoint())});
  // Of several addresses the first; not this node, nobody, or a stranger.
  discovery->Set({At(2, "a"), At(0, "x"), At(1, "x"), At(9, "x"), At(3, "b"), At(2, "c")});
  TestNode node(world.executor(), configuration, std::make_shared<MemoryWal>(), transport,
                std::make_shared<Journal>(), nullptr, RaftDependencies(), discovery);
  Answer<> join;
  node->JoinCluster(join.Token());
  REQUIRE(Eventually([&] { return transport->told() >= 8; }));
  auto told = transport->TakeTold();
  CHECK(std::count(told.begin(), told.end(), At(2, "a")) >= 4);
  CHECK(std::count(told.begin(), told.end(), At(3, "b")) >= 4);
  std::erase(told, At(2, "a"));
  std::erase(told, At(3, "b"));
  CHECK(told.empty());
  // One moves, one is not named any more, which changes nothing.
  discovery->Set({At(2, "d")});
  REQUIRE(Eventually([&] {
    told = transport->TakeTold();
    return std::find(told.begin(), told.end(), At(2, "d")) != told.end();
  }));
  CHECK(transport->removed().empty());
  Answer<> stop;
  node->Stop(stop.Token());
  stop.Get();
  world.Finish();
}

TEST_CASE("members without an address need a discovery") {
  World world(World::Kind::kOneThread);
  RaftConfiguration configuration;
  configuration.Id(NodeId(1)).ClusterId("strangers").Listen(Endpoint("127.0.0.1", 0));
  configuration.InitialMembers(
      {NodeAddress(NodeId(1), Endpoint()), NodeAddress(NodeId(2), Endpoint())});
  CHECK(configuration.Validate().empty());
  try {
    const RaftManager raft(world.executor(), configuration, std::make_shared<MemoryWal>(),
                           std::make_shared<DeafTransport>(), nullptr);
    FAIL("it was taken");
  } catch (const boost::system::system_error& error) {
    CHECK(error.code() == RaftErrc::InvalidConfiguration);
    CHECK(std::string(error.what()).find("node 2 has no address") != std::string::npos);
  }
  world.Finish();
}

TEST_CASE("a node that comes back at another address is found there") {
  Strangers strangers;
  const auto discovery = std::make_shared<DynamicDiscovery>();
  const auto start = [&](std::uint32_t id) {
    const Endpoint endpoint = FreshEndpoint<asio::ip::tcp>();
    REQUIRE(discovery->Add(NodeAddress(NodeId(id), endpoint)));
    strangers.Start(id, endpoint, discovery);
  };
  for (std::uint32_t id = 1; id <= Strangers::kNodes; ++id) start(id);
  strangers.WaitForJoins();
  strangers.Write("before");
  for (const std::uint32_t id : {3u, 1u}) {
    const auto before = discovery->Nodes();
    strangers.Stop(id);
    start(id);
    REQUIRE(discovery->Nodes() != before);
    strangers.WaitForJoins();
    strangers.Write("after " + std::to_string(id));
  }
  strangers.Finish();
}

#ifdef KOMMANDER_TEST_MULTICAST
TEST_CASE("nodes that know nothing of each other but their ids find each other and agree") {
  Strangers strangers;
  const std::uint16_t port = FreshEndpoint<asio::ip::udp>().port;
  std::vector<std::shared_ptr<MulticastDiscovery>> discoveries;
  const auto start = [&](std::uint32_t id) {
    const Endpoint endpoint = FreshEndpoint<asio::ip::tcp>();
    MulticastOptions options("strangers", NodeId(id), endpoint);
    options.Secret("sixteen bytes ok").Interface("lo").Port(port).Interval(milliseconds(200));
    auto discovery = std::make_shared<MulticastDiscovery>(MakeSteadyClock(), std::move(options));
    std::string detail;
    REQUIRE_FALSE(discovery->Start(strangers.world().executor(), detail));
    strangers.Start(id, endpoint, discovery);
    return discovery;
  };
  for (std::uint32_t id = 1; id <= Strangers::kNodes; ++id) discoveries.push_back(start(id));
  strangers.WaitForJoins();
  strangers.Write("found");
  // And again elsewhere.
  strangers.Stop(2);
  discoveries[1]->Stop({});
  discoveries[1] = start(2);
  strangers.WaitForJoins();
  strangers.Write("found again");
  discoveries.clear();
  strangers.Finish();
}
#endif

}  // namespace kommander::test
