// Negative controls of what is promised of proposals, of logs that get shorter, and of states that
// come from snapshots.
#include <array>
#include <initializer_list>

#include "catch.hpp"
#include "invariant_bench.hpp"

using namespace kommander;
using namespace kommander::sim;

namespace {

const Names kTickets{"tickets are settled once"};

// One node with proposal 1 of two payloads in the log at 1, and its commit at 2.
struct Proposals : Bench {
  Proposals() {
    Store(1, Unit({MakeEntry(1, 1), MakeEntry(2, 1), MakeEntry(3, 1)}));
    for (std::uint32_t node : {2u, 3u}) {
      Store(node, Unit({MakeEntry(1, 1), MakeEntry(2, 1), MakeEntry(3, 1)}));
    }
  }
  void Prepare(std::uint64_t id, error_code error, std::uint32_t count = 2) {
    ClientOperation operation = Operation(id, OperationKind::kPrepare, 1);
    operation.count = count;
    operation.ticket = Ticket(1, 1, NodeId(1));
    checker.Began(operation);
    Answer(operation, error, error ? 0 : 1, error ? 0 : 1);
  }
  void Decide(bool commits, error_code error = {}, std::uint64_t index = 2) {
    ClientOperation operation = Operation(next_++, OperationKind::kDecide, 1);
    operation.subject = 1;
    operation.commits = commits;
    checker.Began(operation);
    Answer(operation, error, error ? 0 : index, error ? 0 : 1);
  }
  void DeliverProposal(std::uint32_t node, std::uint64_t index, std::uint32_t payloads) {
    for (std::uint32_t ordinal = 0; ordinal < payloads; ++ordinal) {
      Deliver(node, index, 1, 1, ordinal, false, ordinal, kPreparedType);
    }
  }

 private:
  std::uint64_t next_ = 100;
};

}  // namespace

TEST_CASE("a proposal that is settled once fires nothing") {
  Proposals committed;
  committed.Prepare(1, {});
  committed.Decide(true);
  committed.Decide(true);
  committed.Decide(false, RaftErrc::AlreadySettled);
  committed.DeliverProposal(1, 2, 2);
  committed.Deliver(1, 3, 1, 7);
  CHECK(committed.Fired() == Names());
  Proposals rolled_back;
  rolled_back.Prepare(1, {});
  rolled_back.Decide(false);
  rolled_back.Decide(true, RaftErrc::AlreadySettled);
  CHECK(rolled_back.Fired() == Names());
}

TEST_CASE("tickets are settled once fires on both decisions, in either order") {
  Proposals bench;
  bench.Prepare(1, {});
  bench.Decide(true);
  bench.Decide(false);
  CHECK(bench.Fired() == kTickets);
  Proposals other;
  other.Prepare(1, {});
  other.Decide(false);
  other.Decide(true);
  CHECK(other.Fired() == kTickets);
  Proposals told;
  told.Prepare(1, {});
  told.Decide(true);
  told.Decide(true, RaftErrc::AlreadySettled);
  CHECK(told.Fired() == kTickets);
}

TEST_CASE("tickets are settled once fires on what is delivered though it must not be") {
  Proposals rolled_back;
  rolled_back.Prepare(1, {});
  rolled_back.Decide(false);
  rolled_back.DeliverProposal(1, 2, 2);
  CHECK(rolled_back.Fired() == kTickets);
  Proposals refused;
  refused.Prepare(1, RaftErrc::TooManyOpenTickets);
  refused.DeliverProposal(1, 2, 2);
  CHECK(refused.Fired("tickets are settled once"));
  Proposals late;
  late.DeliverProposal(1, 2, 2);
  late.Prepare(1, RaftErrc::TooManyOpenTickets);
  CHECK(late.Fired("tickets are settled once"));
}

TEST_CASE("tickets are settled once fires on another place, a part, and a ticket given twice") {
  Proposals place;
  place.Prepare(1, {});
  place.Decide(true, {}, 3);
  place.DeliverProposal(1, 2, 2);
  CHECK(place.Fired() == kTickets);
  Proposals part;
  part.Prepare(1, {});
  part.DeliverProposal(1, 2, 1);
  part.Deliver(1, 3, 1, 7);
  CHECK(part.Fired() == kTickets);
  Proposals twice;
  twice.Prepare(1, {});
  twice.Prepare(2, {});
  CHECK(twice.Fired() == kTickets);
}

