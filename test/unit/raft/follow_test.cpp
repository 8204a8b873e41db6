// A follower in front of messages that no correct leader sends, and of a disk that fails under it.
#include "catch.hpp"
#include "unit/raft/lone_core.hpp"

using namespace kommander;
using namespace kommander::raft;
using namespace kommander::raft::test;

TEST_CASE("what is committed is not overwritten, whoever asks for it") {
  LoneCore node({1, 1, 1}, 2);
  node.Step(LoneCore::From(2, 2, LoneCore::Append(1, 1, {2, 2})));
  CHECK(node.core.TermAt(LogIndex(2)) == Term(1));
  // A message that denies what is committed is not believed in the rest either.
  CHECK(node.core.TermAt(LogIndex(3)) == Term(1));
  CHECK(node.core.Status().last == LogIndex(3));
  CHECK(node.core.Status().committed == LogIndex(2));
}

TEST_CASE("a commit is believed as far as the message vouches for the log") {
  LoneCore node({1, 1, 1});
  AppendRequest append = LoneCore::Append(1, 1, {});
  append.commit = LogIndex(3);
  node.Step(LoneCore::From(2, 2, append));
  // Of the entries behind the first one nobody knows yet whether they are the leader's.
  CHECK(node.core.Status().committed == LogIndex(1));
}

TEST_CASE("what is committed is written with the next write, or at once where that is asked for") {
  for (const bool writes_commits : {false, true}) {
    CoreOptions options = LoneCore::Options();
    options.writes_commits = writes_commits;
    LoneCore node({1, 1, 1}, 0, options);
    node.Step(LoneCore::From(2, 2, Heartbeat{}));
    node.Sync();  // of the new term
    AppendRequest append = LoneCore::Append(3, 1, {});
    append.commit = LogIndex(2);
    node.Step(LoneCore::From(2, 2, append));
    REQUIRE(node.core.Status().committed == LogIndex(2));
    REQUIRE(node.effects.write.has_value() == writes_commits);
    if (writes_commits) {
      CHECK(node.effects.write->commit_hint == LogIndex(2));
      CHECK(node.effects.write->entries.empty());
      CHECK_FALSE(node.effects.write->hard_state);
      node.Sync();
    }
    node.Step(LoneCore::From(2, 2, append));
    CHECK_FALSE(node.effects.write);  // once
    node.Step(LoneCore::From(2, 2, LoneCore::Append(3, 1, {2})));
    REQUIRE(node.effects.write);
    CHECK(node.effects.write->commit_hint.has_value() != writes_commits);
  }
}

TEST_CASE("entries with a gap, of falling or future terms, or with strange members are ignored") {
  const auto ignores = [](AppendRequest append) {
    LoneCore node({1});
    node.Step(LoneCore::From(2, 3, std::move(append)));
    return node.core.Status().last == LogIndex(1) && node.effects.messages.empty();
  };
  REQUIRE_FALSE(ignores(LoneCore::Append(1, 1, {2, 3})));
  CHECK(ignores(LoneCore::Append(1, 1, {3, 2})));
  CHECK(ignores(LoneCore::Append(1, 1, {3, 4})));
  AppendRequest gap = LoneCore::Append(1, 1, {3, 3});
  gap.entries.front().index = LogIndex(3);
  CHECK(ignores(gap));
  AppendRequest strange = LoneCore::Append(1, 1, {3});
  strange.entries.front().kind = EntryKind::kConfiguration;
  CHECK(ignores(strange));
}

TEST_CASE("a disk that fails in the same step acknowledges nothing, not even what it has") {
  LoneCore node({1});
  node.Step(LoneCore::From(2, 1, LoneCore::Append(0, 0, {1})));
  REQUIRE(node.Sent<AppendReply>().size() == 1);
  node.Step(LoneCore::From(2, 1, LoneCore::Append(0, 0, {1})), StorageFailure{});
  CHECK(node.Sent<AppendReply>().empty());
}
