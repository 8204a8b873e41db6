// A leader in front of answers that cannot be.
#include "catch.hpp"
#include "unit/raft/lone_core.hpp"

using namespace kommander;
using namespace kommander::raft;
using namespace kommander::raft::test;

TEST_CASE("an acknowledgement of more than the leader has counts for nothing") {
  LoneCore node({1});
  node.Lead();
  REQUIRE(node.core.Status().last == LogIndex(2));
  AppendReply reply;
  reply.accepted = true;
  reply.matched = LogIndex(3);
  node.Step(LoneCore::From(2, 2, reply));
  node.Sync();
  CHECK(node.core.Status().committed == LogIndex());
  reply.matched = LogIndex(2);
  node.Step(LoneCore::From(2, 2, reply));
  CHECK(node.core.Status().committed == LogIndex(2));
}
