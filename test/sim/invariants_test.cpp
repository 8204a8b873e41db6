// Negative controls: every invariant fires on a history that breaks its promise, and none fires on
// one that keeps them all. A checker that cannot fail proves nothing.
#include <algorithm>

#include "catch.hpp"
#include "invariant_bench.hpp"
#include "raft/membership.hpp"

using namespace kommander;
using namespace kommander::sim;

TEST_CASE("a history that keeps every promise fires nothing") {
  Bench bench;
  bench.has_elections = true;
  for (std::uint32_t node : {1u, 2u}) bench.Store(node, Bench::Vote(1, 1));
  bench.Send(1, 2, 1, VoteRequest{});
  bench.Send(2, 1, 1, VoteReply{false, true});
  bench.Show(1, Role::kLeader, 1, 0, 0, 0, 0, 0, 1);
  const ClientOperation write = bench.Operation(7, OperationKind::kWrite, 1);
  bench.checker.Began(write);
  for (std::uint32_t node : {1u, 2u}) bench.Store(node, Bench::Unit({MakeEntry(1, 1)}));
  bench.Send(1, 2, 1, AppendRequest{LogIndex(), Term(), LogIndex(), {MakeEntry(1, 1)}});
  bench.Send(2, 1, 1, AppendReply{true, LogIndex(1), {}, {}, {}});
  bench.Show(1, Role::kLeader, 1, 1, 1, 1, 0, 0, 1);
  bench.Deliver(1, 1, 1, 7);
  bench.Show(1, Role::kLeader, 1, 1, 1, 1, 1, 0, 1);
  bench.Answer(write, {}, 1, 1);
  const ClientOperation read = bench.Operation(8, OperationKind::kRead, 1);
  bench.checker.Began(read);
  bench.Answer(read, {}, 1);
  bench.Show(2, Role::kFollower, 1, 1, 1, 1, 0, 0, 1);
  bench.Deliver(2, 1, 1, 7);
  bench.Show(2, Role::kFollower, 1, 1, 1, 1, 1, 0, 1);
  CHECK(bench.Fired() == Names());
  CHECK(bench.checker.InvariantNames().size() >= 16);
}

TEST_CASE("election safety fires on a second leader of a term") {
  Bench bench;
  bench.Show(1, Role::kLeader, 3, 0, 0, 0, 0);
  bench.Show(2, Role::kLeader, 4, 0, 0, 0, 0);
  CHECK(bench.Fired() == Names());
  bench.Show(3, Role::kLeader, 3, 0, 0, 0, 0);
  CHECK(bench.Fired() == Names{"election safety"});
}

TEST_CASE("elected by a quorum fires on missing votes and on who is no voter") {
  const auto elect = [](Bench& bench, std::vector<std::uint32_t> voters) {
    bench.has_elections = true;
    for (std::uint32_t node : voters) bench.Store(node, Bench::Vote(2, 1));
  };
  Bench good;
  elect(good, {1, 3});
  good.Show(1, Role::kLeader, 2, 0, 0, 0, 0);
  CHECK(good.Fired() == Names());
  Bench minority;
  elect(minority, {1});
  minority.Submit(2, Bench::Vote(2, 1));  // not synced
  minority.Show(1, Role::kLeader, 2, 0, 0, 0, 0);
  CHECK(minority.Fired() == Names{"elected by a quorum"});
  Bench other_term;
  elect(other_term, {1, 2});
  other_term.Show(1, Role::kLeader, 3, 0, 0, 0, 0);
  CHECK(other_term.Fired() == Names{"elected by a quorum"});
  const Configuration joint({NodeId(1), NodeId(2)}, {}, {NodeId(1), NodeId(3)});
  const auto configured = [&](const Configuration& configuration, std::uint64_t term,
                              std::uint64_t committed) {
    auto bench = std::make_unique<Bench>();
    elect(*bench, {1, 2});
    bench->Store(1, Bench::Unit({MakeConfigurationEntry(1, term, configuration)}));
    bench->Show(1, Role::kFollower, 2, 1, 1, committed, 0);
    bench->Show(1, Role::kLeader, 2, 1, 1, committed, 0);
    return bench->Fired("elected by a quorum");
  };
  CHECK(configured(joint, 1, 0));
  CHECK_FALSE(configured(joint, 2, 0));  // its own change, after the election
  const Configuration learner({NodeId(2)}, {NodeId(1)});
  CHECK_FALSE(configured(learner, 1, 0));
  CHECK(configured(learner, 1, 1));
}

