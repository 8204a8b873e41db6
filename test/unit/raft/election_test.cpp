// What moves a node's term, vote and patience, and what must not.
#include "catch.hpp"
#include "unit/raft/lone_core.hpp"

using namespace kommander;
using namespace kommander::raft;
using namespace kommander::raft::test;

TEST_CASE("a granted pre-vote changes nothing at all") {
  LoneCore node({1, 1});
  const CoreStatus before = node.core.Status();
  const Instant deadline = node.core.NextDeadline();
  const Effects& effects =
      node.Step(LoneCore::From(2, 2, VoteRequest{LogIndex(2), Term(1), true, false}));
  REQUIRE(effects.messages.size() == 1);
  CHECK(std::get<VoteReply>(effects.messages[0].body) == VoteReply{true, true});
  CHECK_FALSE(effects.write);
  CHECK(node.core.Status() == before);
  CHECK(node.core.NextDeadline() == deadline);
}

namespace {

constexpr Incarnation kOwn{77};

// Node 1, on an empty store of its own, not yet admitted.
struct Unaware : LoneCore {
  Unaware() : LoneCore({}, 0, OptionsOf(kOwn)) { Step(Enable{false}); }
  explicit Unaware(RecoveredPartition recovered) : LoneCore(std::move(recovered), OptionsOf(kOwn)) {
    Step(Enable{false});
  }
  static CoreOptions OptionsOf(Incarnation own) {
    CoreOptions options = Options();
    options.incarnation = own;
    return options;
  }
  // The answer, which may wait for the disk.
  VoteReply Ask(std::uint32_t from, std::uint64_t term, bool pre_vote, Incarnation admits) {
    VoteRequest request(LogIndex(2), Term(1), pre_vote, false);
    request.admits = admits;
    Step(From(from, term, request));
    if (Sent<VoteReply>().empty()) Sync();
    REQUIRE(Sent<VoteReply>().size() == 1);
    return Sent<VoteReply>()[0];
  }
};

constexpr bool kPreVote = true;
constexpr bool kVote = false;

}  // namespace

TEST_CASE("a node that may not vote yet does for a candidate that admits it") {
  Unaware node;
  CHECK_FALSE(node.Ask(2, 5, kPreVote, Incarnation()).granted);
  CHECK_FALSE(node.Ask(2, 5, kVote, Incarnation()).granted);
  // An earlier disk of this node.
  CHECK_FALSE(node.Ask(2, 6, kVote, Incarnation(76)).granted);
  CHECK(node.Ask(3, 9, kPreVote, kOwn).granted);
  CHECK_FALSE(node.Ask(2, 9, kVote, Incarnation()).granted);  // this one does not know of it
  CHECK(node.Ask(3, 9, kVote, kOwn).granted);
  CHECK_FALSE(node.Ask(2, 9, kVote, kOwn).granted);  // once per term, like everybody
}

TEST_CASE("a node without any incarnation is admitted by nobody") {
  LoneCore node;
  node.Step(Enable{false});
  node.Step(LoneCore::From(2, 5, VoteRequest(LogIndex(2), Term(1), false, false)));
  REQUIRE(node.Sent<VoteReply>().size() == 1);
  CHECK_FALSE(node.Sent<VoteReply>()[0].granted);
}

TEST_CASE("a node that was admitted by a candidate campaigns") {
  Unaware node;
  for (int i = 0; i < 10; ++i) {
    node.Wait();
    CHECK(node.core.Status().role == RoleKind::kFollower);
  }
  const bool pre_vote = GENERATE(true, false);
  node.Ask(3, 9, pre_vote, kOwn);
  node.AskForPreVotes();
  CHECK(node.core.Status().term == Term(pre_vote ? 8 : 9));
}

TEST_CASE("a node that voted for who admitted it does not vote again after a restart") {
  RecoveredPartition recovered;
  recovered.boundary.configuration = Configuration({NodeId(1), NodeId(2), NodeId(3)});
  recovered.hard_state = HardState{Term(9), NodeId(3)};
  Unaware node(std::move(recovered));
  CHECK_FALSE(node.Ask(2, 9, kVote, kOwn).granted);
  CHECK(node.Ask(3, 9, kVote, kOwn).granted);
  CHECK_FALSE(node.Ask(2, 10, kVote, Incarnation()).granted);
}

TEST_CASE("while a leader is heard its word is waited for") {
  Unaware node;
  node.Step(LoneCore::From(2, 4, Heartbeat{}));
  CHECK_FALSE(node.Ask(3, 9, kPreVote, kOwn).granted);
  CHECK(node.core.Status().term == Term(4));
  CHECK(node.core.Status().leader == NodeId(2));
  // But a transfer comes from that leader.
  VoteRequest request(LogIndex(2), Term(1), false, true);
  request.admits = kOwn;
  node.Step(LoneCore::From(3, 9, request));
  node.Sync();
  REQUIRE(node.Sent<VoteReply>().size() == 1);
  CHECK(node.Sent<VoteReply>()[0].granted);
  node.AskForPreVotes();
}

TEST_CASE("only the leader makes a node campaign") {
  LoneCore node({1});
  node.Step(LoneCore::From(2, 1, Heartbeat{}));
  node.Step(LoneCore::From(3, 1, TransferRequest{}));
  CHECK(node.core.Status().role == RoleKind::kFollower);
  node.Step(LoneCore::From(2, 1, TransferRequest{}));
  CHECK(node.core.Status().role == RoleKind::kCandidate);
}

TEST_CASE("a vote that comes late is no pre-vote") {
  LoneCore node;
  node.AskForPreVotes();
  node.Step(LoneCore::From(2, 1, VoteReply{true, true}));
  REQUIRE(node.core.Status().role == RoleKind::kCandidate);
  node.Sync();
  node.Wait();
  REQUIRE(node.core.Status().role == RoleKind::kPreCandidate);
  node.Step(LoneCore::From(3, 1, VoteReply{false, true}));
  CHECK(node.core.Status().role == RoleKind::kPreCandidate);
  node.Step(LoneCore::From(3, 2, VoteReply{true, true}));
  CHECK(node.core.Status().role == RoleKind::kCandidate);
}
