// Who may be part of a cluster: a node is its id and the incarnation of its disk, and each way of
// being somebody else is refused with its own error, while the others go on.
#include <algorithm>
#include <future>

#include <kommander/steady_clock.hpp>

#include "catch.hpp"
#include "manager/raft_node.hpp"
#include "support/patience.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

using std::chrono::milliseconds;

struct Three {
  Three() : cluster(world.executor(), 3) {}
  void Start() {
    cluster.CreateAll();
    cluster.JoinAll();
    cluster.Write(1, "before");
  }
  error_code Join(std::uint32_t id) {
    Answer<> join;
    cluster.raft(id).JoinCluster(join.Token());
    return join.Wait();
  }
  // The other two take writes as if nothing had been.
  void CheckOthersGoOn(const std::string& text) {
    cluster.Write(1, text);
    cluster.journal(1).WaitForText(1, text);
    cluster.journal(2).WaitForText(1, text);
  }
  // Nobody but nodes 1 and 2 counts: the intruder never hears a word of the partition.
  void Finish() {
    cluster.StopAll();
    CHECK_FALSE(cluster.AnythingMisplaced());
    world.Finish();
  }
  World world{World::Kind::kFourThreads};
  TestCluster cluster;
};

TEST_CASE("a wiped disk does not come back under its old id") {
  Three three;
  three.Start();
  auto& cluster = three.cluster;
  cluster.Stop(3);
  cluster.node(3).Destroy();
  three.CheckOthersGoOn("two of three");
  cluster.wal(3) = std::make_shared<MemoryWal>();
  cluster.Create(3);
  CHECK(three.Join(3) == RaftErrc::IdentityReplaced);
  CHECK_FALSE(cluster.raft(3).IsInitialized());
  CHECK_FALSE(cluster.raft(3).JoinDetail().empty());
  three.CheckOthersGoOn("still two of three");
  CHECK(cluster.journal(3).Delivered(1).empty());
  CHECK(cluster.raft(3).Status(kSystemPartition).term == Term());
  three.Finish();
}

TEST_CASE("nodes that kept their disks start, although a wiped one speaks to them first") {
  Three three;
  three.Start();
  auto& cluster = three.cluster;
  cluster.StopAll();
  cluster.wal(3) = std::make_shared<MemoryWal>();
  std::vector<Answer<>> joins(3);
  for (const std::uint32_t id : {3u, 1u, 2u}) {
    cluster.Create(id);
    cluster.raft(id).JoinCluster(joins[id - 1].Token());
  }
  CHECK_FALSE(joins[0].Wait());
  CHECK_FALSE(joins[1].Wait());
  CHECK(joins[2].Wait() == RaftErrc::IdentityReplaced);
  three.CheckOthersGoOn("two with their disks");
  CHECK(cluster.journal(3).Delivered(1).empty());
  three.Finish();
}

TEST_CASE("a node that kept its disk comes back, wherever the others were restarted") {
  Three three;
  three.Start();
  auto& cluster = three.cluster;
  cluster.StopAll();
  cluster.CreateAll();
  cluster.JoinAll();
  three.CheckOthersGoOn("after");
  cluster.journal(3).WaitForText(1, "after");
  three.Finish();
}

TEST_CASE("a node of another cluster is refused") {
  Three three;
  auto& cluster = three.cluster;
  cluster.Create(1);
  cluster.Create(2);
  auto configuration = cluster.ConfigurationOf(3);
  configuration.ClusterId("another").JoinTimeout(std::chrono::seconds(30));
  cluster.Create(configuration, cluster.wal(3));
  Answer<> first;
  Answer<> second;
  cluster.raft(1).JoinCluster(first.Token());
  cluster.raft(2).JoinCluster(second.Token());
  CHECK(three.Join(3) == RaftErrc::ClusterIdMismatch);
  first.Get();
  second.Get();
  three.CheckOthersGoOn("ours");
  CHECK(cluster.raft(3).Status(kSystemPartition).term == Term());
  three.Finish();
}

