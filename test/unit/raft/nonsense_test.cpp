// Members that lie: what no honest node would send neither asserts nor overflows, and changes
// nothing that it need not.
#include "unit/raft/nonsense.hpp"

#include <initializer_list>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include <kommander/assert.hpp>

#include "catch.hpp"
#include "raft/log.hpp"
#include "raft/membership.hpp"
#include "unit/raft/test_cluster.hpp"

using namespace std::chrono_literals;
using namespace kommander;
using namespace kommander::raft;
using namespace kommander::raft::test;

namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
const Configuration kThree({NodeId(1), NodeId(2), NodeId(3)});

// Throws, so that a test can go on to say what was sent.
class ThrowingAsserts {
 public:
  ThrowingAsserts()
      : before_(SetAssertHandler([](const AssertFailure& failure) {
          throw std::logic_error(std::string(failure.message) + " (" + failure.condition + ") at " +
                                 failure.file + ":" + std::to_string(failure.line));
        })) {}
  ~ThrowingAsserts() { SetAssertHandler(before_); }
  ThrowingAsserts(const ThrowingAsserts&) = delete;
  ThrowingAsserts& operator=(const ThrowingAsserts&) = delete;

 private:
  AssertHandler before_;
};

Entry Application(std::uint64_t index, std::uint64_t term) {
  return Entry(Term(term), LogIndex(index), EntryKind::kApplication, Ticket(), Payload("lie"));
}

// Node 1 of three, alone with what the test claims that the others sent.
class Victim {
 public:
  Victim() : cluster_({.seed = 1, .core = {}, .check = false}, kThree) {
    cluster_.Isolate(1);
    cluster_.DropAll();
  }

  void Hear(std::uint32_t from, std::uint64_t term, MessageBody body) {
    cluster_.Step(
        1, Receive{Message(PartitionId(0), NodeId(from), NodeId(1), Term(term), std::move(body))});
    cluster_.core(1).CheckInvariants();
  }
  void HearAppend(std::uint32_t from, std::uint64_t term, Log::Position previous,
                  std::uint64_t commit, std::initializer_list<Entry> entries) {
    Hear(from, term, AppendRequest{previous.index, previous.term, LogIndex(commit), entries});
  }
  // Follows node 2 in term 5 with the entries 1/1, 2/2 and 3/4, the first two committed.
  void Follow() {
    HearAppend(2, 5, {}, 2, {Application(1, 1), Application(2, 2), Application(3, 4)});
    cluster_.SyncAll(NodeId(1));
    REQUIRE(status().last == LogIndex(3));
    REQUIRE(status().committed == LogIndex(2));
  }
  // Leads with the votes of all.
  void Lead() {
    while (status().role != RoleKind::kLeader) {
      cluster_.set_now(std::max(cluster_.now(), cluster_.core(1).NextDeadline()));
      cluster_.Step(1, Tick{});
      const std::uint64_t term = status().term.value();
      if (status().role == RoleKind::kPreCandidate) Hear(2, term + 1, VoteReply{true, true});
      if (status().role == RoleKind::kCandidate)
        Hear(2, status().term.value(), VoteReply{false, true});
      cluster_.SyncAll(NodeId(1));
    }
  }
  void Stage(std::uint64_t term, BoundaryRecord boundary) {
    cluster_.Step(1, SnapshotStaged{NodeId(2), Term(term), std::move(boundary)});
    cluster_.core(1).CheckInvariants();
  }
  CoreStatus status() { return cluster_.status(1); }
  TestCluster& cluster() { return cluster_; }

 private:
  ThrowingAsserts asserts_;
  TestCluster cluster_;
};

BoundaryRecord Boundary(std::uint64_t index, std::uint64_t term) {
  BoundaryRecord boundary;
  boundary.index = LogIndex(index);
  boundary.term = Term(term);
  boundary.configuration = kThree;
  return boundary;
}

}  // namespace