TEST_CASE("log bounds fires on what is removed and not kept, and on a log that grows backwards") {
  const auto fired = [](std::initializer_list<std::array<std::uint64_t, 5>> shown) {
    Bench bench;
    std::vector<Entry> entries;
    for (std::uint64_t index = 1; index <= 9; ++index) entries.push_back(MakeEntry(index, 1));
    for (std::uint32_t node : {1u, 2u, 3u}) bench.Store(node, Bench::Unit(entries));
    for (const auto& [first, floor, checkpoint, applied, last] : shown) {
      PartitionStatus status;
      status.partition = kPartition;
      status.term = Term(1);
      status.first = LogIndex(first);
      status.floor = LogIndex(floor);
      status.checkpoint = LogIndex(checkpoint);
      status.applied = LogIndex(applied);
      status.last = status.durable = status.committed = LogIndex(last);
      status.digest = applied;
      bench.checker.Look(NodeId(1), status);
    }
    return bench.Fired("log bounds");
  };
  CHECK_FALSE(fired({{1, 0, 0, 5, 9}, {1, 3, 4, 5, 9}, {3, 3, 4, 5, 9}}));
  CHECK_FALSE(fired({{1, 3, 0, 0, 9}, {1, 3, 4, 4, 9}}));  // the life has yet to meet its floor
  CHECK_FALSE(fired({{1, 0, 0, 2, 2}, {8, 7, 0, 2, 7}, {8, 7, 0, 7, 7}}));  // installed, imported
  CHECK(fired({{1, 3, 4, 5, 9}, {1, 5, 4, 5, 9}}));  // 5 is covered by no checkpoint
  CHECK(fired({{5, 3, 4, 5, 9}}));                   // nobody keeps 4
  CHECK(fired({{1, 3, 4, 5, 9}, {1, 6, 4, 5, 9}}));  // kept before it was applied
  CHECK(fired({{1, 3, 6, 5, 9}, {1, 3, 6, 6, 9}, {1, 3, 8, 6, 9}}));
  CHECK(fired({{1, 0, 9, 5, 8}}));                   // a checkpoint that is nowhere
  CHECK(fired({{4, 3, 4, 5, 9}, {3, 3, 4, 5, 9}}));  // first goes back
  CHECK(fired({{1, 3, 4, 5, 9}, {1, 2, 4, 5, 9}}));  // the floor sinks
}

TEST_CASE("awaited is applied fires on an answer that comes before") {
  const auto fired = [](ClientOperation operation, std::uint64_t applied, bool restarts = false) {
    Bench bench;
    for (std::uint32_t node : {1u, 2u, 3u}) bench.Store(node, Bench::Unit({MakeEntry(1, 1)}));
    bench.checker.Began(operation);
    if (restarts) bench.checker.LifeBegan(NodeId(2));
    bench.Show(2, Role::kLeader, 1, 1, 1, 1, applied);
    bench.Answer(std::move(operation), {}, 1, 1);
    return bench.Fired("awaited is applied");
  };
  ClientOperation own = Bench().Operation(1, OperationKind::kWrite, 2);
  CHECK_FALSE(fired(own, 0));
  own.awaits_apply = true;
  CHECK(fired(own, 0));
  CHECK_FALSE(fired(own, 1));
  CHECK_FALSE(fired(own, 0, true));  // it has yet to apply it again
  ClientOperation other = own;
  other.node = NodeId(3);
  other.forwards = true;
  other.ticket = Ticket(1, 1, NodeId(2));
  CHECK(fired(other, 0));
  CHECK_FALSE(fired(other, 1));
}

