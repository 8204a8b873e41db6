// Proposals that wait for a decision, batches of both kinds, sessions, fences and routing, as the
// callers of whole nodes see them.
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include "catch.hpp"
#include "support/pinned_cluster.hpp"
#include "support/test_cluster.hpp"

namespace kommander::test {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

// Calls at the leader of partition 1, which stays.
struct Calls : PinnedCluster {
  template <class Result, class Start>
  Answer<Result> Ask(Start start) {
    Answer<Result> answer(cluster.node(kLeader).Probe());
    start(leader(), answer.Token());
    answer.Wait();
    CHECK_FALSE(answer.IsMisplaced());
    return answer;
  }
  Answer<ReplicateResult> Write(std::string text, ReplicateOptions options = {}) {
    return Ask<ReplicateResult>([&](RaftManager& raft, auto token) {
      raft.ReplicateLogs(1, "Text", text, options, std::move(token));
    });
  }
  Answer<ReplicateResult> Prepare(std::string text, ReplicateOptions options = {}) {
    return Write(std::move(text), options.Manual());
  }
  Answer<ReplicateResult> Commit(Ticket ticket, ReplicateOptions options = {}) {
    return Ask<ReplicateResult>([&](RaftManager& raft, auto token) {
      raft.CommitLogs(1, ticket, options, std::move(token));
    });
  }
  Answer<ReplicateResult> Rollback(Ticket ticket) {
    return Ask<ReplicateResult>(
        [&](RaftManager& raft, auto token) { raft.RollbackLogs(1, ticket, std::move(token)); });
  }
  Answer<ReplicateEntriesResult> Entries(const EntryBatch& batch, ReplicateOptions options = {}) {
    return Ask<ReplicateEntriesResult>([&](RaftManager& raft, auto token) {
      raft.ReplicateEntries(1, batch, options, std::move(token));
    });
  }
  std::vector<OpenTicket> Open() {
    return Ask<std::vector<OpenTicket>>(
               [&](RaftManager& raft, auto token) { raft.ListOpenTickets(1, std::move(token)); })
        .Get();
  }
  ClientSession OpenSession() {
    return Ask<ClientSession>(
               [&](RaftManager& raft, auto token) { raft.OpenSession(1, std::move(token)); })
        .Get();
  }
  // A last write, which every node then has delivered.
  void Settle() {
    Write("last").Get();
    for (std::uint32_t id = 1; id <= 3; ++id) cluster.journal(id).WaitForText(1, "last");
  }
  // The deliveries of that text on a node.
  std::vector<Event> Of(std::uint32_t id, const std::string& text) {
    std::vector<Event> found;
    for (const Event& event : cluster.journal(id).Events()) {
      if (IsDelivery(event, 1) && event.text == text) found.push_back(event);
    }
    return found;
  }
  void CheckDelivered(const std::string& text, std::size_t times) {
    for (std::uint32_t id = 1; id <= 3; ++id) {
      CAPTURE(id, text);
      CHECK(Of(id, text).size() == times);
    }
  }
};

TEST_CASE("a manual proposal is delivered at its commit, whole, on every node") {
  Calls calls;
  const Batch batch = Batch().Add("First", "one").Add("Second", "two");
  const ReplicateResult prepared =
      calls
          .Ask<ReplicateResult>([&](RaftManager& raft, auto token) {
            raft.ReplicateLogs(1, batch, ReplicateOptions().Manual(), std::move(token));
          })
          .Get();
  CHECK(prepared.count == 2);
  const std::vector<OpenTicket> open = calls.Open();
  REQUIRE(open.size() == 1);
  CHECK(open[0].ticket == prepared.ticket);
  CHECK(open[0].index == prepared.index);
  CHECK(open[0].count == 2);
  CHECK(open[0].bytes > 40);

  const ReplicateResult between = calls.Write("between").Get();
  const ReplicateResult committed = calls.Commit(prepared.ticket).Get();
  CHECK(committed.ticket == prepared.ticket);
  CHECK(committed.index > between.index);
  CHECK(committed.count == 2);
  CHECK(calls.Open().empty());
  calls.Settle();
  for (std::uint32_t id = 1; id <= 3; ++id) {
    CAPTURE(id);
    CHECK(calls.cluster.journal(id).Delivered(1) ==
          std::vector<std::string>{"between", "one", "two", "last"});
    const Event second = calls.Of(id, "two").at(0);
    CHECK(second.index == committed.index);
    CHECK(second.ordinal == 1);
    CHECK(second.proposed_index == prepared.index);
    CHECK(second.ticket == prepared.ticket);
    CHECK(second.type == "Second");
    CHECK(calls.Of(id, "between").at(0).proposed_index == between.index);
  }
  // Said again it is the same; said otherwise it is an error.
  CHECK(calls.Commit(prepared.ticket).Get().index == committed.index);
  CHECK(calls.Rollback(prepared.ticket).Wait() == RaftErrc::AlreadySettled);
  calls.Finish();
}

TEST_CASE("a rolled-back proposal is delivered nowhere, also after a restart") {
  Calls calls;
  const Ticket ticket = calls.Prepare("never").Get().ticket;
  const ReplicateResult rolled_back = calls.Rollback(ticket).Get();
  CHECK(calls.Rollback(ticket).Get().index == rolled_back.index);
  CHECK(calls.Commit(ticket).Wait() == RaftErrc::AlreadySettled);
  CHECK(calls.Commit(Ticket(1, 2, NodeId(3))).Wait() == RaftErrc::ProposalNotFound);
  calls.Settle();
  calls.CheckDelivered("never", 0);
  calls.Finish();
}

TEST_CASE("with AwaitApply a commit answers after its payloads were delivered here") {
  Calls calls;
  const Ticket ticket = calls.Prepare("awaited").Get().ticket;
  calls.Commit(ticket, ReplicateOptions().AwaitApply()).Get();
  CHECK(calls.Of(PinnedCluster::kLeader, "awaited").size() == 1);
  calls.Finish();
}

TEST_CASE("a decision is asked of the leader") {
  Calls calls;
  const Ticket ticket = calls.Prepare("x").Get().ticket;
  Answer<ReplicateResult> elsewhere;
  calls.cluster.raft(1).CommitLogs(1, ticket, elsewhere.Token());
  CHECK(elsewhere.Wait() == RaftErrc::NodeIsNotLeader);
  CHECK(elsewhere.result().leader == NodeId(PinnedCluster::kLeader));
  Answer<ReplicateResult> absent;
  calls.leader().CommitLogs(9, ticket, absent.Token());
  CHECK(absent.Wait() == RaftErrc::PartitionNotFound);
  calls.Finish();
}

TEST_CASE("an undecided ticket is rolled back after its time") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1, [](RaftConfiguration& configuration) {
    configuration.TicketTimeout(milliseconds(100));
  });
  cluster.CreateAll();
  cluster.JoinAll();
  cluster.WaitForLeader(1);
  Answer<ReplicateResult> prepared;
  cluster.raft(1).ReplicateLogs(1, "Text", "never", ReplicateOptions().Manual(), prepared.Token());
  const Ticket ticket = prepared.Get().ticket;
  CHECK(Eventually([&] {
    Answer<std::vector<OpenTicket>> open;
    cluster.raft(1).ListOpenTickets(1, open.Token());
    return open.Get().empty();
  }));
  Answer<ReplicateResult> late;
  cluster.raft(1).CommitLogs(1, ticket, late.Token());
  CHECK(late.Wait() == RaftErrc::AlreadySettled);
  cluster.StopAll();
  world.Finish();
}