TEST_CASE("a term after which there is no other is not entered") {
  Victim victim;
  const CoreStatus before = victim.status();
  victim.Hear(2, kMost, Heartbeat{});
  victim.Hear(2, kMost, VoteRequest{LogIndex(9), Term(9), false, true});
  victim.Hear(2, kMost, VoteRequest{LogIndex(9), Term(9), true, false});
  victim.Hear(2, kMost, VoteReply{});
  victim.HearAppend(2, kMost, {}, 1, {Application(1, kMost)});
  victim.Stage(kMost, Boundary(5, 5));
  REQUIRE(victim.status() == before);
}

TEST_CASE("the last term that is believed is not left by a campaign") {
  Victim victim;
  const std::uint64_t last = std::uint64_t{1} << 62;
  victim.Hear(2, last, Heartbeat{});
  REQUIRE(victim.status().term == Term(last));
  victim.Hear(2, last, TransferRequest{});
  for (int i = 0; i < 3; ++i) {
    victim.cluster().set_now(victim.cluster().now() + 10s);
    victim.cluster().Step(1, Tick{});
  }
  REQUIRE(victim.status().term == Term(last));
  REQUIRE(victim.status().role == RoleKind::kFollower);
}

TEST_CASE("before the first election nobody leads and nobody asks for votes") {
  Victim victim;
  const CoreStatus before = victim.status();
  victim.Hear(2, 0, Heartbeat{});
  victim.Hear(2, 0, VoteRequest{LogIndex(9), Term(9), false, true});
  victim.Hear(2, 0, TransferRequest{});
  victim.HearAppend(2, 0, {}, 1, {Application(1, 0)});
  victim.HearAppend(2, 1, {}, 1, {Application(1, 0)});
  REQUIRE(victim.status().last == LogIndex(0));
  REQUIRE(victim.status().vote == before.vote);
}

TEST_CASE("an append that denies what is committed is ignored") {
  Victim victim;
  victim.Follow();
  const CoreStatus before = victim.status();
  // Below the commit index, at it, and a fall of the terms right after it.
  victim.HearAppend(2, 5, {LogIndex(1), Term(2)}, 3, {});
  victim.HearAppend(2, 5, {}, 4, {Application(1, 1), Application(2, 1), Application(3, 1)});
  victim.HearAppend(2, 5, {LogIndex(2), Term(1)}, 3, {Application(3, 1)});
  REQUIRE(victim.status() == before);
}

TEST_CASE("an append that denies what its own term's leader sent is ignored") {
  Victim victim;
  victim.Follow();
  const CoreStatus before = victim.status();
  victim.HearAppend(2, 5, {LogIndex(2), Term(2)}, 3, {Application(3, 3)});
  victim.HearAppend(3, 5, {LogIndex(1), Term(1)}, 3, {Application(2, 2), Application(3, 5)});
  REQUIRE(victim.status() == before);
  // In a later term the same entry, not committed, may go.
  victim.HearAppend(3, 6, {LogIndex(2), Term(2)}, 3, {Application(3, 3)});
  REQUIRE(victim.status().committed == LogIndex(3));
  REQUIRE(victim.cluster().core(1).TermAt(LogIndex(3)) == Term(3));
}

TEST_CASE("absurd indexes in an append end in a refusal") {
  Victim victim;
  victim.Follow();
  const CoreStatus before = victim.status();
  victim.HearAppend(2, 5, {LogIndex(kMost), Term(5)}, kMost, {Application(0, 5)});
  victim.HearAppend(2, 5, {LogIndex(kMost), Term(5)}, kMost, {});
  victim.HearAppend(2, 5, {LogIndex(kMost - 1), Term(5)}, kMost, {Application(kMost, 5)});
  victim.HearAppend(2, 5, {LogIndex(3), Term(4)}, kMost, {Application(kMost, 5)});
  victim.HearAppend(2, 5, {LogIndex(3), Term(4)}, 0, {Application(4, 6)});
  REQUIRE(victim.status() == before);
  // A commit index beyond the log commits what there is.
  victim.HearAppend(2, 5, {LogIndex(3), Term(4)}, kMost, {});
  REQUIRE(victim.status().committed == LogIndex(3));
}

