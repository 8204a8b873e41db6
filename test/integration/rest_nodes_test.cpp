// Whole nodes that speak HTTP to each other: two listen for their peers themselves, the third has
// its routes on a server of the application.
#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <kommander/memory_snapshots.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/rest_server.hpp>
#include <kommander/rest_transport.hpp>
#include <kommander/steady_clock.hpp>

#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

// An address of this machine at which nobody listens, and from which no connection begins: those
// are from 127.0.0.1, and would otherwise meet the port of a node that is away.
Endpoint FreshEndpoint() {
  asio::io_context context;
  const auto address = asio::ip::make_address("127.0.0.2");
  const asio::ip::tcp::acceptor acceptor(context, {address, 0});
  return Endpoint(address.to_string(), acceptor.local_endpoint().port());
}

// All that was written, one line each.
class Text final : public StateMachine {
 public:
  bool Apply(std::span<const RaftLog> logs) override {
    const std::lock_guard lock(mutex_);
    for (const RaftLog& log : logs) text_ += std::string(log.payload().text()) + "\n";
    return true;
  }
  std::shared_ptr<SnapshotImage> Capture(PartitionId) override {
    const std::lock_guard lock(mutex_);
    return std::make_shared<Image>(text_);
  }
  asio::awaitable<bool> Import(PartitionId, SnapshotSource& source) override {
    std::string text;
    for (;;) {
      const Payload bytes = co_await source.Read();
      if (bytes.empty()) break;
      text += bytes.text();
    }
    const std::lock_guard lock(mutex_);
    ++imports_;
    text_ = std::move(text);
    co_return true;
  }
  std::string Get() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  int imports() const {
    const std::lock_guard lock(mutex_);
    return imports_;
  }

 private:
  struct Image final : SnapshotImage {
    explicit Image(std::string copy) : text(std::move(copy)) {}
    asio::awaitable<void> Write(SnapshotSink& sink) override {
      Payload bytes(text);
      co_await sink.Write(std::move(bytes));
    }
    const std::string text;
  };
  mutable std::mutex mutex_;
  std::string text_;
  int imports_ = 0;
};

class RestNodes {
 public:
  static constexpr std::uint32_t kNodes = 3;
  static constexpr std::uint32_t kMounted = 3;

  RestNodes() {
    for (std::uint32_t id = 1; id <= kNodes; ++id) {
      members_.emplace_back(NodeId(id), FreshEndpoint());
      wals_[id - 1] = std::make_shared<MemoryWal>();
      stores_[id - 1] = MakeMemorySnapshots();
    }
    for (std::uint32_t id = 1; id <= kNodes; ++id) Start(id);
    for (const auto& join : joins_) join.Get();
  }
  // A life of the node, which begins to join.
  void Start(std::uint32_t id) {
    RaftConfiguration configuration;
    configuration.Id(NodeId(id)).ClusterId("rest").InitialMembers(members_);
    configuration.Listen(members_[id - 1].endpoint).ElectionTimeout(milliseconds(300));
    configuration.CompactionStep(8).RetainedEntries(0).SnapshotEntries(20);
    RestTransportOptions options;
    options.BackOff(milliseconds(5), milliseconds(40)).Seed(id);
    if (id == kMounted) options.Mounted();
    transports_[id - 1] = std::make_shared<RestTransport>(MakeSteadyClock(), options);
    nodes_[id - 1] =
        std::make_unique<TestNode>(world_.executor(), std::move(configuration), wals_[id - 1],
                                   transports_[id - 1], std::make_shared<Journal>(), nullptr);
    texts_[id - 1] = std::make_shared<Text>();
    raft(id).OnLogRestored({}).OnReplicationReceived({});
    raft(id).UseStateMachine(texts_[id - 1]).UseSnapshots(stores_[id - 1]);
    if (id == kMounted) {
      server_ = std::make_unique<RestServer>(world_.executor(), MakeSteadyClock(),
                                             RaftRoutes(raft(id), *transports_[id - 1]));
      std::string detail;
      const bool listens =
          Eventually([&] { return !server_->Start(members_[id - 1].endpoint, detail); });
      if (!listens) FAIL(detail);
    }
    joins_[id - 1] = Answer<>();
    raft(id).JoinCluster(joins_[id - 1].Token());
  }
  void WaitForJoin(std::uint32_t id) { joins_[id - 1].Get(); }
  void Stop(std::uint32_t id) {
    if (id == kMounted) {
      Answer<> closed;
      server_->Stop(closed.Token());
      closed.Get();
      server_.reset();
    }
    Answer<> stop;
    raft(id).Stop(stop.Token());
    stop.Get();
    nodes_[id - 1]->Destroy();
  }
  void Finish() {
    for (std::uint32_t id = 1; id <= kNodes; ++id) Stop(id);
    world_.Finish();
  }
  // Asked of that node, whoever leads.
  ReplicateResult WriteAt(std::uint32_t id, const std::string& text) {
    ReplicateResult result;
    const bool is_written = Eventually([&] {
      Answer<ReplicateResult> write;
      raft(id).ReplicateLogs(1, "Text", text, ReplicateOptions().Forward(), write.Token());
      const error_code error = write.Wait();
      result = write.result();
      return !error;
    });
    REQUIRE(is_written);
    return result;
  }
  // The node that leads, other than `id`.
  std::uint32_t LeaderBeside(std::uint32_t id) {
    std::uint32_t leader = 0;
    const bool leads = Eventually([&] {
      for (std::uint32_t one = 1; one <= kNodes; ++one) {
        if (one != id && nodes_[one - 1]->IsAlive() && raft(one).AmILeaderQuick(1)) leader = one;
      }
      return leader != 0;
    });
    REQUIRE(leads);
    return leader;
  }
  void WaitForText(std::uint32_t id, const std::string& part) {
    CAPTURE(id, part);
    REQUIRE(Eventually([&] { return text(id).Get().find(part + "\n") != std::string::npos; }));
  }
  RaftManager& raft(std::uint32_t id) { return nodes_[id - 1]->raft(); }
  Text& text(std::uint32_t id) { return *texts_[id - 1]; }
  RestTransport& transport(std::uint32_t id) { return *transports_[id - 1]; }

