// Proposals that wait for a decision, and sessions, through cores: who is answered what and when.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "unit/raft/test_cluster.hpp"

using namespace kommander;
using namespace kommander::raft;
using namespace kommander::raft::test;
using namespace std::chrono_literals;

namespace {

Ticket TicketOf(std::uint64_t number) { return {number, 0, NodeId(1)}; }

Propose Prepared(std::uint64_t ticket, std::string_view body = "prepared") {
  Propose propose;
  propose.kind = EntryKind::kPrepared;
  propose.ticket = TicketOf(ticket);
  propose.body = Payload(body);
  return propose;
}

Propose Decided(std::uint64_t ticket, Decision decision) {
  Propose propose;
  propose.kind = EntryKind::kDecision;
  propose.body = Encode(DecisionBody{TicketOf(ticket), decision});
  return propose;
}

Propose Opened() {
  Propose propose;
  propose.kind = EntryKind::kSession;
  propose.body = Encode(SessionBody());
  return propose;
}

Propose OfSession(SessionId session, std::uint64_t sequence, std::uint64_t ticket) {
  Propose propose;
  propose.kind = EntryKind::kSessionApplication;
  propose.ticket = TicketOf(ticket);
  std::byte header[kSessionHeaderBytes];
  EncodeSessionHeader(SessionHeader{session, sequence, 1}, header);
  propose.body = Payload(ByteSpan(header));
  return propose;
}

class Three {
 public:
  explicit Three(CoreOptions core = CoreOptions())
      : cluster({1, core, true}, Configuration({NodeId(1), NodeId(2), NodeId(3)})) {
    leader = cluster.WaitForLeader().value();
    REQUIRE(leader != 0);
  }
  // Answered by the time everything has settled.
  Completion Ask(Input input) {
    const std::uint64_t request = cluster.Request(leader, std::move(input));
    cluster.Settle();
    REQUIRE(cluster.node(leader).completions.contains(request));
    return cluster.node(leader).completions.at(request);
  }
  // Another node leads than before; the old one comes back afterwards.
  void ChangeLeader() {
    const std::uint32_t old = leader;
    cluster.Isolate(old);
    cluster.Advance(10s);
    leader = 0;
    for (const auto& [id, node] : cluster.nodes()) {
      if (id.value() != old && node->core->Status().role == RoleKind::kLeader) leader = id.value();
    }
    REQUIRE(leader != 0);
    cluster.Heal();
    cluster.Advance(5s);
  }
  // How often the application of the node got that body.
  std::size_t Count(std::uint32_t id, std::string_view body) {
    std::size_t count = 0;
    for (const Entry& entry : cluster.node(id).delivered) count += entry.body.text() == body;
    return count;
  }
  void CheckDelivered(std::string_view body, std::size_t times) {
    for (std::uint32_t id = 1; id <= 3; ++id) {
      CAPTURE(id);
      CHECK(Count(id, body) == times);
    }
  }

  TestCluster cluster;
  std::uint32_t leader = 0;
};

}  // namespace

TEST_CASE("a prepared proposal is delivered everywhere when it is committed, not before") {
  Three three;
  const Completion prepared = three.Ask(Prepared(7));
  REQUIRE_FALSE(prepared.error);
  CHECK(prepared.ticket == TicketOf(7));
  three.cluster.Advance(1s);
  three.CheckDelivered("prepared", 0);
  // It stands in nobody's way.
  three.cluster.Propose(three.leader, "later");
  three.cluster.Advance(1s);
  three.CheckDelivered("later", 1);

  const Completion committed = three.Ask(Decided(7, Decision::kCommit));
  CHECK_FALSE(committed.error);
  CHECK(committed.ticket == TicketOf(7));
  CHECK(committed.index > prepared.index);
  three.cluster.Advance(1s);
  three.CheckDelivered("prepared", 1);
  CHECK(three.Ask(Decided(7, Decision::kCommit)).index == committed.index);
  CHECK(three.Ask(Decided(7, Decision::kRollback)).error == RaftErrc::AlreadySettled);
  three.cluster.Advance(1s);
  three.CheckDelivered("prepared", 1);
}

