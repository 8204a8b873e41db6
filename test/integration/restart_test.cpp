// A node that comes back with its log: what was committed before is restored, what came later is
// received, and the two together are the one order, without a gap and without a repeat.
#include <algorithm>
#include <map>
#include <mutex>
#include <random>
#include <set>

#include "catch.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

using Kind = Event::Kind;

// The rules of one process life and partition: started, restored..., finished, received...
void CheckRestoreOrder(const std::vector<Event>& events, PartitionId partition) {
  enum { kNothing, kStarted, kFinished } state = kNothing;
  LogIndex index;
  std::uint32_t ordinal = 0;
  for (const Event& event : events) {
    if (event.partition != partition) continue;
    if (event.kind == Kind::kRestoreStarted) {
      CHECK(state == kNothing);
      state = kStarted;
    } else if (event.kind == Kind::kRestoreFinished) {
      CHECK(state == kStarted);
      state = kFinished;
    } else if (IsDelivery(event, partition)) {
      CHECK(state == (event.kind == Kind::kRestored ? kStarted : kFinished));
      const bool is_after =
          event.index > index || (event.index == index && event.ordinal == ordinal + 1);
      CHECK(is_after);
      index = event.index;
      ordinal = event.ordinal;
    }
  }
  CHECK(state == kFinished);
}

std::size_t CountOf(const Journal& journal, PartitionId partition, Kind kind) {
  const auto events = journal.Events();
  return static_cast<std::size_t>(std::count_if(
      events.begin(), events.end(),
      [&](const Event& event) { return event.partition == partition && event.kind == kind; }));
}

TEST_CASE("a sole node restores all of its log before the join completes") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1,
                      [](RaftConfiguration& configuration) { configuration.InitialPartitions(2); });
  std::vector<std::string> expected[3];
  for (int life = 0; life < 4; ++life) {
    TestNode& node = cluster.Create(1);
    cluster.JoinAll();
    for (const std::uint32_t partition : {1u, 2u}) {
      CheckRestoreOrder(node.journal().Events(), partition);
      // A sole member's log is committed as far as it is durable; the hint may be a little behind,
      // and what it leaves out is received once the node leads.
      node.journal().WaitForDelivered(partition, expected[partition].size());
      CHECK(node.journal().Delivered(partition) == expected[partition]);
    }
    if (life > 0) CHECK(CountOf(node.journal(), 1, Kind::kRestored) > 0);
    cluster.WaitForLeader(1);
    for (int i = 0; i < 20; ++i) {
      for (const std::uint32_t partition : {1u, 2u}) {
        expected[partition].push_back(std::to_string(life) + "/" + std::to_string(i));
        cluster.Write(partition, expected[partition].back());
      }
    }
    Batch batch;
    for (int i = 0; i < 5; ++i) {
      expected[1].push_back("batch " + std::to_string(i));
      batch.Add("Text", expected[1].back());
    }
    Answer<ReplicateResult> write;
    node->ReplicateLogs(1, batch, ReplicateOptions().AwaitApply(), write.Token());
    write.Get();
    CheckRestoreOrder(node.journal().Events(), 1);
    CHECK(node.journal().Delivered(1) == expected[1]);
    cluster.StopAll();
  }
  world.Finish();
}

// The pairs of index and digest that a node has published, taken by its own handlers.
class Digests {
 public:
  void Watch(RaftManager& raft) {
    const auto look = [this, &raft](const RaftLog& log) {
      const PartitionStatus now = raft.Status(log.partition());
      const std::lock_guard lock(mutex_);
      digests_[now.applied] = now.digest;
    };
    raft.OnLogRestored(look).OnReplicationReceived(look);
  }
  [[nodiscard]] std::map<LogIndex, std::uint64_t> Get() const {
    const std::lock_guard lock(mutex_);
    return digests_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<LogIndex, std::uint64_t> digests_;
};

// How many indexes both have seen, all of them with the same digest.
std::size_t CompareDigests(const Digests& one, const Digests& two) {
  const auto others = two.Get();
  std::size_t common = 0;
  for (const auto& [index, digest] : one.Get()) {
    const auto found = others.find(index);
    if (found == others.end()) continue;
    ++common;
    CHECK(found->second == digest);
  }
  return common;
}

TEST_CASE("the digest at an index is the same on every node, also after a restart") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 3);
  constexpr std::size_t kWrites = 10;
  Digests digests[2][3];
  for (int life = 0; life < 2; ++life) {
    cluster.CreateAll();
    for (std::uint32_t id = 1; id <= 3; ++id) digests[life][id - 1].Watch(cluster.raft(id));
    cluster.JoinAll();
    for (std::size_t i = 0; i < kWrites; ++i) cluster.Write(1, std::to_string(i));
    for (std::uint32_t id = 1; id <= 3; ++id) {
      // Each node has delivered everything once it confirms a read.
      error_code error = RaftErrc::NodeIsNotLeader;
      for (int attempt = 0; error && attempt < 100; ++attempt) {
        Answer<ReadBarrierResult> barrier;
        cluster.raft(id).ReadBarrier(1, barrier.Token());
        error = barrier.Wait();
      }
      CHECK_FALSE(error);
    }
    cluster.StopAll();
  }
  for (int node = 0; node < 3; ++node) {
    CHECK(CompareDigests(digests[0][node], digests[1][node]) >= kWrites - 1);
    CHECK(CompareDigests(digests[1][node], digests[1][(node + 1) % 3]) >= 2 * kWrites - 2);
    // It is a digest of what was written: no two indexes share one.
    std::set<std::uint64_t> distinct;
    const auto all = digests[1][node].Get();
    for (const auto& [index, digest] : all) distinct.insert(digest);
    CHECK(distinct.size() == all.size());
  }
  world.Finish();
}