TEST_CASE("committed is durable fires on an earlier term's entry and without a quorum of disks") {
  const auto commit = [](std::uint64_t term, std::vector<std::uint32_t> synced) {
    Bench bench;
    for (std::uint32_t node : synced) bench.Store(node, Bench::Unit({MakeEntry(1, term)}));
    bench.Show(1, Role::kLeader, 2, 1, 1, 0, 0);
    bench.Show(1, Role::kLeader, 2, 1, 1, 1, 0);
    return bench.Fired();
  };
  CHECK(commit(2, {1, 2}) == Names());
  CHECK(commit(1, {1, 2}) == Names{"committed is durable"});
  CHECK(commit(2, {1}) == Names{"committed is durable"});
}

TEST_CASE("hint is committed fires on a commit index that nobody has reached") {
  Bench bench;
  bench.Store(1, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 1)}));
  bench.Show(1, Role::kFollower, 1, 2, 2, 1, 0);
  RecoveredPartition recovered;
  recovered.commit_hint = LogIndex(1);
  bench.checker.OnRecovered(NodeId(1), kPartition, recovered);
  CHECK(bench.Fired() == Names());
  recovered.commit_hint = LogIndex(2);
  bench.checker.OnRecovered(NodeId(1), kPartition, recovered);
  CHECK(bench.Fired() == Names{"hint is committed"});
}

TEST_CASE("vote immutability fires on a changed vote and on a lost term") {
  Bench bench;
  bench.Store(1, Bench::Vote(2, 0));
  bench.Store(1, Bench::Vote(2, 3));
  bench.Store(1, Bench::Vote(3, 1));
  CHECK(bench.Fired() == Names());
  bench.Store(1, Bench::Vote(3, 2));
  CHECK(bench.Fired() == Names{"vote immutability"});
  Bench other;
  other.Store(1, Bench::Vote(3, 1));
  other.Store(1, Bench::Vote(2, 1));
  CHECK(other.Fired() == Names{"vote immutability"});
  Bench cleared;
  cleared.Store(1, Bench::Vote(3, 1));
  cleared.Store(1, Bench::Vote(3, 0));
  CHECK(cleared.Fired() == Names{"vote immutability"});
}

TEST_CASE("log matching fires on other contents and on another past") {
  Bench bench;
  bench.Submit(1, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 2)}));
  bench.Submit(2, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 3)}));
  CHECK(bench.Fired() == Names());
  bench.Submit(3, Bench::Unit({MakeEntry(1, 1, "other")}));
  CHECK(bench.Fired() == Names{"log matching"});
  Bench past;
  past.Submit(1, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 3)}));
  past.Submit(2, Bench::Unit({MakeEntry(1, 2), MakeEntry(2, 3)}));
  CHECK(past.Fired() == Names{"log matching"});
}

TEST_CASE("leader completeness fires on a leader without a committed entry") {
  Bench bench;
  bench.Store(1, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 1)}));
  bench.Store(2, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 1)}));
  bench.Store(3, Bench::Unit({MakeEntry(1, 1)}));
  bench.Show(1, Role::kLeader, 1, 2, 2, 2, 0);
  bench.Show(2, Role::kLeader, 2, 2, 2, 0, 0);
  CHECK(bench.Fired() == Names());
  bench.Show(3, Role::kLeader, 3, 1, 1, 0, 0);
  CHECK(bench.Fired() == Names{"leader completeness"});
}

TEST_CASE("leader append-only fires on a leader that removes entries") {
  Bench bench;
  bench.Submit(1, Bench::Vote(2, 1));
  bench.Submit(1, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 2)}));
  bench.Show(1, Role::kLeader, 2, 2, 0, 0, 0);
  WriteUnit removal = Bench::Unit({MakeEntry(2, 3)});
  removal.truncate_from = LogIndex(2);
  Bench good;
  good.Submit(1, Bench::Vote(2, 1));
  good.Submit(1, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 2)}));
  good.Show(1, Role::kLeader, 2, 2, 0, 0, 0);
  WriteUnit stepping_down = removal;
  stepping_down.hard_state = HardState{Term(3), NodeId()};
  good.Submit(1, stepping_down);
  CHECK(good.Fired() == Names());
  bench.Submit(1, removal);
  CHECK(bench.Fired() == Names{"leader append-only"});
}