// A log of nine entries on node 1, of which the one at 4 is held.
struct Holding : Bench {
  Holding() {
    std::vector<Entry> entries;
    for (std::uint64_t index = 1; index <= 9; ++index) entries.push_back(MakeEntry(index, 1));
    for (std::uint32_t node : {1u, 2u, 3u}) Store(node, Unit(entries));
    Begin(1);
    Show(1);
  }
  static bool IsKept(const Bench& bench) { return !bench.Fired("holds are kept"); }
  ClientOperation Begin(std::uint64_t id) {
    ClientOperation hold = Operation(id, OperationKind::kHold, 1);
    checker.Began(hold);
    return hold;
  }
  void Show(std::uint64_t first) {
    PartitionStatus status;
    status.partition = kPartition;
    status.term = Term(1);
    status.first = LogIndex(first);
    status.floor = status.applied = LogIndex(8);
    status.last = status.durable = status.committed = LogIndex(9);
    status.digest = 8;
    checker.Look(NodeId(1), status);
  }
  void Install() {
    WriteUnit unit = Unit();
    unit.boundary = BoundaryRecord();
    unit.boundary->index = LogIndex(8);
    unit.drop_log = true;
    Submit(1, unit);
  }
};

TEST_CASE("holds are kept fires on a log that begins after what is held") {
  Holding kept;
  kept.Answer(kept.Operation(1, OperationKind::kHold, 1), {}, 4);
  kept.Show(4);
  CHECK(Holding::IsKept(kept));
  kept.Show(5);
  CHECK_FALSE(Holding::IsKept(kept));
  Holding late;  // it was said to be there, and was not
  late.Show(5);
  late.Answer(late.Operation(1, OperationKind::kHold, 1), {}, 4);
  CHECK_FALSE(Holding::IsKept(late));
}

TEST_CASE("holds are kept fires on nothing where a hold has ended, or was none") {
  Holding refused;
  refused.Answer(refused.Operation(1, OperationKind::kHold, 1), RaftErrc::LogCompacted, 4);
  refused.Show(5);
  CHECK(Holding::IsKept(refused));
  Holding released;
  released.Answer(released.Operation(1, OperationKind::kHold, 1), {}, 4);
  ClientOperation let_go = released.Operation(2, OperationKind::kLetGo, 1);
  let_go.subject = 1;
  released.checker.Began(let_go);
  released.Show(5);
  CHECK(Holding::IsKept(released));
  Holding restarted;
  restarted.Answer(restarted.Operation(1, OperationKind::kHold, 1), {}, 4);
  restarted.checker.LifeBegan(NodeId(1));
  restarted.Show(5);
  CHECK(Holding::IsKept(restarted));
  for (const bool is_answered : {true, false}) {  // when the snapshot comes
    Holding replaced;
    const ClientOperation hold = replaced.Operation(1, OperationKind::kHold, 1);
    if (is_answered) replaced.Answer(hold, {}, 4);
    replaced.Install();
    if (!is_answered) replaced.Answer(hold, {}, 4);
    replaced.Show(9);
    CHECK(Holding::IsKept(replaced));
  }
}

TEST_CASE("state machine safety fires on a state of more than anybody has had") {
  Bench bench;
  for (std::uint64_t index = 1; index <= 2; ++index) bench.Deliver(1, index, 1, index);
  bench.checker.StateReplaced(NodeId(2), kPartition, 2);
  CHECK_FALSE(bench.Fired("state machine safety"));
  bench.checker.StateReplaced(NodeId(3), kPartition, 3);
  CHECK(bench.Fired("state machine safety"));
}

TEST_CASE("state machine safety fires on a state that does not go on where it ends") {
  Bench bench;
  for (std::uint64_t index = 1; index <= 3; ++index) bench.Deliver(1, index, 1, index);
  bench.checker.StateReplaced(NodeId(2), kPartition, 2);
  bench.Deliver(2, 3, 1, 3);
  CHECK_FALSE(bench.Fired("state machine safety"));
  bench.checker.StateReplaced(NodeId(3), kPartition, 1);
  bench.Deliver(3, 3, 1, 3);
  CHECK(bench.Fired("state machine safety"));
}

TEST_CASE("acknowledged is committed fires on a write of a session with two effects") {
  Bench bench;
  bench.Deliver(1, 1, 1, 9, 0, false, 0, kSessionType);
  CHECK_FALSE(bench.Fired("acknowledged is committed"));
  bench.Deliver(1, 2, 1, 9, 0, false, 0, kSessionType);
  CHECK(bench.Fired("acknowledged is committed"));
}