 private:
  World world_{World::Kind::kFourThreads};
  std::vector<NodeAddress> members_;
  std::array<std::shared_ptr<MemoryWal>, kNodes> wals_;
  std::array<std::shared_ptr<SnapshotStore>, kNodes> stores_;
  std::array<std::shared_ptr<RestTransport>, kNodes> transports_;
  std::array<std::unique_ptr<TestNode>, kNodes> nodes_;
  std::array<std::shared_ptr<Text>, kNodes> texts_;
  std::array<Answer<>, kNodes> joins_;
  std::unique_ptr<RestServer> server_;
};

TEST_CASE("nodes over HTTP elect, replicate, forward, read and hand leadership on") {
  RestNodes nodes;
  for (std::uint32_t id = 1; id <= RestNodes::kNodes; ++id) {
    nodes.WriteAt(id, "asked of " + std::to_string(id));
  }
  for (std::uint32_t id = 1; id <= RestNodes::kNodes; ++id) {
    for (std::uint32_t by = 1; by <= RestNodes::kNodes; ++by) {
      nodes.WaitForText(id, "asked of " + std::to_string(by));
    }
  }
  // A follower asks the leader, and sees what was written before.
  const std::uint32_t follower = nodes.LeaderBeside(0) % RestNodes::kNodes + 1;
  nodes.WriteAt(1, "before the read");
  const bool has_read = Eventually([&] {
    Answer<ReadBarrierResult> read;
    nodes.raft(follower).ReadBarrier(1, read.Token());
    return !read.Wait();
  });
  REQUIRE(has_read);
  CHECK(nodes.text(follower).Get().find("before the read\n") != std::string::npos);
  for (std::uint32_t target = 1; target <= RestNodes::kNodes; ++target) {
    const bool leads = Eventually([&] {
      if (nodes.raft(target).AmILeaderQuick(1)) return true;
      Answer<> transfer;
      nodes.raft(nodes.LeaderBeside(0)).TransferLeadership(1, NodeId(target), transfer.Token());
      (void)transfer.Wait();
      return false;
    });
    REQUIRE(leads);
  }
  for (std::uint32_t id = 1; id <= RestNodes::kNodes; ++id) {
    const TransportStatistics statistics = nodes.transport(id).Statistics();
    CHECK(statistics.messages_received > 0);
    CHECK(statistics.rejected_corrupt == 0);
    CHECK(statistics.rejected_out_of_order == 0);
  }
  nodes.Finish();
}

TEST_CASE("entries of mebibytes go over HTTP as well as small ones") {
  RestNodes nodes;
  const std::string large(5u << 20, 'x');
  nodes.WriteAt(1, large);
  nodes.WriteAt(2, "small");
  for (std::uint32_t id = 1; id <= RestNodes::kNodes; ++id) {
    nodes.WaitForText(id, "small");
    CHECK((nodes.text(id).Get() == large + "\nsmall\n"));
  }
  nodes.Finish();
}

TEST_CASE("a node that comes back gets over HTTP what it has missed, as a snapshot") {
  const std::uint32_t away = GENERATE(1u, RestNodes::kMounted);
  CAPTURE(away);
  RestNodes nodes;
  nodes.WriteAt(1, "together");
  nodes.WaitForText(away, "together");
  nodes.Stop(away);
  const std::uint32_t there = nodes.LeaderBeside(away);
  // More than one chunk of it.
  const std::string large(700'000, 'y');
  for (int i = 0; i < 10; ++i) nodes.WriteAt(there, std::to_string(i) + large);
  for (int i = 0; i < 100; ++i) nodes.WriteAt(there, "alone " + std::to_string(i));
  for (std::uint32_t id = 1; id <= RestNodes::kNodes; ++id) {
    if (id == away) continue;
    REQUIRE(Eventually([&] { return nodes.raft(id).Status(1).first > LogIndex(60); }));
  }
  nodes.Start(away);
  nodes.WaitForJoin(away);
  nodes.WriteAt(away, "end");
  nodes.WaitForText(away, "end");
  nodes.WaitForText(there, "end");
  CHECK(nodes.text(away).imports() >= 1);
  CHECK((nodes.text(away).Get() == nodes.text(there).Get()));
  nodes.Finish();
}

TEST_CASE("the others elect over HTTP when the leader is gone, and it follows when it returns") {
  RestNodes nodes;
  nodes.WriteAt(1, "first");
  const std::uint32_t first = nodes.LeaderBeside(0);
  nodes.Stop(first);
  const std::uint32_t second = nodes.LeaderBeside(first);
  nodes.WriteAt(second, "second");
  nodes.Start(first);
  nodes.WaitForJoin(first);
  nodes.WriteAt(first, "third");
  for (std::uint32_t id = 1; id <= RestNodes::kNodes; ++id) nodes.WaitForText(id, "third");
  CHECK(nodes.text(first).Get() == "first\nsecond\nthird\n");
  nodes.Finish();
}

}  // namespace
}  // namespace kommander::test
