// Where the log on disk and what comes back or arrives for it disagree: snapshots over a log that
// holds, contradicts or has passed them, and entries read back that are not the log's.
#include "catch.hpp"
#include "unit/raft/lone_core.hpp"

using namespace kommander;
using namespace kommander::raft;
using namespace kommander::raft::test;

namespace {

SnapshotStaged Staged(std::uint64_t term, std::uint64_t index, std::uint64_t index_term) {
  SnapshotStaged staged{NodeId(2), Term(term), {}};
  staged.boundary.index = LogIndex(index);
  staged.boundary.term = Term(index_term);
  staged.boundary.configuration = Configuration({NodeId(1), NodeId(2), NodeId(3)});
  return staged;
}

}  // namespace

TEST_CASE("a snapshot that the log contradicts replaces it whole") {
  LoneCore node({1, 1, 1, 1, 1, 1}, 2);
  const Effects& effects = node.Step(Staged(3, 4, 2));
  REQUIRE(effects.write);
  CHECK(effects.write->drop_log);
  REQUIRE(effects.write->boundary);
  CHECK(effects.write->boundary->index == LogIndex(4));
  CHECK(node.core.Status().first == LogIndex(5));
  CHECK(node.core.Status().last == LogIndex(4));
  CHECK(node.core.Status().committed == LogIndex(4));
  // Of the old log, still on disk, only what was committed counts until the unit answers.
  CHECK(node.core.Status().durable == LogIndex(2));
  node.Sync();
  CHECK(node.core.Status().durable == LogIndex(4));
}

TEST_CASE("what the application kept before a snapshot does not hide that its import is to come") {
  LoneCore node({1, 1, 1, 1, 1, 1}, 2);
  node.Step(Staged(3, 9, 2), KeepApplication{ApplicationRecord(LogIndex(2), LogIndex())});
  REQUIRE(node.effects.write);
  CHECK(node.effects.write->application == ApplicationRecord(LogIndex(9), LogIndex(9)));
  node.Sync();
  // It goes with whatever else is written.
  node.Step(KeepApplication{ApplicationRecord(LogIndex(5), LogIndex())});
  node.Step(LoneCore::From(2, 4, Heartbeat()));
  REQUIRE(node.effects.write);
  CHECK_FALSE(node.effects.write->application);
  node.Sync();
  node.Step(KeepApplication{ApplicationRecord(LogIndex(9), LogIndex())});
  node.Step(LoneCore::From(2, 5, Heartbeat()));
  REQUIRE(node.effects.write);
  CHECK(node.effects.write->application == ApplicationRecord(LogIndex(9), LogIndex()));
}

TEST_CASE("a snapshot that the log holds commits it and removes nothing") {
  LoneCore node({1, 1, 2, 2, 2}, 1);
  const Effects& effects = node.Step(Staged(3, 4, 2));
  REQUIRE(effects.write);  // of the new term
  CHECK_FALSE(effects.write->boundary);
  CHECK_FALSE(effects.write->drop_log);
  CHECK(node.core.Status().last == LogIndex(5));
  CHECK(node.core.Status().committed == LogIndex(4));
  CHECK(node.core.TermAt(LogIndex(5)) == Term(2));
}

TEST_CASE("a snapshot that comes late moves nothing back") {
  LoneCore node;
  node.Step(Staged(2, 8, 2));
  node.Sync();
  node.Step(LoneCore::From(2, 2, LoneCore::Append(8, 2, {2, 2})));
  node.Sync();
  const Effects& effects = node.Step(Staged(2, 5, 1));
  CHECK_FALSE(effects.write);
  CHECK(node.core.Status().first == LogIndex(9));
  CHECK(node.core.Status().last == LogIndex(10));
  CHECK(node.core.Status().committed == LogIndex(8));
}

TEST_CASE("a snapshot of an earlier term's leader makes nobody follow it") {
  LoneCore node({1}, 1);
  node.Step(LoneCore::From(3, 5, VoteRequest{LogIndex(0), Term(0), false, false}));
  REQUIRE(node.core.Status().term == Term(5));
  node.Step(Staged(4, 7, 4));
  CHECK(node.core.Status().leader == NodeId());
  // Its state is committed all the same.
  CHECK(node.core.Status().committed == LogIndex(7));
}

TEST_CASE("entries read back that are not the log's are dropped and read again later") {
  LoneCore node({1, 1, 1}, 3);
  REQUIRE(node.effects.fetches.size() == 1);
  const Fetch fetch = node.effects.fetches[0];
  REQUIRE(fetch.first == LogIndex(1));
  node.Step(
      Fetched{fetch.fetch, LogIndex(1), {LoneCore::MakeEntry(2, 1), LoneCore::MakeEntry(2, 2)}});
  CHECK(node.effects.apply.empty());
  CHECK(node.effects.fetches.empty());
  node.Wait();
  REQUIRE(node.effects.fetches.size() == 1);
  CHECK(node.effects.fetches[0].first == LogIndex(1));
  // Up to the first one that differs they are used.
  node.Step(Fetched{node.effects.fetches[0].fetch,
                    LogIndex(1),
                    {LoneCore::MakeEntry(1, 1), LoneCore::MakeEntry(2, 2)}});
  REQUIRE(node.effects.apply.size() == 1);
  CHECK(node.effects.apply[0].entry.index == LogIndex(1));
}