TEST_CASE("a node that was started with other initial members is refused") {
  Three three;
  auto& cluster = three.cluster;
  const bool others_are_a_cluster = GENERATE(false, true);
  INFO("the others are a cluster already: " << others_are_a_cluster);
  cluster.Create(1);
  cluster.Create(2);
  Answer<> first;
  Answer<> second;
  cluster.raft(1).JoinCluster(first.Token());
  cluster.raft(2).JoinCluster(second.Token());
  if (others_are_a_cluster) {
    first.Get();
    second.Get();
  }
  auto configuration = cluster.ConfigurationOf(3);
  auto members = configuration.initial_members();
  members.emplace_back(NodeId(4), Endpoint("node", 4));
  configuration.InitialMembers(members).JoinTimeout(std::chrono::seconds(30));
  cluster.Create(configuration, cluster.wal(3));
  CHECK(three.Join(3) == RaftErrc::BootstrapMismatch);
  first.Get();
  second.Get();
  three.CheckOthersGoOn("ours");
  three.Finish();
}

TEST_CASE("a second process under the id of a running node is refused, the first stays") {
  Three three;
  three.Start();
  auto& cluster = three.cluster;
  auto configuration = cluster.ConfigurationOf(3);
  configuration.Listen(Endpoint("elsewhere", 3)).JoinTimeout(std::chrono::seconds(30));
  auto impostor_journal = std::make_shared<Journal>();
  TestNode impostor(three.world.executor(), configuration, std::make_shared<MemoryWal>(),
                    cluster.network().CreateTransport(MakeSteadyClock()), impostor_journal, {});
  Answer<> join;
  impostor->JoinCluster(join.Token());
  CHECK(join.Wait() == RaftErrc::DuplicateNodeId);
  cluster.Write(1, "with the first");
  cluster.journal(3).WaitForText(1, "with the first");
  CHECK(impostor_journal->Delivered(1).empty());
  Answer<> stop;
  impostor->Stop(stop.Token());
  stop.Get();
  three.Finish();
}

TEST_CASE("two transports at one address") {
  Three three;
  three.Start();
  auto& cluster = three.cluster;
  TestNode second(three.world.executor(), cluster.ConfigurationOf(3), std::make_shared<MemoryWal>(),
                  cluster.network().CreateTransport(MakeSteadyClock()), std::make_shared<Journal>(),
                  {});
  Answer<> join;
  second->JoinCluster(join.Token());
  CHECK(join.Wait() == RaftErrc::AddressInUse);
  CHECK_FALSE(second->JoinDetail().empty());
  Answer<> stop;
  second->Stop(stop.Token());
  stop.Get();
  three.CheckOthersGoOn("undisturbed");
  three.Finish();
}

TEST_CASE("a store of another node or of another cluster is not opened") {
  World world(World::Kind::kOneThread);
  TestCluster cluster(world.executor(), 2);
  cluster.CreateAll();
  cluster.JoinAll();
  cluster.StopAll();
  auto configuration = cluster.ConfigurationOf(1);
  auto wal = cluster.wal(2);
  SECTION("another node's") {}
  SECTION("another cluster's") {
    configuration.ClusterId("another");
    wal = cluster.wal(1);
  }
  const auto before = wal->Statistics().units;
  cluster.Create(configuration, wal);
  Answer<> join;
  cluster.raft(1).JoinCluster(join.Token());
  CHECK(join.Wait() == RaftErrc::WalForeign);
  CHECK(cluster.raft(1).JoinDetail().find("integration") != std::string::npos);
  CHECK(wal->Statistics().units <= before);  // it was left as it is
  cluster.StopAll();
  // And opens for its owner again.
  cluster.Create(cluster.ConfigurationOf(1), cluster.wal(1));
  cluster.Create(cluster.ConfigurationOf(2), cluster.wal(2));
  cluster.JoinAll();
  cluster.StopAll();
  world.Finish();
}