TEST_CASE("a configuration without voters is not taken from another node") {
  Victim victim;
  victim.Follow();
  const CoreStatus before = victim.status();
  for (const Configuration& nobody :
       {Configuration(), Configuration({}, {NodeId(1)}, {NodeId(2)})}) {
    victim.HearAppend(2, 5, {LogIndex(3), Term(4)}, 4,
                      {Entry(Term(5), LogIndex(4), EntryKind::kConfiguration, Ticket(),
                             EncodeConfiguration(nobody))});
  }
  victim.HearAppend(
      2, 2, {LogIndex(3), Term(2)}, 4,
      {Entry(Term(5), LogIndex(4), EntryKind::kConfiguration, Ticket(), Payload("?"))});
  BoundaryRecord boundary = Boundary(9, 5);
  boundary.configuration = Configuration();
  victim.Stage(5, boundary);
  REQUIRE(victim.status() == before);
  REQUIRE(victim.cluster().core(1).ActiveConfiguration() == kThree);
}

TEST_CASE("a snapshot that no leader has is ignored") {
  Victim victim;
  victim.Follow();
  const CoreStatus before = victim.status();
  victim.Stage(5, Boundary(kMost, 5));
  victim.Stage(5, Boundary(9, 6));
  // It denies entry 3, which this term's leader sent.
  victim.Stage(5, Boundary(3, 3));
  REQUIRE(victim.status() == before);
}

TEST_CASE("a leader believes no peer that claims more than the leader has") {
  Victim victim;
  victim.Lead();
  const std::uint64_t term = victim.status().term.value();
  const LogIndex last = victim.status().last;
  for (const std::uint64_t matched : {last.value() + 1, kMost}) {
    AppendReply reply;
    reply.accepted = true;
    reply.matched = LogIndex(matched);
    victim.Hear(2, term, reply);
  }
  REQUIRE(victim.status().committed == LogIndex(0));
  for (const std::uint64_t absurd : {std::uint64_t{0}, kMost}) {
    AppendReply refusal;
    refusal.rejected = LogIndex(absurd);
    refusal.hint_index = LogIndex(absurd);
    refusal.hint_term = Term(absurd);
    victim.Hear(2, term, refusal);
    refusal.rejected = last.Previous();
    victim.Hear(2, term, refusal);
    victim.Hear(3, term, HeartbeatReply{kMost, LogIndex(absurd)});
    victim.Hear(3, term, ReadIndexReply{absurd, true, LogIndex(kMost)});
  }
  REQUIRE(victim.status().role == RoleKind::kLeader);
  // A second leader of the same term is nobody's.
  victim.HearAppend(3, term, {}, 9, {Application(1, term)});
  victim.Hear(3, term, Heartbeat{LogIndex(kMost), kMost});
  REQUIRE(victim.status().role == RoleKind::kLeader);
  REQUIRE(victim.status().last == last);
}

TEST_CASE("a round that has not begun confirms no read") {
  Victim victim;
  victim.Lead();
  const std::uint64_t term = victim.status().term.value();
  AppendReply reply;
  reply.accepted = true;
  reply.matched = victim.status().last;
  victim.Hear(2, term, reply);
  REQUIRE(victim.status().ready);
  const std::uint64_t read = victim.cluster().Request(1, Read{});
  victim.Hear(2, term, HeartbeatReply{kMost, LogIndex()});
  victim.Hear(3, term, HeartbeatReply{kMost - 1, LogIndex()});
  REQUIRE(victim.cluster().node(1).waiting.contains(read));
}

TEST_CASE("random nonsense from members trips no assertion") {
  const ThrowingAsserts asserts;
  for (std::uint64_t seed = 1; seed <= 20000; ++seed) {
    std::mt19937_64 random(seed);
    std::string input(random() % 3000, '\0');
    for (char& byte : input) byte = static_cast<char>(random());
    CAPTURE(seed);
    REQUIRE_NOTHROW(Nonsense(AsBytes(input)).Run());
  }
}