TEST_CASE("state machine safety fires on another entry, a gap, a repetition and a wrong order") {
  const auto store = [](Bench& bench) {
    for (std::uint32_t node : {1u, 2u}) {
      bench.Store(node, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 1), MakeEntry(3, 1)}));
    }
    bench.Deliver(1, 1, 1, 10, 0, true);
    bench.Deliver(1, 2, 1, 20, 0);
    bench.Deliver(1, 2, 1, 20, 1);
  };
  Bench other;
  store(other);
  other.Deliver(2, 1, 1, 10);
  CHECK(other.Fired() == Names());
  other.Deliver(2, 2, 1, 99);
  CHECK(other.Fired("state machine safety"));
  Bench gap;
  store(gap);
  gap.Deliver(2, 2, 1, 20);
  CHECK(gap.Fired() == Names{"state machine safety"});
  Bench again;
  store(again);
  again.Deliver(1, 2, 1, 20, 1);
  CHECK(again.Fired() == Names{"state machine safety"});
  Bench late;
  store(late);
  late.Deliver(1, 3, 1, 30, 0, true);
  CHECK(late.Fired() == Names{"state machine safety"});
  Bench batch;
  store(batch);
  batch.Deliver(1, 3, 1, 30, 0, false, 0);
  CHECK(batch.Fired() == Names());
  batch.Deliver(1, 3, 1, 30, 1, false, 2);
  CHECK(batch.Fired() == Names{"state machine safety"});
}

TEST_CASE("monotonic progress fires on every index that goes back, but not over a restart") {
  Bench bench;
  bench.Store(1, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 1)}));
  bench.Show(1, Role::kFollower, 2, 2, 2, 2, 2);
  bench.checker.LifeBegan(NodeId(1));
  bench.checker.OnRecovered(NodeId(1), kPartition, RecoveredPartition());
  bench.Show(1, Role::kFollower, 2, 2, 2, 1, 0);
  CHECK(bench.Fired() == Names());
  bench.Show(1, Role::kFollower, 2, 2, 2, 0, 0);
  CHECK(bench.Fired() == Names{"monotonic progress"});
  Bench leader;
  leader.Show(1, Role::kFollower, 2, 0, 0, 0, 0, 0, 2);
  leader.Show(1, Role::kFollower, 2, 0, 0, 0, 0, 0, 3);
  CHECK(leader.Fired() == Names{"monotonic progress"});
  Bench term;
  term.Show(1, Role::kFollower, 2, 0, 0, 0, 0);
  term.Show(1, Role::kFollower, 1, 0, 0, 0, 0);
  CHECK(term.Fired() == Names{"monotonic progress"});
}

TEST_CASE("committed agreement fires on two histories of committed entries") {
  Bench bench;
  bench.Store(1, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 1)}));
  bench.Store(2, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 2)}));
  bench.Show(1, Role::kFollower, 2, 2, 2, 2, 0);
  bench.Show(2, Role::kFollower, 2, 2, 2, 1, 0);
  CHECK(bench.Fired() == Names());
  bench.Show(2, Role::kFollower, 2, 2, 2, 2, 0);
  CHECK(bench.Fired() == Names{"committed agreement"});
}

TEST_CASE("committed is kept fires on a removal at or below the commit index") {
  Bench bench;
  bench.Store(1, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 1)}));
  bench.Show(1, Role::kFollower, 1, 2, 2, 1, 0);
  WriteUnit removal = Bench::Unit();
  removal.truncate_from = LogIndex(2);
  bench.Store(1, removal);
  CHECK(bench.Fired() == Names());
  removal.truncate_from = LogIndex(1);
  bench.Store(1, removal);
  CHECK(bench.Fired() == Names{"committed is kept"});
}