TEST_CASE("a rolled-back proposal is delivered nowhere") {
  Three three;
  three.Ask(Prepared(7));
  CHECK_FALSE(three.Ask(Decided(7, Decision::kRollback)).error);
  CHECK(three.Ask(Decided(7, Decision::kCommit)).error == RaftErrc::AlreadySettled);
  CHECK(three.Ask(Decided(8, Decision::kCommit)).error == RaftErrc::ProposalNotFound);
  three.cluster.Advance(1s);
  three.CheckDelivered("prepared", 0);
}

TEST_CASE("tickets and decisions outlive their leader") {
  Three three;
  three.Ask(Prepared(1, "one"));
  three.Ask(Prepared(2, "two"));
  three.Ask(Decided(1, Decision::kCommit));
  three.ChangeLeader();
  CHECK(three.cluster.core(three.leader).ledger().open_tickets().size() == 1);
  CHECK_FALSE(three.Ask(Decided(2, Decision::kCommit)).error);
  CHECK(three.Ask(Decided(1, Decision::kRollback)).error == RaftErrc::AlreadySettled);
  three.cluster.Advance(1s);
  three.CheckDelivered("one", 1);
  three.CheckDelivered("two", 1);
}

TEST_CASE(
    "a restart, with or without the log before it, knows what was open and what was settled") {
  const bool compacts = GENERATE(false, true);
  CAPTURE(compacts);
  Three three;
  three.Ask(Prepared(1, "one"));
  three.Ask(Prepared(2, "two"));
  three.Ask(Decided(2, Decision::kRollback));
  const Completion session = three.Ask(Opened());
  const SessionId id(session.index.value());
  const Completion write = three.Ask(OfSession(id, 1, 50));
  three.cluster.Advance(1s);
  for (std::uint32_t node = 1; node <= 3; ++node) {
    if (compacts) three.cluster.CompactTo(NodeId(node), three.cluster.status(node).applied);
    three.cluster.SyncAll(NodeId(node));
  }
  for (std::uint32_t node = 1; node <= 3; ++node) three.cluster.Crash(NodeId(node), 100);
  for (std::uint32_t node = 1; node <= 3; ++node) three.cluster.Start(NodeId(node));
  three.leader = three.cluster.WaitForLeader().value();
  REQUIRE(three.leader != 0);

  CHECK(three.Ask(Decided(2, Decision::kCommit)).error == RaftErrc::AlreadySettled);
  const Completion again = three.Ask(OfSession(id, 1, 60));
  CHECK(again.index == write.index);
  CHECK(again.ticket == TicketOf(50));
  CHECK_FALSE(three.Ask(Decided(1, Decision::kCommit)).error);
  three.cluster.Advance(1s);
  three.CheckDelivered("one", 1);
  three.CheckDelivered("two", 0);
}

TEST_CASE("a snapshot brings open tickets with their payloads") {
  Three three;
  const std::uint32_t absent = three.leader % 3 + 1;
  three.cluster.Crash(NodeId(absent));
  three.cluster.Advance(1s);
  three.Ask(Prepared(1, "one"));
  three.cluster.CompactTo(NodeId(three.leader), three.cluster.status(three.leader).applied);
  three.cluster.SyncAll(NodeId(three.leader));
  three.cluster.Start(NodeId(absent));
  three.cluster.Advance(10s);
  REQUIRE(three.cluster.status(absent).first > LogIndex(1));
  three.leader = three.cluster.Leader().value();
  CHECK_FALSE(three.Ask(Decided(1, Decision::kCommit)).error);
  three.cluster.Advance(1s);
  three.CheckDelivered("one", 1);
}