TEST_CASE("a store that has lost its system partition is not opened") {
  World world(World::Kind::kOneThread);
  TestCluster cluster(world.executor(), 1);
  cluster.CreateAll();
  cluster.JoinAll();
  cluster.StopAll();
  std::optional<StoreIdentity> identity;
  std::string detail;
  REQUIRE_FALSE(cluster.wal(1)->Open(identity, detail));
  REQUIRE_FALSE(cluster.wal(1)->DeletePartition(kSystemPartition));
  cluster.wal(1)->Close();
  cluster.CreateAll();
  Answer<> join;
  cluster.raft(1).JoinCluster(join.Token());
  CHECK(join.Wait() == RaftErrc::WalCorrupted);
  CHECK(cluster.raft(1).JoinDetail() == "the system partition is missing");
  cluster.StopAll();
  world.Finish();
}

TEST_CASE("a store that is open is not opened a second time") {
  World world(World::Kind::kOneThread);
  TestCluster cluster(world.executor(), 1);
  cluster.CreateAll();
  cluster.JoinAll();
  TestNode second(world.executor(), cluster.ConfigurationOf(1), cluster.wal(1),
                  cluster.network().CreateTransport(MakeSteadyClock()), std::make_shared<Journal>(),
                  {});
  Answer<> join;
  second->JoinCluster(join.Token());
  CHECK(join.Wait() == RaftErrc::WalLocked);
  Answer<> stop;
  second->Stop(stop.Token());
  stop.Get();
  cluster.Write(1, "undisturbed");
  cluster.StopAll();
  world.Finish();
}

TEST_CASE("a later start needs no list of members, only addresses from somewhere") {
  World world(World::Kind::kOneThread);
  TestCluster cluster(world.executor(), 1);
  cluster.CreateAll();
  cluster.JoinAll();
  cluster.Write(1, "kept");
  cluster.StopAll();
  auto configuration = cluster.ConfigurationOf(1);
  configuration.InitialMembers({});
  cluster.Create(configuration, cluster.wal(1));
  cluster.JoinAll();
  cluster.journal(1).WaitForText(1, "kept");
  cluster.StopAll();
  // A first start without one has nothing to start from.
  cluster.Create(configuration, std::make_shared<MemoryWal>());
  Answer<> join;
  cluster.raft(1).JoinCluster(join.Token());
  CHECK(join.Wait() == RaftErrc::InvalidConfiguration);
  CHECK(cluster.raft(1).JoinDetail().find("InitialMembers") != std::string::npos);
  cluster.StopAll();
  world.Finish();
}

TEST_CASE("an empty store that cannot reach a majority starts nothing") {
  World world(World::Kind::kOneThread);
  TestCluster cluster(world.executor(), 3, [](RaftConfiguration& configuration) {
    configuration.ElectionTimeout(milliseconds(50)).JoinTimeout(milliseconds(600));
  });
  cluster.Create(1);
  Answer<> join;
  cluster.raft(1).JoinCluster(join.Token());
  // Several election timeouts pass without a campaign.
  CHECK(join.Wait() == RaftErrc::LeaderTimeout);
  CHECK(cluster.raft(1).JoinDetail().find("no other node of 3 initial") != std::string::npos);
  CHECK(cluster.raft(1).Status(kSystemPartition).term == Term());
  CHECK(cluster.raft(1).Status(kSystemPartition).role == Role::kFollower);
  cluster.Stop(1);
  world.Finish();
}