TEST_CASE("committed is kept fires on a boundary above what is applied") {
  Bench bench;
  bench.Store(1, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 1)}));
  bench.Show(1, Role::kFollower, 1, 2, 2, 2, 1);
  WriteUnit purge = Bench::Unit();
  purge.boundary = BoundaryRecord();
  purge.boundary->configuration = Configuration({NodeId(1), NodeId(2), NodeId(3)});
  purge.boundary->term = Term(1);
  purge.boundary->index = LogIndex(1);
  bench.Submit(1, purge);
  CHECK(bench.Fired() == Names());
  purge.boundary->index = LogIndex(2);
  bench.Submit(1, purge);
  CHECK(bench.Fired() == Names{"committed is kept"});
}

TEST_CASE("acknowledged is durable fires without a quorum and without the node itself") {
  Bench minority;
  minority.Store(1, Bench::Unit({MakeEntry(1, 1)}));
  minority.Submit(2, Bench::Unit({MakeEntry(1, 1)}));  // not synced
  minority.Answer(minority.Operation(1, OperationKind::kWrite, 1), {}, 1, 1);
  CHECK(minority.Fired() == Names{"acknowledged is durable"});
  Bench others;
  others.Store(2, Bench::Unit({MakeEntry(1, 1)}));
  others.Store(3, Bench::Unit({MakeEntry(1, 1)}));
  others.Answer(others.Operation(1, OperationKind::kWrite, 1), {}, 1, 1);
  CHECK(others.Fired() == Names{"acknowledged is durable"});
  Bench refused;
  refused.Answer(refused.Operation(1, OperationKind::kWrite, 1), RaftErrc::OutcomeUnknown);
  CHECK(refused.Fired() == Names());
}

TEST_CASE("acknowledged is committed fires on a lost, a doubled and a misplaced write") {
  const auto store = [](Bench& bench) {
    for (std::uint32_t node : {1u, 2u}) {
      bench.Store(node, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 1)}));
    }
  };
  Bench lost;
  store(lost);
  lost.Answer(lost.Operation(1, OperationKind::kWrite, 1), {}, 1, 1);
  CHECK(lost.Fired() == Names());
  WriteUnit replacement = Bench::Unit({MakeEntry(1, 2)});
  replacement.truncate_from = LogIndex(1);
  lost.Store(3, replacement);
  lost.Show(3, Role::kFollower, 2, 1, 1, 1, 0);
  CHECK(lost.Fired() == Names{"acknowledged is committed"});
  Bench doubled;
  store(doubled);
  doubled.Deliver(1, 1, 1, 5);
  doubled.Deliver(1, 2, 1, 5);
  CHECK(doubled.Fired() == Names{"acknowledged is committed"});
  Bench misplaced;
  store(misplaced);
  misplaced.Deliver(1, 1, 1, 5);
  misplaced.Answer(misplaced.Operation(5, OperationKind::kWrite, 1), {}, 2, 1);
  CHECK(misplaced.Fired() == Names{"acknowledged is committed"});
}

TEST_CASE("refused has no effect fires whichever comes first, the refusal or the delivery") {
  Bench bench;
  bench.Store(1, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 1), MakeEntry(3, 1)}));
  bench.Answer(bench.Operation(1, OperationKind::kWrite, 1), RaftErrc::ProposalTimeout);
  bench.Deliver(1, 1, 1, 1);
  CHECK(bench.Fired() == Names());
  bench.Answer(bench.Operation(2, OperationKind::kWrite, 1), RaftErrc::NodeIsNotLeader);
  bench.Deliver(1, 2, 1, 2);
  CHECK(bench.Fired() == Names{"refused has no effect"});
  Bench late;
  late.Store(1, Bench::Unit({MakeEntry(1, 1)}));
  late.Deliver(1, 1, 1, 3);
  late.Answer(late.Operation(3, OperationKind::kWrite, 1), RaftErrc::ProposalDropped);
  CHECK(late.Fired() == Names{"refused has no effect"});
}

TEST_CASE("applied in bounds fires beyond committed, durable and the disk") {
  Bench committed;
  committed.Store(1, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 1)}));
  committed.Show(1, Role::kFollower, 1, 2, 2, 1, 2);
  CHECK(committed.Fired() == Names{"applied in bounds"});
  Bench durable;
  durable.Store(1, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 1)}));
  durable.Show(1, Role::kFollower, 1, 2, 1, 2, 2);
  CHECK(durable.Fired() == Names{"applied in bounds"});
  Bench disk;
  disk.Submit(1, Bench::Unit({MakeEntry(1, 1)}));
  disk.Deliver(1, 1, 1, 1);
  CHECK(disk.Fired() == Names{"applied in bounds"});
}