TEST_CASE("nodes that restart in turn agree with those that never did") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 3);
  cluster.CreateAll();
  cluster.JoinAll();
  cluster.Write(1, "first");
  for (std::uint32_t id = 1; id <= 3; ++id) {
    cluster.Stop(id);
    cluster.node(id).Destroy();
    cluster.Write(1, "without " + std::to_string(id));
    cluster.Create(id);
    Answer<> join;
    cluster.raft(id).JoinCluster(join.Token());
    join.Get();
    cluster.Write(1, "with " + std::to_string(id) + " again");
  }
  cluster.Write(1, "last");
  for (std::uint32_t id = 1; id <= 3; ++id) {
    cluster.journal(id).WaitForText(1, "last");
    CheckRestoreOrder(cluster.journal(id).Events(), 1);
  }
  const auto reference = cluster.journal(1).Delivered(1);
  CHECK(reference.front() == "first");
  CHECK(cluster.journal(2).Delivered(1) == reference);
  CHECK(cluster.journal(3).Delivered(1) == reference);
  cluster.StopAll();
  CHECK_FALSE(cluster.AnythingMisplaced());
  world.Finish();
}

// Stops everything in the middle of writing, again and again, at points that a seed chooses.
TEST_CASE("what was acknowledged is there after any stop, once and in order") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 3);
  std::mt19937 random(4711);
  std::vector<std::string> acknowledged;
  std::vector<std::string> sent;
  for (int life = 0; life < 5; ++life) {
    cluster.CreateAll();
    cluster.JoinAll();
    const std::uint32_t leader = cluster.WaitForLeader(1);
    std::vector<std::pair<std::string, Answer<ReplicateResult>>> writes;
    const std::size_t stop_after = 1 + random() % 30;
    for (int i = 0; i < 40; ++i) {
      const std::string text = std::to_string(life) + "/" + std::to_string(i);
      sent.push_back(text);
      writes.emplace_back(text, Answer<ReplicateResult>());
      cluster.raft(leader).ReplicateLogs(1, "Text", text, writes.back().second.Token());
    }
    (void)writes[stop_after].second.Wait();
    cluster.StopAll();
    for (auto& [text, write] : writes) {
      if (!write.Wait()) acknowledged.push_back(text);
      CHECK(write.count() == 1);
    }
  }
  cluster.CreateAll();
  cluster.JoinAll();
  cluster.Write(1, "end");
  for (std::uint32_t id = 1; id <= 3; ++id) {
    cluster.journal(id).WaitForText(1, "end");
    CheckRestoreOrder(cluster.journal(id).Events(), 1);
    auto delivered = cluster.journal(id).Delivered(1);
    delivered.pop_back();
    // Writes of one sender are in its order, none twice; the acknowledged ones are all there.
    std::vector<std::string> expected;
    for (const std::string& text : sent) {
      const bool is_there = std::find(delivered.begin(), delivered.end(), text) != delivered.end();
      if (is_there) expected.push_back(text);
    }
    CHECK(delivered == expected);
    for (const std::string& text : acknowledged) {
      INFO(text);
      CHECK(std::find(delivered.begin(), delivered.end(), text) != delivered.end());
    }
  }
  cluster.StopAll();
  world.Finish();
}

}  // namespace
}  // namespace kommander::test