TEST_CASE("a decision is answered once it was judged, however slow the application is") {
  CoreOptions options;
  options.apply_bytes_max = 100;
  Three three(options);
  three.Ask(Prepared(1));
  TestNode& leader = three.cluster.node(three.leader);
  // Handed off, and not applied: what follows finds no place.
  const auto settle_without_applying = [&] {
    for (int i = 0; i < 20; ++i) {
      for (auto& [id, node] : three.cluster.nodes()) three.cluster.SyncAll(id);
      while (!three.cluster.wire.empty()) three.cluster.Deliver(0);
    }
  };
  three.cluster.Propose(three.leader, std::string(200, 'x'));
  const std::uint64_t request = three.cluster.Request(three.leader, Decided(1, Decision::kCommit));
  settle_without_applying();
  CHECK(three.cluster.status(three.leader).committed == three.cluster.status(three.leader).last);
  CHECK_FALSE(leader.completions.contains(request));
  three.cluster.Settle();
  REQUIRE(leader.completions.contains(request));
  CHECK_FALSE(leader.completions.at(request).error);
}

TEST_CASE("a decision that another leader's entry replaced is dropped") {
  Three three;
  three.Ask(Prepared(1));
  const std::uint32_t old = three.leader;
  three.cluster.Isolate(old);
  const std::uint64_t request = three.cluster.Request(old, Decided(1, Decision::kCommit));
  three.cluster.Advance(10s);
  three.cluster.Heal();
  three.cluster.Advance(5s);
  three.leader = three.cluster.WaitForLeader().value();
  three.cluster.Advance(1s);
  REQUIRE(three.cluster.node(old).completions.contains(request));
  CHECK(three.cluster.node(old).completions.at(request).error == RaftErrc::ProposalDropped);
  CHECK(three.cluster.core(old).ledger().IsOpen(TicketOf(1)));
}

TEST_CASE("the leader rolls back what it has seen undecided for too long") {
  CoreOptions options;
  options.ticket_timeout = 3s;
  Three three(options);
  three.Ask(Prepared(1, "one"));
  three.cluster.Advance(2s);
  three.Ask(Prepared(2, "two"));
  CHECK(three.cluster.core(three.leader).ledger().open_tickets().size() == 2);
  three.cluster.Advance(1500ms);
  CHECK_FALSE(three.cluster.core(three.leader).ledger().IsOpen(TicketOf(1)));
  CHECK(three.cluster.core(three.leader).ledger().IsOpen(TicketOf(2)));
  CHECK(three.Ask(Decided(1, Decision::kCommit)).error == RaftErrc::AlreadySettled);
  CHECK_FALSE(three.Ask(Decided(1, Decision::kRollback)).error);
  CHECK_FALSE(three.Ask(Decided(2, Decision::kCommit)).error);
  three.cluster.Advance(5s);
  three.CheckDelivered("one", 0);
  three.CheckDelivered("two", 1);
}

TEST_CASE("a new leader counts a ticket's time anew, and ends it") {
  CoreOptions options;
  options.ticket_timeout = 20s;
  Three three(options);
  three.Ask(Prepared(1));
  three.cluster.Advance(8s);
  three.ChangeLeader();  // takes 15 s
  CHECK(three.cluster.core(three.leader).ledger().IsOpen(TicketOf(1)));
  three.cluster.Advance(20s);
  CHECK_FALSE(three.cluster.core(three.leader).ledger().IsOpen(TicketOf(1)));
}