TEST_CASE("durable is synced fires on bytes that are not there, or are others") {
  Bench bench;
  bench.Store(1, Bench::Unit({MakeEntry(1, 1)}));
  bench.Submit(1, Bench::Unit({MakeEntry(2, 1)}));
  bench.Show(1, Role::kFollower, 1, 2, 1, 0, 0);
  CHECK(bench.Fired() == Names());
  bench.Show(1, Role::kFollower, 1, 2, 2, 0, 0);
  CHECK(bench.Fired() == Names{"durable is synced"});
  Bench other;
  other.Store(1, Bench::Unit({MakeEntry(1, 1)}));
  WriteUnit replacement = Bench::Unit({MakeEntry(1, 2)});
  replacement.truncate_from = LogIndex(1);
  other.Submit(1, replacement);
  other.Show(1, Role::kFollower, 2, 1, 1, 0, 0);
  CHECK(other.Fired() == Names{"durable is synced"});
}

TEST_CASE("promises are synced fires on every promise that is not on disk") {
  const auto fires = [](std::uint32_t from, MessageBody body, std::uint64_t term = 2) {
    Bench bench;
    bench.Store(1, Bench::Vote(1, 2));
    bench.Submit(1, Bench::Vote(2, 1));  // not synced
    bench.Store(1, Bench::Unit({MakeEntry(1, 1)}));
    bench.Submit(1, Bench::Unit({MakeEntry(2, 1)}));
    bench.Send(from, 3, term, std::move(body));
    return bench.Fired() == Names{"promises are synced"};
  };
  CHECK(fires(1, VoteRequest{}));
  CHECK(fires(1, VoteReply{false, true}));
  CHECK(fires(1, Heartbeat{}));
  CHECK(fires(1, AppendRequest{}));
  CHECK(fires(1, AppendReply{true, LogIndex(2), {}, {}, {}}, 1));
  CHECK(fires(1, AppendReply{true, LogIndex(1), {}, {}, {}}));
  CHECK(fires(1, HeartbeatReply{0, LogIndex(2)}));
  CHECK_FALSE(fires(1, VoteRequest{{}, {}, true, false}));
  CHECK_FALSE(fires(1, VoteReply{true, true}));
  CHECK_FALSE(fires(1, VoteReply{false, false}));
  CHECK_FALSE(fires(1, AppendReply{true, LogIndex(1), {}, {}, {}}, 1));
  CHECK_FALSE(fires(1, AppendReply{false, {}, LogIndex(9), {}, {}}));
}

TEST_CASE("digest agreement fires on two digests of one index, and on an entry left out") {
  Bench bench;
  for (std::uint32_t node : {1u, 2u}) bench.Store(node, Bench::Unit({MakeEntry(1, 1)}));
  bench.Show(1, Role::kFollower, 1, 1, 1, 1, 1, 77);
  bench.Show(2, Role::kFollower, 1, 1, 1, 1, 1, 77);
  CHECK(bench.Fired() == Names());
  bench.checker.LifeBegan(NodeId(2));
  bench.checker.OnRecovered(NodeId(2), kPartition, RecoveredPartition());
  bench.Show(2, Role::kFollower, 1, 1, 1, 1, 1, 78);
  CHECK(bench.Fired() == Names{"digest agreement"});
  Bench gap;
  gap.Store(1, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 1)}));
  for (std::uint64_t applied : {1U, 2U}) gap.Show(1, Role::kFollower, 1, 2, 2, 2, applied, 77);
  CHECK(gap.Fired() == Names{"digest agreement"});
}

