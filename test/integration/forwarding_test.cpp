// Writes asked of a node that does not lead: handed on once, or again and again with a session.
#include <algorithm>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support/pinned_cluster.hpp"
#include "support/test_cluster.hpp"

namespace kommander::test {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kFollower = 3;

Answer<ReplicateResult> WriteAt(TestCluster& cluster, std::uint32_t id, std::string text,
                                ReplicateOptions options) {
  Answer<ReplicateResult> answer(cluster.node(id).Probe());
  cluster.raft(id).ReplicateLogs(1, "Text", std::move(text), options, answer.Token());
  return answer;
}

std::size_t Count(TestCluster& cluster, std::uint32_t id, const std::string& text) {
  const std::vector<std::string> delivered = cluster.journal(id).Delivered(1);
  return static_cast<std::size_t>(std::count(delivered.begin(), delivered.end(), text));
}

TEST_CASE("a follower hands a write to the leader and its answer back") {
  PinnedCluster pinned;
  const ReplicateResult plain =
      WriteAt(pinned.cluster, kFollower, "forwarded", ReplicateOptions().Forward()).Get();
  CHECK(plain.index);
  CHECK(plain.ticket.node() == NodeId(PinnedCluster::kLeader));
  CHECK(plain.count == 1);
  pinned.cluster.journal(kFollower).WaitForText(1, "forwarded");

  const ReplicateResult prepared =
      WriteAt(pinned.cluster, kFollower, "manual", ReplicateOptions().Forward().Manual()).Get();
  Answer<ReplicateResult> committed(pinned.cluster.node(kFollower).Probe());
  pinned.cluster.raft(kFollower).CommitLogs(1, prepared.ticket, ReplicateOptions().Forward(),
                                            committed.Token());
  CHECK(committed.Get().index > prepared.index);
  CHECK_FALSE(committed.IsMisplaced());
  pinned.cluster.journal(kFollower).WaitForText(1, "manual");

  // The leader itself forwards nothing.
  WriteAt(pinned.cluster, PinnedCluster::kLeader, "own", ReplicateOptions().Forward()).Get();
  // Without the option nothing has changed.
  CHECK(WriteAt(pinned.cluster, kFollower, "refused", {}).Wait() == RaftErrc::NodeIsNotLeader);
  // What the leader refuses is refused.
  CHECK(WriteAt(pinned.cluster, kFollower, "fenced",
                ReplicateOptions().Forward().ExpectedGeneration(Generation(9)))
            .Wait() == RaftErrc::PartitionMoved);
  Answer<ReplicateResult> unknown;
  pinned.cluster.raft(kFollower).CommitLogs(1, Ticket(1, 1, NodeId(1)),
                                            ReplicateOptions().Forward(), unknown.Token());
  CHECK(unknown.Wait() == RaftErrc::ProposalNotFound);
  pinned.Finish();
}

TEST_CASE("a batch of one kind alone may be forwarded, and its answer is of that kind") {
  PinnedCluster pinned;
  const auto write = [&](const EntryBatch& batch) {
    Answer<ReplicateEntriesResult> answer;
    pinned.cluster.raft(kFollower).ReplicateEntries(1, batch, ReplicateOptions().Forward(),
                                                    answer.Token());
    return answer.Get();
  };
  const ReplicateEntriesResult plain = write(EntryBatch().Add("Text", "a").Add("Text", "b"));
  CHECK(plain.committed.count == 2);
  CHECK(plain.prepared.index == LogIndex());
  const ReplicateEntriesResult manual = write(EntryBatch().AddManual("Text", "c"));
  CHECK(manual.committed.index == LogIndex());
  CHECK(manual.prepared.index > plain.committed.index);
  CHECK(manual.prepared.count == 1);
  Answer<ReplicateResult> committed;
  pinned.leader().CommitLogs(1, manual.prepared.ticket, committed.Token());
  CHECK(committed.Get().count == 1);
  pinned.cluster.journal(kFollower).WaitForText(1, "c");
  pinned.Finish();
}

TEST_CASE("an answer that gets lost without a word is asked for again") {
  PinnedCluster pinned;
  Answer<ClientSession> opened;
  pinned.leader().OpenSession(1, opened.Token());
  ClientSession session = opened.Get();
  MemoryNetwork& network = pinned.cluster.network();
  const NodeId leader(PinnedCluster::kLeader);
  const NodeId follower(kFollower);
  network.SetFaults(leader, follower, LinkFaults().Drop(1));
  const auto answer = WriteAt(
      pinned.cluster, kFollower, "once",
      ReplicateOptions().Forward().Session(session.Begin()).Timeout(std::chrono::minutes(10)));
  pinned.cluster.journal(PinnedCluster::kLeader).WaitForText(1, "once");
  network.SetFaults(leader, follower, LinkFaults());
  CHECK(answer.Get().index);
  for (std::uint32_t id = 1; id <= 3; ++id) {
    pinned.cluster.journal(id).WaitForText(1, "once");
    CHECK(Count(pinned.cluster, id, "once") == 1);
  }
  pinned.Finish();
}

TEST_CASE("a forwarded write without an answer has an unknown outcome at its deadline") {
  PinnedCluster pinned;
  pinned.cluster.Isolate(kFollower);
  const auto lost = WriteAt(pinned.cluster, kFollower, "lost",
                            ReplicateOptions().Forward().Timeout(milliseconds(200)));
  CHECK(IsOutcomeUnknown(lost.Wait()));
  pinned.cluster.Isolate(kFollower, false);
  pinned.Finish();
}

TEST_CASE("a forwarded write of a session reaches whoever leads next, once") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 3);
  cluster.CreateAll();
  cluster.JoinAll();
  const std::uint32_t leader = cluster.WaitForLeader(1);
  const std::uint32_t asker = leader % 3 + 1;
  ClientSession session;
  for (;;) {
    Answer<ClientSession> opened;
    cluster.raft(cluster.WaitForLeader(1)).OpenSession(1, opened.Token());
    if (opened.Wait()) continue;
    session = opened.result();
    break;
  }
  for (int i = 0; i < 10; ++i) {
    const std::string text = "once " + std::to_string(i);
    const SessionRequest request = session.Begin();
    const std::uint32_t old = cluster.WaitForLeader(1);
    if (i % 2 == 1 && old != asker) cluster.Isolate(old);
    const auto options =
        ReplicateOptions().Forward().Session(request).Timeout(std::chrono::seconds(60));
    const auto answer = WriteAt(cluster, asker, text, options);
    const error_code error = answer.Wait();
    cluster.Isolate(old, false);
    if (error) {  // it led when it was asked, or learnt of nobody
      INFO(error.message());
      REQUIRE((IsRetryable(error) || IsOutcomeUnknown(error)));
      for (;;) {
        const auto again =
            WriteAt(cluster, cluster.WaitForLeader(1), text, ReplicateOptions().Session(request));
        if (!again.Wait()) break;
      }
    }
    session.End(request);
    cluster.journal(asker).WaitForText(1, text);
  }
  cluster.Write(1, "end");
  for (std::uint32_t id = 1; id <= 3; ++id) {
    cluster.journal(id).WaitForText(1, "end");
    for (int i = 0; i < 10; ++i) CHECK(Count(cluster, id, "once " + std::to_string(i)) == 1);
  }
  cluster.StopAll();
  world.Finish();
}

}  // namespace
}  // namespace kommander::test