TEST_CASE("a node that nobody has heard of says so when its join ends") {
  World world(World::Kind::kOneThread);
  TestCluster cluster(world.executor(), 4, [](RaftConfiguration& configuration) {
    std::vector<NodeAddress> members = configuration.initial_members();
    members.pop_back();
    configuration.InitialMembers(members).ElectionTimeout(milliseconds(50));
    configuration.JoinTimeout(milliseconds(600));
  });
  for (const std::uint32_t id : {1u, 2u, 3u}) cluster.Create(id);
  Answer<> joins[3];
  for (const std::uint32_t id : {1u, 2u, 3u}) {
    cluster.raft(id).JoinCluster(joins[id - 1].Token());
  }
  for (Answer<>& join : joins) CHECK_FALSE(join.Wait());
  cluster.Create(4);
  Answer<> join;
  cluster.raft(4).JoinCluster(join.Token());
  CHECK(join.Wait() == RaftErrc::LeaderTimeout);
  CHECK(cluster.raft(4).JoinDetail().find("is its id right?") != std::string::npos);
  cluster.StopAll();
  world.Finish();
}

// Nodes 1 and 2 of three.
std::uint32_t StartTwo(TestCluster& cluster) {
  std::vector<Answer<>> joins(2);
  for (const std::uint32_t id : {1u, 2u}) {
    cluster.Create(id);
    cluster.raft(id).JoinCluster(joins[id - 1].Token());
  }
  CHECK_FALSE(joins[0].Wait());
  CHECK_FALSE(joins[1].Wait());
  (void)cluster.WaitForLeader(1);
  const std::uint32_t leader = cluster.WaitForLeader(kSystemPartition);
  const RaftNode& follower = *RaftNodeAccess::Of(cluster.raft(3 - leader));
  REQUIRE(Eventually([&] { return follower.LocalHello(NodeId(3)).knows_roster; }));
  return leader;
}

// Node 3 says hello, from a new disk.
error_code GreetAs(Incarnation incarnation, RaftNode& node) {
  Hello hello = node.LocalHello(NodeId(3));
  hello.node = NodeId(3);
  hello.incarnation = incarnation;
  hello.known_incarnation = Incarnation();
  hello.knows_roster = false;
  ++hello.nonce;
  std::promise<error_code> verdict;
  node.Judge(hello, NodeId(), [&](error_code error) { verdict.set_value(error); });
  return verdict.get_future().get();
}

// Node 3 says hello to a follower, which cannot write it into the roster. What it says is heard,
// its vote is not: that one would have told of a later term.
TEST_CASE("a member that the roster has not pinned teaches, but does not count") {
  Three three;
  auto& cluster = three.cluster;
  const std::uint32_t id = 3 - StartTwo(cluster);
  RaftNode& follower = *RaftNodeAccess::Of(cluster.raft(id));
  REQUIRE_FALSE(GreetAs(Incarnation(33), follower));
  REQUIRE_FALSE(follower.Counts(NodeId(3)));
  CHECK(follower.RosterPinOf(NodeId(3)) == Incarnation());
  CHECK(follower.RosterPinOf(NodeId(3 - id)));

  std::vector<Message> messages;
  messages.emplace_back(PartitionId(1), NodeId(3), NodeId(id), Term(2000), VoteReply{false, true});
  messages.emplace_back(PartitionId(1), NodeId(3), NodeId(id), Term(1000), VoteReply{false, false});
  follower.OnMessages(NodeId(3), std::move(messages));
  REQUIRE(Eventually([&] { return cluster.raft(id).Status(1).term >= Term(1000); }));
  CHECK(cluster.raft(id).Status(1).term < Term(2000));
  for (const std::uint32_t node : {1u, 2u}) cluster.Stop(node);
  three.world.Finish();
}

// It is in the roster, and has heard nothing of it: what the leader sent to it was lost.
TEST_CASE("a member that never heard of its admission helps to elect whoever admits it") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 3, [](RaftConfiguration& configuration) {
    configuration.JoinTimeout(std::chrono::seconds(60));
  });
  (void)StartTwo(cluster);
  for (const std::uint32_t id : {1u, 2u}) {
    cluster.network().SetFaults(NodeId(id), NodeId(3), LinkFaults().Drop(1));
  }
  Answer<> join;
  cluster.Create(3);
  cluster.raft(3).JoinCluster(join.Token());
  for (const std::uint32_t id : {1u, 2u}) {
    const RaftNode& node = *RaftNodeAccess::Of(cluster.raft(id));
    REQUIRE(Eventually([&] { return static_cast<bool>(node.RosterPinOf(NodeId(3))); }));
  }
  REQUIRE(cluster.raft(3).Status(kSystemPartition).last == LogIndex());

  const std::uint32_t lost = cluster.WaitForLeader(kSystemPartition);
  cluster.Isolate(lost);
  cluster.network().SetFaults(NodeId(3 - lost), NodeId(3), LinkFaults());
  CHECK_FALSE(join.Wait());
  cluster.Isolate(lost, false);
  cluster.Write(1, "after");
  cluster.journal(3).WaitForText(1, "after");
  cluster.StopAll();
  world.Finish();
}