TEST_CASE("a batch of both kinds says where each payload went") {
  Calls calls;
  const ReplicateEntriesResult result = calls
                                            .Entries(EntryBatch()
                                                         .Add("A", "committed 0")
                                                         .Add("B", "committed 1")
                                                         .AddManual("C", "manual 0")
                                                         .AddManual("D", "manual 1"))
                                            .Get();
  CHECK(result.committed.count == 2);
  CHECK(result.prepared.count == 2);
  CHECK(result.prepared.index == result.committed.index.Next());
  CHECK(result.prepared.ticket > result.committed.ticket);
  CHECK(result.PositionOf(1) == EntryPosition(result.committed.index, 1));
  CHECK(result.PositionOf(2) == EntryPosition(result.prepared.index, 0));
  CHECK(result.PositionOf(3) == EntryPosition(result.prepared.index, 1));
  calls.Settle();
  calls.CheckDelivered("committed 1", 1);
  calls.CheckDelivered("manual 0", 0);
  calls.Commit(result.prepared.ticket, ReplicateOptions().AwaitApply()).Get();
  CHECK(calls.Of(PinnedCluster::kLeader, "manual 1").size() == 1);

  SECTION("one kind alone") {
    const auto plain = calls.Entries(EntryBatch().Add("A", "x").Add("A", "y")).Get();
    CHECK(plain.committed.count == 2);
    CHECK(plain.prepared.index == LogIndex());
    CHECK(plain.PositionOf(1) == EntryPosition(plain.committed.index, 1));
    const auto manual = calls.Entries(EntryBatch().AddManual("A", "x")).Get();
    CHECK(manual.committed.index == LogIndex());
    CHECK(manual.committed.count == 0);
    CHECK(manual.prepared.count == 1);
    CHECK(manual.PositionOf(0) == EntryPosition(manual.prepared.index, 0));
  }
  SECTION("what cannot be kept in its order is refused whole") {
    const LogIndex last = calls.leader().Status(1).last;
    CHECK(calls.Entries(EntryBatch().AddManual("A", "x").Add("B", "y")).Wait() ==
          RaftErrc::InvalidArgument);
    CHECK(calls.Entries(EntryBatch()).Wait() == RaftErrc::InvalidArgument);
    CHECK(calls.Entries(EntryBatch().Add("_RaftSystem", "x")).Wait() == RaftErrc::InvalidArgument);
    CHECK(calls.Entries(EntryBatch().Add("A", "x").AddManual("_RaftSystem", "x")).Wait() ==
          RaftErrc::InvalidArgument);
    CHECK(calls.leader().Status(1).last == last);
  }
  calls.Finish();
}

