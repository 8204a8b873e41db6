#include "support/test_cluster.hpp"

#include <utility>

#include <kommander/steady_clock.hpp>

#include "manager/raft_node.hpp"

namespace kommander::test {
namespace {

using std::chrono::milliseconds;
using Kind = Event::Kind;

NodeAddress AddressOf(std::uint32_t id) {
  return NodeAddress(NodeId(id), Endpoint("node", static_cast<std::uint16_t>(id)));
}

}  // namespace

TestNode::TestNode(boost::asio::any_io_executor executor, RaftConfiguration configuration,
                   std::shared_ptr<Wal> wal, std::shared_ptr<Transport> transport,
                   std::shared_ptr<Journal> journal, std::function<bool()> is_misplaced,
                   RaftDependencies dependencies, std::shared_ptr<Discovery> discovery)
    : journal_(std::move(journal)), misplaced_(std::make_shared<std::atomic<bool>>(false)) {
  if (!discovery) {
    discovery = std::make_shared<StaticDiscovery>(configuration.initial_members());
  }
  raft_ = std::make_unique<RaftManager>(std::move(executor), std::move(configuration),
                                        std::move(wal), std::move(transport), std::move(discovery),
                                        std::move(dependencies));
  // Weakly: a completion that is still to come must not keep a node alive.
  probe_ = [node = std::weak_ptr<RaftNode>(RaftNodeAccess::Of(*raft_)), misplaced = misplaced_,
            outside = std::move(is_misplaced)] {
    const auto held = node.lock();
    const bool is_wrong = (held && held->RunningOnLibraryStrand()) || (outside && outside());
    if (is_wrong) misplaced->store(true);
    return is_wrong;
  };
  RegisterHandlers();
}

void TestNode::RegisterHandlers() {
  const auto note = [journal = journal_, probe = probe_](Event event) {
    (void)probe();
    journal->Add(std::move(event));
  };
  raft_->OnRestoreStarted([note](PartitionId p) { note(Event(Kind::kRestoreStarted, p)); });
  raft_->OnRestoreFinished([note](PartitionId p) { note(Event(Kind::kRestoreFinished, p)); });
  raft_->OnLogRestored([note](const RaftLog& log) { note(Event(Kind::kRestored, log)); });
  raft_->OnReplicationReceived([note](const RaftLog& log) { note(Event(Kind::kReceived, log)); });
  raft_->OnReplicationError([note](const RaftLog& log) { note(Event(Kind::kFailed, log)); });
  raft_->OnLeaderChanged([note](PartitionId partition, NodeId leader) {
    Event event(Kind::kLeader, partition);
    event.leader = leader;
    note(std::move(event));
  });
  raft_->OnNodeError([note](error_code error, const std::string& text) {
    Event event(Kind::kProblem, PartitionId());
    event.error = error;
    event.text = text;
    note(std::move(event));
  });
}

TestCluster::TestCluster(boost::asio::any_io_executor executor, std::uint32_t nodes, Tuning tuning,
                         std::function<bool()> runs_here)
    : executor_(std::move(executor)),
      nodes_count_(nodes),
      tuning_(std::move(tuning)),
      runs_here_(std::move(runs_here)),
      // Short pauses: a test that restarts a node should not wait for a back-off of seconds.
      network_(
          MemoryNetwork::Create(MemoryNetworkOptions().BackOff(milliseconds(5), milliseconds(40)))),
      nodes_(nodes) {
  for (std::uint32_t i = 0; i < nodes; ++i) wals_.push_back(std::make_shared<MemoryWal>());
}

TestCluster::~TestCluster() = default;

RaftConfiguration TestCluster::ConfigurationOf(std::uint32_t id) const {
  std::vector<NodeAddress> members;
  for (std::uint32_t i = 1; i <= nodes_count_; ++i) members.push_back(AddressOf(i));
  RaftConfiguration configuration;
  configuration.Id(NodeId(id)).ClusterId("integration").InitialMembers(std::move(members));
  // Long enough that a loaded machine seldom unseats a leader; a sole member has no rival.
  configuration.Listen(AddressOf(id).endpoint)
      .ElectionTimeout(milliseconds(nodes_count_ == 1 ? 40 : 300));
  if (tuning_) tuning_(configuration);
  return configuration;
}

TestNode& TestCluster::Create(std::uint32_t id) { return Create(ConfigurationOf(id), wal(id)); }

TestNode& TestCluster::Create(RaftConfiguration configuration, std::shared_ptr<Wal> wal,
                              RaftDependencies dependencies) {
  const std::uint32_t id = configuration.id().value();
  std::function<bool()> outside;
  if (runs_here_) outside = [runs_here = runs_here_] { return !runs_here(); };
  auto node = std::make_unique<TestNode>(executor_, std::move(configuration), std::move(wal),
                                         network_->CreateTransport(MakeSteadyClock()),
                                         std::make_shared<Journal>(), std::move(outside),
                                         std::move(dependencies));
  auto& place = nodes_.at(id - 1);
  if (place) {
    place->Destroy();
    earlier_lives_.push_back(std::move(place));
  }
  place = std::move(node);
  return *place;
}

void TestCluster::CreateAll() {
  for (std::uint32_t id = 1; id <= nodes_count_; ++id) Create(id);
}

void TestCluster::Isolate(std::uint32_t id, bool cut) {
  for (std::uint32_t other = 1; other <= nodes_count_; ++other) {
    if (other == id) continue;
    network_->SetFaults(NodeId(id), NodeId(other), LinkFaults().Cut(cut));
    network_->SetFaults(NodeId(other), NodeId(id), LinkFaults().Cut(cut));
  }
}

std::optional<std::uint32_t> TestCluster::LeaderNow(PartitionId partition) {
  for (std::uint32_t id = 1; id <= nodes_count_; ++id) {
    if (nodes_[id - 1] && node(id).IsAlive() && raft(id).AmILeaderQuick(partition)) return id;
  }
  return std::nullopt;
}

bool TestCluster::AnythingMisplaced() const {
  for (const auto* lives : {&nodes_, &earlier_lives_}) {
    for (const auto& node : *lives) {
      if (node && node->IsMisplaced()) return true;
    }
  }
  return false;
}

void TestCluster::JoinAll() {
  std::vector<Answer<>> joins;
  for (std::uint32_t id = 1; id <= nodes_count_; ++id) {
    joins.emplace_back(node(id).Probe());
    raft(id).JoinCluster(joins.back().Token());
  }
  for (const auto& join : joins) join.Get();
}

void TestCluster::StopAll() {
  std::vector<Answer<>> stops;
  for (std::uint32_t id = 1; id <= nodes_count_; ++id) {
    if (!nodes_[id - 1] || !node(id).IsAlive()) continue;
    stops.emplace_back(node(id).Probe());
    raft(id).Stop(stops.back().Token());
  }
  for (const auto& stop : stops) stop.Get();
}

void TestCluster::Stop(std::uint32_t id) {
  Answer<> stop;
  raft(id).Stop(stop.Token());
  stop.Get();
}

std::uint32_t TestCluster::WaitForLeader(PartitionId partition) {
  std::uint32_t leader = 0;
  const bool found = Eventually([&] {
    for (std::uint32_t id = 1; id <= nodes_count_ && leader == 0; ++id) {
      if (!nodes_[id - 1] || !node(id).IsAlive()) continue;
      // Waits until the node knows a leader; who says so of itself, and is ready, is one.
      Answer<bool> is_leader;
      raft(id).AmILeader(partition, is_leader.Token());
      if (!is_leader.Wait() && is_leader.result()) leader = id;
    }
    return leader != 0;
  });
  if (!found) FAIL("no leader");
  return leader;
}

void TestCluster::MakeLeader(PartitionId partition, std::uint32_t id) {
  const bool leads = Eventually([&] {
    if (raft(id).AmILeaderQuick(partition)) return true;
    Answer<> transfer;
    raft(WaitForLeader(partition)).TransferLeadership(partition, NodeId(id), transfer.Token());
    (void)transfer.Wait();
    return false;
  });
  if (!leads) FAIL("leadership never went to node " << id);
}

ReplicateResult TestCluster::Write(PartitionId partition, const std::string& text) {
  ReplicateResult result;
  const bool written = Eventually([&] {
    Answer<ReplicateResult> write;
    raft(WaitForLeader(partition)).ReplicateLogs(partition, "Text", text, write.Token());
    const error_code error = write.Wait();
    result = write.result();
    return !error;
  });
  if (!written) FAIL("a write never succeeded");
  return result;
}

}  // namespace kommander::test