TEST_CASE("one change at a time fires on a second change and on a jump") {
  const Configuration all({NodeId(1), NodeId(2), NodeId(3)});
  const Configuration joint({NodeId(1)}, {}, {NodeId(1), NodeId(2), NodeId(3)});
  const Configuration one({NodeId(1)});
  Bench good;
  for (std::uint32_t node : {1u, 2u}) {
    good.Store(node, Bench::Unit({MakeConfigurationEntry(1, 1, joint)}));
  }
  good.Show(1, Role::kLeader, 1, 1, 1, 0, 0);
  good.Show(1, Role::kLeader, 1, 1, 1, 1, 0);
  good.Store(1, Bench::Unit({MakeConfigurationEntry(2, 1, one)}));
  good.Show(1, Role::kLeader, 1, 2, 2, 1, 0);
  CHECK(good.Fired() == Names());
  Bench two;
  two.Store(1,
            Bench::Unit({MakeConfigurationEntry(1, 1, joint), MakeConfigurationEntry(2, 1, one)}));
  two.Show(1, Role::kLeader, 1, 2, 2, 0, 0);
  CHECK(two.Fired() == Names{"one change at a time"});
  Bench jump;
  jump.Store(1, Bench::Unit({MakeConfigurationEntry(1, 1, one)}));
  jump.Show(1, Role::kLeader, 1, 1, 1, 0, 0);
  CHECK(jump.Fired() == Names{"one change at a time"});
  Bench astray;
  astray.Store(1, Bench::Unit({MakeConfigurationEntry(1, 1, joint)}));
  astray.Show(1, Role::kLeader, 1, 1, 1, 1, 0);
  astray.Store(1, Bench::Unit({MakeConfigurationEntry(2, 1, all)}));
  astray.Show(1, Role::kLeader, 1, 2, 2, 1, 0);
  CHECK(astray.Fired() == Names{"one change at a time"});
}

TEST_CASE("nothing in silence fires on a second answer and on none") {
  Bench twice;
  twice.checker.EndedAgain(twice.Operation(1, OperationKind::kRead, 1));
  CHECK(twice.Fired() == Names{"nothing in silence"});
  Bench never;
  never.checker.Overdue(never.Operation(1, OperationKind::kTransfer, 1));
  CHECK(never.Fired() == Names{"nothing in silence"});
}

TEST_CASE("linearizable reads fires on a stale index and on one that is not applied") {
  const auto store = [](Bench& bench) {
    for (std::uint32_t node : {1u, 2u}) {
      bench.Store(node, Bench::Unit({MakeEntry(1, 1), MakeEntry(2, 1)}));
      bench.Show(node, Role::kFollower, 1, 2, 2, 2, 2);
    }
  };
  Bench concurrent;
  store(concurrent);
  const ClientOperation early = concurrent.Operation(2, OperationKind::kRead, 2);
  concurrent.checker.Began(early);
  concurrent.Answer(concurrent.Operation(1, OperationKind::kWrite, 1), {}, 2, 1);
  concurrent.Answer(early, {}, 1);
  CHECK(concurrent.Fired() == Names());
  const ClientOperation late = concurrent.Operation(3, OperationKind::kRead, 2);
  concurrent.checker.Began(late);
  concurrent.Answer(late, {}, 1);
  CHECK(concurrent.Fired() == Names{"linearizable reads"});
  Bench backwards;
  store(backwards);
  for (std::uint64_t id = 4; id <= 5; ++id) {
    const ClientOperation read = backwards.Operation(id, OperationKind::kRead, 1);
    backwards.checker.Began(read);
    backwards.Answer(read, {}, 6 - id);
  }
  CHECK(backwards.Fired() == Names{"linearizable reads"});
  Bench ahead;
  store(ahead);
  const ClientOperation read = ahead.Operation(6, OperationKind::kRead, 1);
  ahead.checker.Began(read);
  ahead.Answer(read, {}, 3);
  CHECK(ahead.Fired() == Names{"linearizable reads"});
}

TEST_CASE("interface contracts fires on a hole and on a unit out of order") {
  Bench hole;
  hole.Sync(1, Bench::Unit({MakeEntry(5, 1)}));
  CHECK(hole.Fired() == Names{"interface contracts"});
  Bench order;
  WriteUnit unit = Bench::Unit();
  unit.unit = UnitId(2);
  order.checker.OnSubmitted(NodeId(1), unit);
  unit.unit = UnitId(1);
  order.checker.OnSubmitted(NodeId(1), unit);
  CHECK(order.Fired() == Names{"interface contracts"});
}