// Of a node alone, whose heartbeats are so rare that its next deadline is the first watch's.
TEST_CASE("decided tickets are not watched to their time without bound, open ones to the moment") {
  CoreOptions options;
  options.heartbeat_interval = 1h;
  options.ticket_timeout = 100s;
  TestCluster cluster({1, options, true}, Configuration({NodeId(1)}));
  REQUIRE(cluster.WaitForLeader() == NodeId(1));
  const Core& core = cluster.core(1);
  std::size_t expired = 0;
  cluster.observer = [&](const TestNode&, const CoreStatus&, const Effects& effects) {
    expired += effects.tickets_expired;
  };
  std::uint64_t last = 0;
  const auto open = [&] {
    cluster.Advance(1ms);
    const std::uint64_t request = cluster.Request(1, Prepared(++last));
    cluster.Settle();
    REQUIRE_FALSE(cluster.node(1).completions.at(request).error);
    REQUIRE(core.ledger().IsOpen(TicketOf(last)));
    return std::pair(TicketOf(last), cluster.now() + options.ticket_timeout);
  };
  const auto open_and_decide = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      open();
      cluster.Request(1, Decided(last, Decision::kRollback));
      cluster.Settle();
      REQUIRE_FALSE(core.ledger().IsOpen(TicketOf(last)));
    }
  };
  open_and_decide(10);
  const Instant front = core.NextDeadline();
  const auto early = open();
  // As many as may be watched at a time, and then one more.
  open_and_decide(2 * kOpenTicketsMax - 11);
  CHECK(core.NextDeadline() == front);
  const auto late = open();
  CHECK(core.NextDeadline() == early.second);
  open_and_decide(2 * kOpenTicketsMax);
  CHECK(core.NextDeadline() == early.second);
  CHECK(expired == 0);

  cluster.Advance(early.second - 1ns - cluster.now());
  CHECK(core.ledger().IsOpen(early.first));
  cluster.Advance(1ns);
  CHECK_FALSE(core.ledger().IsOpen(early.first));
  CHECK(expired == 1);
  // Those between the two were let go of.
  CHECK(core.NextDeadline() == late.second);
  cluster.Advance(late.second - 1ns - cluster.now());
  CHECK(core.ledger().IsOpen(late.first));
  cluster.Advance(1ns);
  CHECK_FALSE(core.ledger().IsOpen(late.first));
  CHECK(expired == 2);
}

TEST_CASE("the leader closes a session that is silent, and none that is used") {
  CoreOptions options;
  options.session_timeout = 4s;
  Three three(options);
  const SessionId used(three.Ask(Opened()).index.value());
  const SessionId silent(three.Ask(Opened()).index.value());
  for (std::uint64_t i = 1; i <= 4; ++i) {
    three.cluster.Advance(2s);
    CHECK_FALSE(three.Ask(OfSession(used, i, i)).error);
  }
  CHECK(three.Ask(OfSession(silent, 1, 99)).error == RaftErrc::SessionExpired);
  three.cluster.Advance(10s);
  CHECK(three.cluster.core(three.leader).ledger().session_count() == 0);
}

TEST_CASE("tickets on their way to the ledger count against the bound") {
  Three three;
  std::vector<Input> inputs;
  const std::uint64_t room = kOpenTicketsMax;
  std::uint64_t last = 0;
  for (std::uint64_t i = 1; i <= room + 1; ++i) {
    last = three.cluster.Request(three.leader, Prepared(i));
  }
  const auto& completions = three.cluster.node(three.leader).completions;
  REQUIRE(completions.contains(last));
  CHECK(completions.at(last).error == RaftErrc::TooManyOpenTickets);
  CHECK(completions.at(last).index == LogIndex());  // not appended
  three.cluster.Settle();
  CHECK(three.cluster.core(three.leader).ledger().open_tickets().size() == room);
  CHECK(three.Ask(Prepared(9999)).error == RaftErrc::TooManyOpenTickets);
  three.Ask(Decided(1, Decision::kRollback));
  CHECK_FALSE(three.Ask(Prepared(9999)).error);
}