TEST_CASE("a write of a session has its effect once, whoever leads and however often it is sent") {
  Calls calls;
  ClientSession session = calls.OpenSession();
  REQUIRE(session.id());
  CHECK(session.partition() == PartitionId(1));
  const SessionRequest request = session.Begin();
  const ReplicateResult first = calls.Write("once", ReplicateOptions().Session(request)).Get();
  const ReplicateResult again = calls.Write("once", ReplicateOptions().Session(request)).Get();
  CHECK(again.index == first.index);
  CHECK(again.ticket == first.ticket);
  CHECK(again.term == first.term);
  CHECK(again.count == 1);

  calls.cluster.MakeLeader(1, 3);
  Answer<ReplicateResult> elsewhere;
  calls.cluster.raft(3).ReplicateLogs(1, "Text", "once", ReplicateOptions().Session(request),
                                      elsewhere.Token());
  CHECK(elsewhere.Get().index == first.index);
  calls.cluster.MakeLeader(1, PinnedCluster::kLeader);

  // A prepared one is one ticket.
  const SessionRequest manual = session.Begin();
  const Ticket ticket = calls.Prepare("manual", ReplicateOptions().Session(manual)).Get().ticket;
  CHECK(calls.Prepare("manual", ReplicateOptions().Session(manual)).Get().ticket == ticket);
  calls.Commit(ticket).Get();

  Answer<> closed;
  calls.leader().CloseSession(1, session.id(), closed.Token());
  closed.Get();
  CHECK(calls.Write("late", ReplicateOptions().Session(session.Begin())).Wait() ==
        RaftErrc::SessionExpired);
  Answer<> twice;
  calls.leader().CloseSession(1, session.id(), twice.Token());
  CHECK(twice.Wait() == RaftErrc::SessionExpired);
  calls.Settle();
  calls.CheckDelivered("once", 1);
  calls.CheckDelivered("manual", 1);
  calls.CheckDelivered("late", 0);
  calls.Finish();
}

