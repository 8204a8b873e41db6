// When a snapshot that is received takes the place of the one before, and how many are sent at a
// time, how fast.
#include "runtime/snapshot_desk.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include <kommander/memory_snapshots.hpp>

#include "catch.hpp"
#include "held_tasks.hpp"
#include "runtime/snapshot_streams.hpp"

namespace kommander::runtime {
namespace {

constexpr PartitionId kPartition{1};
constexpr NodeId kLeader{1};
constexpr Term kTerm{1};

class NoState final : public StateMachine {
 public:
  bool Apply(std::span<const RaftLog>) override { return true; }
  std::shared_ptr<SnapshotImage> Capture(PartitionId) override { return nullptr; }
  boost::asio::awaitable<bool> Import(PartitionId, SnapshotSource&) override { co_return true; }
};

SnapshotInfo Publish(SnapshotStore& store, std::uint64_t index, std::size_t state_bytes = 0) {
  BoundaryRecord boundary;
  boundary.index = LogIndex(index);
  boundary.term = kTerm;
  SnapshotInfo info(boundary.index, boundary.term, 0, {});
  REQUIRE_FALSE(store.Begin(kPartition, SnapshotStore::Draft::kTaken));
  REQUIRE_FALSE(store.Append(kPartition, SnapshotStore::Draft::kTaken,
                             EncodeSnapshotHead(kPartition, boundary)));
  const std::vector<std::byte> state(state_bytes);
  REQUIRE_FALSE(store.Append(kPartition, SnapshotStore::Draft::kTaken, state));
  REQUIRE_FALSE(store.Publish(kPartition, SnapshotStore::Draft::kTaken, info, std::nullopt));
  return info;
}

// A node whose log goes on from a snapshot at 5, with so many bytes of state, and ends at 8.
struct Node {
  explicit Node(NodeId self, std::size_t state_bytes = 0,
                const RaftConfiguration& configuration = {})
      : services(std::make_shared<NodeServices>(self)) {
    services->configuration = configuration;
    services->io = io;
    services->snapshots = MakeMemorySnapshots();
    services->state_machine = std::make_shared<NoState>();
    SnapshotDesk::Stored stored;
    stored.in_force = info = Publish(*services->snapshots, 5, state_bytes);
    desk.emplace(services, kPartition, stored);
    desk->Open([this](SnapshotEvent event) { events.push_back(std::move(event)); });
    status.term = kTerm;
    status.leader = kLeader;
    status.first = LogIndex(6);
    status.last = status.durable = status.committed = status.applied = LogIndex(8);
  }
  // Until nothing moves at this time.
  SnapshotDesk::Orders Proceed() {
    SnapshotDesk::Orders orders;
    do {
      io->Run();
      while (!events.empty()) {
        desk->OnEvent(std::move(events.front()), now);
        events.pop_front();
      }
      desk->Proceed(status, status.applied, members, retention, now, orders);
    } while (io->Run());
    return orders;
  }

  Instant now{std::chrono::seconds(100)};
  std::shared_ptr<test::HeldTasks> io = std::make_shared<test::HeldTasks>();
  std::shared_ptr<NodeServices> services;
  raft::CoreStatus status;
  std::vector<PeerStatus> members;
  Retention retention;
  std::deque<SnapshotEvent> events;
  std::optional<SnapshotDesk> desk;
  SnapshotInfo info;
};

// A follower whose leader sends a snapshot at 9.
struct Follower : Node {
  Follower() : Node(NodeId(2)) {}
  void Hear(MessageBody body) {
    desk->OnMessage(Message(kPartition, kLeader, NodeId(2), kTerm, std::move(body)), status, now);
    Settle();
  }
  void Settle() {
    const SnapshotDesk::Orders orders = Proceed();
    put_in_force = orders.put_in_force.value_or(put_in_force);
    for (const raft::Input& input : orders.inputs) {
      is_staged = is_staged || std::holds_alternative<raft::SnapshotStaged>(input);
    }
  }
  std::vector<LogIndex> Kept() {
    std::vector<SnapshotInfo> infos;
    REQUIRE_FALSE(services->snapshots->List(kPartition, infos));
    std::vector<LogIndex> indexes;
    for (const SnapshotInfo& kept : infos) indexes.push_back(kept.index);
    return indexes;
  }
  // Everything of the leader's snapshot.
  void Receive() {
    const auto sent = MakeMemorySnapshots();
    const SnapshotInfo offered = Publish(*sent, 9);
    Payload bytes;
    REQUIRE_FALSE(sent->Read(kPartition, offered.index, 0, offered.bytes, bytes));
    Hear(SnapshotOffer(offered));
    Hear(SnapshotChunk(offered.index, 0, bytes));
  }