// The disk that a follower met first was never the cluster's.
TEST_CASE("what the roster says of a peer goes before what a node has seen itself") {
  Three three;
  auto& cluster = three.cluster;
  const std::uint32_t leader = StartTwo(cluster);
  RaftNode& follower = *RaftNodeAccess::Of(cluster.raft(3 - leader));
  REQUIRE_FALSE(GreetAs(Incarnation(33), follower));
  CHECK(follower.LocalHello(NodeId(3)).known_incarnation == Incarnation(33));
  REQUIRE_FALSE(GreetAs(Incarnation(44), *RaftNodeAccess::Of(cluster.raft(leader))));
  REQUIRE(Eventually([&] { return follower.RosterPinOf(NodeId(3)) == Incarnation(44); }));
  CHECK(follower.LocalHello(NodeId(3)).known_incarnation == Incarnation(44));
  CHECK_FALSE(follower.Counts(NodeId(3)));
  for (const std::uint32_t node : {1u, 2u}) cluster.Stop(node);
  three.world.Finish();
}

// It adopted a term in its first life, which is no proof that it belongs to a cluster.
TEST_CASE("a store that was never admitted is not after a restart") {
  World world(World::Kind::kOneThread);
  TestCluster cluster(world.executor(), 3, [](RaftConfiguration& configuration) {
    configuration.ElectionTimeout(milliseconds(50)).JoinTimeout(milliseconds(600));
  });
  const auto join = [&] {
    Answer<> answer;
    cluster.Create(1);
    cluster.raft(1).JoinCluster(answer.Token());
    // Several election timeouts have passed without so much as a pre-vote.
    CHECK(answer.Wait() == RaftErrc::LeaderTimeout);
    CHECK(cluster.raft(1).Status(kSystemPartition).role == Role::kFollower);
    cluster.Stop(1);
  };
  join();
  WriteUnit unit;
  unit.hard_state = HardState{Term(5), NodeId()};
  const WriteUnit* const units[] = {&unit};
  std::optional<StoreIdentity> identity;
  std::string detail;
  REQUIRE_FALSE(cluster.wal(1)->Open(identity, detail));
  REQUIRE_FALSE(cluster.wal(1)->Write(units));
  cluster.wal(1)->Close();
  join();
  CHECK(cluster.raft(1).Status(kSystemPartition).term == Term(5));
  world.Finish();
}

TEST_CASE("user partitions come from the map, whatever later configurations say") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 3,
                      [](RaftConfiguration& configuration) { configuration.InitialPartitions(4); });
  cluster.CreateAll();
  cluster.JoinAll();
  const std::vector<PartitionId> expected{0, 1, 2, 3, 4};
  for (std::uint32_t id = 1; id <= 3; ++id) CHECK(cluster.raft(id).Partitions() == expected);
  cluster.StopAll();
  for (std::uint32_t id = 1; id <= 3; ++id) {
    cluster.Create(cluster.ConfigurationOf(id).InitialPartitions(9), cluster.wal(id));
  }
  cluster.JoinAll();
  for (std::uint32_t id = 1; id <= 3; ++id) CHECK(cluster.raft(id).Partitions() == expected);
  cluster.StopAll();
  world.Finish();
}

}  // namespace
}  // namespace kommander::test
