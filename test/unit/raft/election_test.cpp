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

TEST_CASE("a node that may not vote yet does for a candidate that admits it") {
  LoneCore node;
  node.Step(Enable{false});
  VoteRequest request{LogIndex(2), Term(1), true, false};
  const auto ask = [&](std::uint32_t from, std::uint64_t term) {
    node.Step(LoneCore::From(from, term, request));
    if (node.Sent<VoteReply>().empty()) node.Sync();
    return node.Sent<VoteReply>();
  };
  CHECK(ask(2, 5) == std::vector{VoteReply{true, false}});
  request.pre_vote = false;
  CHECK(ask(2, 5) == std::vector{VoteReply{false, false}});
  request.admits = request.pre_vote = true;
  CHECK(ask(3, 6) == std::vector{VoteReply{true, true}});
  request.pre_vote = false;
  CHECK(ask(3, 6) == std::vector{VoteReply{false, true}});
  CHECK(ask(2, 6) == std::vector{VoteReply{false, false}});  // once per term, like everybody
  // It asks nobody itself, however long it hears nothing.
  for (int i = 0; i < 10; ++i) {
    node.Wait();
    CHECK(node.core.Status().role == RoleKind::kFollower);
  }
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