  bool is_staged = false;  // the core is handed what was received
  LogIndex put_in_force;
};

TEST_CASE("the log's own snapshot stays until the log goes on from the one that was received") {
  Follower follower;
  follower.Receive();
  REQUIRE(follower.is_staged);
  // It is whole, the log is not cut yet: after a crash now the old one is needed.
  CHECK(follower.Kept() == std::vector<LogIndex>{LogIndex(5), LogIndex(9)});
  follower.status.committed = LogIndex(9);
  follower.Settle();
  CHECK(follower.Kept() == std::vector<LogIndex>{LogIndex(5), LogIndex(9)});
  CHECK(follower.put_in_force == LogIndex());

  follower.status.first = LogIndex(10);
  follower.status.durable = LogIndex(9);
  follower.Settle();
  CHECK(follower.put_in_force == LogIndex(9));
  CHECK(follower.Kept() == std::vector<LogIndex>{LogIndex(9)});
}

TEST_CASE("what the log does not want of a leader is gone again, and its own snapshot stays") {
  Follower follower;
  follower.Receive();
  REQUIRE(follower.is_staged);
  follower.Settle();  // not committed here: the core has not taken it
  CHECK(follower.Kept() == std::vector<LogIndex>{LogIndex(5)});
}

constexpr std::uint64_t kChunk = 1u << 20;  // as the sender's options have it

// A leader whose snapshot has some chunks, and two followers without it.
struct Sender : Node {
  explicit Sender(const RaftConfiguration& configuration)
      : Node(kLeader, 3 * kChunk, configuration) {
    status.role = raft::RoleKind::kLeader;
    for (const std::uint32_t id : {2u, 3u}) members.emplace_back().node = NodeId(id);
  }
  void Hear(std::uint32_t from, SnapshotReply::State state, std::uint64_t received = 0) {
    SnapshotReply reply(info.index, received, state);
    desk->OnMessage(Message(kPartition, NodeId(from), kLeader, kTerm, reply), status, now);
  }
  // The followers that are offered the snapshot at this time.
  std::vector<NodeId> Offered() {
    std::vector<NodeId> offered;
    for (const Message& message : Proceed().messages) {
      if (std::holds_alternative<SnapshotOffer>(message.body)) offered.push_back(message.to);
    }
    return offered;
  }
};

TEST_CASE("no more followers than the node may serve at a time are sent a snapshot") {
  const std::size_t most = GENERATE(1u, 2u);
  CAPTURE(most);
  Sender leader(RaftConfiguration().SnapshotTransfersMax(most));
  for (const std::uint32_t id : {2u, 3u}) leader.desk->OnNeeded(NodeId(id), leader.now);
  const std::vector<NodeId> both{NodeId(2), NodeId(3)};
  if (most == 2) {
    CHECK(leader.Offered() == both);
    CHECK(leader.services->snapshot_transfers == 2);
    return;
  }
  const std::vector<NodeId> one{NodeId(2)};
  CHECK(leader.Offered() == one);
  CHECK(leader.services->snapshot_transfers == 1);
  leader.Hear(2, SnapshotReply::State::kWanted);
  // However often the other one asks for its turn.
  for (int i = 0; i < 3; ++i) {
    CHECK(leader.desk->Due() <= leader.now + std::chrono::milliseconds(200));
    leader.now += std::chrono::milliseconds(200);
    CHECK(leader.Offered().empty());
  }
  leader.Hear(2, SnapshotReply::State::kInstalled);
  CHECK(leader.Offered().empty());
  CHECK(leader.services->snapshot_transfers == 0);
  leader.now = leader.desk->Due();
  CHECK(leader.Offered() == std::vector<NodeId>{NodeId(3)});
  CHECK(leader.services->snapshot_transfers == 1);
}

TEST_CASE("a place for a transfer is shared by all partitions of the node") {
  Sender leader(RaftConfiguration().SnapshotTransfersMax(1));
  leader.services->snapshot_transfers = 1;  // of another one
  leader.desk->OnNeeded(NodeId(2), leader.now);
  CHECK(leader.Offered().empty());
  leader.services->snapshot_transfers = 0;
  leader.now = leader.desk->Due();
  CHECK(leader.Offered() == std::vector<NodeId>{NodeId(2)});
}

TEST_CASE("a transfer that got further is no failure in a row, and one that did not is") {
  Sender leader(RaftConfiguration().SnapshotStepTimeout(std::chrono::seconds(3)));
  leader.desk->OnNeeded(NodeId(2), leader.now);
  const auto fail = [&](bool advances) {
    REQUIRE(leader.Offered() == std::vector<NodeId>{NodeId(2)});
    if (advances) {
      leader.Hear(2, SnapshotReply::State::kWanted);
      leader.Hear(2, SnapshotReply::State::kWanted, kChunk);
    }
    leader.now += std::chrono::seconds(3);
    (void)leader.Proceed();
    const Duration pause = leader.desk->Due() - leader.now;
    leader.now = leader.desk->Due();
    return pause;
  };
  constexpr std::chrono::milliseconds kShort(200);
  CHECK(fail(false) == kShort);
  CHECK(fail(false) == 2 * kShort);
  CHECK(fail(true) == kShort);
  CHECK(fail(true) == kShort);
  CHECK(fail(false) == 2 * kShort);
}

TEST_CASE("a transfer is as fast as it may be") {
  const std::uint64_t rate = GENERATE(0u, 2 * kChunk);
  CAPTURE(rate);
  Sender leader(RaftConfiguration().SnapshotBytesPerSecond(rate));
  leader.desk->OnNeeded(NodeId(2), leader.now);
  REQUIRE(leader.Offered() == std::vector<NodeId>{NodeId(2)});
  leader.Hear(2, SnapshotReply::State::kWanted);
  std::uint64_t sent = 0;
  const auto send = [&] {
    for (const Message& message : leader.Proceed().messages) {
      if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
        sent += chunk->bytes.size();
      }
    }
  };
  send();
  if (rate == 0) {
    CHECK(sent == leader.info.bytes);
    return;
  }
  CHECK(sent == kChunk);
  CHECK(leader.desk->Due() == leader.now + std::chrono::milliseconds(500));
  leader.now += std::chrono::milliseconds(499);
  send();
  CHECK(sent == kChunk);
  leader.now += std::chrono::milliseconds(1);
  send();
  CHECK(sent == 2 * kChunk);
}

}  // namespace
}  // namespace kommander::runtime