TEST_CASE("a session and both kinds of payloads do not go together") {
  Calls calls;
  ClientSession session = calls.OpenSession();
  const auto options = ReplicateOptions().Session(session.Begin());
  CHECK(calls.Entries(EntryBatch().Add("A", "x").AddManual("B", "y"), options).Wait() ==
        RaftErrc::InvalidArgument);
  CHECK(calls.Entries(EntryBatch().Add("A", "x"), options).Get().committed.count == 1);
  calls.Finish();
}

TEST_CASE("a client's session knows what may begin") {
  ClientSession session(1, SessionId(5));
  std::vector<SessionRequest> requests;
  while (session.MayBegin()) requests.push_back(session.Begin());
  CHECK(requests.size() == kSessionWindow);
  CHECK(requests.back().lowest_unanswered() == 1);
  session.End(requests[1]);
  CHECK_FALSE(session.MayBegin());  // the first one is unanswered still
  session.End(requests[0]);
  REQUIRE(session.MayBegin());
  const SessionRequest next = session.Begin();
  CHECK(next.sequence() == kSessionWindow + 1);
  CHECK(next.lowest_unanswered() == 3);
}

TEST_CASE("a fenced write is refused when the partition's generation is another") {
  Calls calls;
  CHECK(calls.leader().GetPartitionMap().GenerationOf(1) == Generation(1));
  const LogIndex last = calls.leader().Status(1).last;
  CHECK(calls.Write("x", ReplicateOptions().ExpectedGeneration(Generation(2))).Wait() ==
        RaftErrc::PartitionMoved);
  CHECK_FALSE(IsRetryable(error_code(RaftErrc::PartitionMoved)));
  CHECK(calls.leader().Status(1).last == last);
  calls.Write("y", ReplicateOptions().ExpectedGeneration(Generation(1))).Get();
  calls.Finish();
}

TEST_CASE("keys are routed by what the map says, the same on every node") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1,
                      [](RaftConfiguration& configuration) { configuration.InitialPartitions(7); });
  cluster.CreateAll();
  CHECK_FALSE(cluster.raft(1).GetPartitionKey("x"));  // not known yet
  cluster.JoinAll();
  const PartitionMap map = cluster.raft(1).GetPartitionMap();
  REQUIRE(map.records().size() == 7);
  for (int i = 0; i < 1000; ++i) {
    const std::string folder = "users/" + std::to_string(i);
    const auto partition = cluster.raft(1).GetPartitionKey(folder + "/name");
    REQUIRE(partition);
    CHECK(partition == cluster.raft(1).GetPartitionKey(folder + "/address"));
    CHECK(partition == cluster.raft(1).GetPrefixPartitionKey(folder));
    CHECK(partition == map.PartitionOf(PartitionHash(folder)));
  }
  cluster.StopAll();
  world.Finish();
}

TEST_CASE("an operation reads well in a coroutine") {
  Calls calls;
  auto work = asio::co_spawn(
      calls.world.executor(),
      [](RaftManager& raft) -> asio::awaitable<std::string> {
        const ReplicateResult prepared =
            co_await raft.ReplicateLogs(1, "Text", "x", ReplicateOptions().Manual());
        const ReplicateResult committed = co_await raft.CommitLogs(1, prepared.ticket);
        ClientSession session = co_await raft.OpenSession(1);
        const SessionRequest request = session.Begin();
        (void)co_await raft.ReplicateLogs(1, "Text", "y", ReplicateOptions().Session(request));
        co_await raft.CloseSession(1, session.id());
        const auto open = co_await raft.ListOpenTickets(1);
        co_return std::to_string(open.size()) + (committed.index > prepared.index ? " later" : "");
      }(calls.leader()),
      asio::use_future);
  CHECK(work.get() == "0 later");
  calls.Finish();
}

}  // namespace
}  // namespace kommander::test