TEST_CASE("a committed part and a prepared part are neighbours, and answered together") {
  Three three;
  Propose both = Prepared(2, "second");
  both.first = Payload("first");
  both.first_ticket = TicketOf(1);
  const Completion answer = three.Ask(both);
  REQUIRE_FALSE(answer.error);
  three.cluster.Advance(1s);
  three.CheckDelivered("first", 1);
  three.CheckDelivered("second", 0);
  const std::vector<Entry> entries =
      three.cluster.node(three.leader).disk.Read(answer.index.Previous(), answer.index, 1 << 20);
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].kind == EntryKind::kApplication);
  CHECK(entries[0].ticket == TicketOf(1));
  CHECK(entries[1].kind == EntryKind::kPrepared);
  CHECK(entries[1].ticket == TicketOf(2));

  SECTION("too large a part refuses both") {
    Propose large = Prepared(4);
    large.first = Payload(std::string(9u << 20, 'x'));
    const LogIndex last = three.cluster.status(three.leader).last;
    CHECK(three.Ask(large).error == RaftErrc::ProposalTooLarge);
    CHECK(three.cluster.status(three.leader).last == last);
  }
}

TEST_CASE("of two parts the committed one is told, when another leader came between them") {
  CoreOptions options;
  options.append_bytes_max = 1;  // one entry in a message
  Three three(options);
  TestCluster& cluster = three.cluster;
  const std::uint32_t old = three.leader;
  const LogIndex last = cluster.status(old).last;
  Propose both = Prepared(2, "second");
  both.first = Payload("first");
  both.first_ticket = TicketOf(1);
  const std::uint64_t request = cluster.Request(old, both);
  const auto is_first = [&](const Message& message) {
    const auto* append = std::get_if<AppendRequest>(&message.body);
    return append != nullptr && append->entries.size() == 1 &&
           append->entries.front().index == last.Next();
  };
  const auto found = std::find_if(cluster.wire.begin(), cluster.wire.end(), is_first);
  REQUIRE(found != cluster.wire.end());
  cluster.Deliver(static_cast<std::size_t>(found - cluster.wire.begin()));
  cluster.DropAll();
  cluster.Isolate(old);
  cluster.Advance(10s);
  cluster.Heal();
  cluster.Advance(5s);
  REQUIRE(cluster.node(old).completions.contains(request));
  const Completion& answer = cluster.node(old).completions.at(request);
  CHECK(answer.error == RaftErrc::PartlyCommitted);
  CHECK(answer.index == last.Next().Next());
  three.CheckDelivered("first", 1);
  three.CheckDelivered("second", 0);
}

TEST_CASE("the library's own kinds are nobody's to propose") {
  Three three;
  for (const EntryKind kind : {EntryKind::kNoop, EntryKind::kConfiguration}) {
    Propose propose;
    propose.kind = kind;
    CHECK(three.Ask(propose).error == RaftErrc::InvalidArgument);
  }
}

TEST_CASE("the greatest stamp is known from a log that no one has handed off yet") {
  Three three;
  Propose propose;
  propose.ticket = TicketOf(12345);
  propose.body = Payload("x");
  three.Ask(propose);
  for (std::uint32_t id = 1; id <= 3; ++id) {
    CHECK(three.cluster.status(id).stamp == TicketOf(12345));
    three.cluster.SyncAll(NodeId(id));
    three.cluster.Crash(NodeId(id), 100);
    three.cluster.Start(NodeId(id));
    CHECK(three.cluster.status(id).stamp == TicketOf(12345));
  }
}

TEST_CASE("a mark is the ledger at its place, on demand and now and then") {
  Three three;
  TestNode& node = three.cluster.node(three.leader);
  three.Ask(Prepared(1));
  const LogIndex at = three.cluster.status(three.leader).handed_off;
  three.Ask(Decided(1, Decision::kCommit));
  Ledger ledger;
  REQUIRE(node.marks.contains(at));
  REQUIRE(ledger.Restore(node.marks.at(at).bytes()));
  CHECK(ledger.IsOpen(TicketOf(1)));

  node.marks.clear();
  three.cluster.Step(three.leader, MarkLedger{});
  REQUIRE(node.marks.size() == 1);
  CHECK(node.marks.begin()->first == three.cluster.status(three.leader).handed_off);
  REQUIRE(ledger.Restore(node.marks.begin()->second.bytes()));
  CHECK_FALSE(ledger.IsOpen(TicketOf(1)));
}
