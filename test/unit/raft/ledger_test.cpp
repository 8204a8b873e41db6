#include "raft/ledger.hpp"

#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace kommander;
using namespace kommander::raft;

namespace {

// A log that is judged as it grows.
class Judge {
 public:
  Judgement Step(EntryKind kind, Payload body, Ticket ticket = Ticket()) {
    return ledger.Step(Entry(Term(1), LogIndex(++index), kind, ticket, std::move(body)));
  }
  Judgement Prepare(std::uint64_t number, Payload body = Body("p")) {
    return Step(EntryKind::kPrepared, std::move(body), TicketOf(number));
  }
  Judgement Decide(std::uint64_t number, Decision decision) {
    return Step(EntryKind::kDecision, Encode(DecisionBody{TicketOf(number), decision}));
  }
  SessionId Open() {
    const Judgement judgement = Step(EntryKind::kSession, Encode(SessionBody()));
    REQUIRE_FALSE(judgement.error);
    return SessionId(judgement.index.value());
  }
  Judgement Write(SessionId session, std::uint64_t sequence, std::uint64_t lowest,
                  EntryKind kind = EntryKind::kSessionApplication) {
    std::byte header[kSessionHeaderBytes];
    EncodeSessionHeader(SessionHeader{session, sequence, lowest}, header);
    return Step(kind, Payload(ByteSpan(header)), TicketOf(1'000'000 + ++tickets_));
  }
  static Ticket TicketOf(std::uint64_t number) { return {number, 0, NodeId(1)}; }
  static Payload Body(std::string_view text) {
    // One payload: of a body nothing but their number matters here.
    return Payload(std::string("\1\0\0\0", 4) + std::string(text));
  }

  Ledger ledger;
  std::uint64_t index = 0;

 private:
  std::uint64_t tickets_ = 0;
};

void CheckSame(const Ledger& a, const Ledger& b) { CHECK(a.Serialize() == b.Serialize()); }

}  // namespace

TEST_CASE("the ledger's bytes restore it, and no other bytes do") {
  Judge judge;
  judge.Prepare(7);
  judge.Prepare(5, Judge::Body("another"));
  judge.Prepare(6);
  judge.Decide(6, Decision::kRollback);
  const SessionId session = judge.Open();
  judge.Open();
  judge.Write(session, 1, 1);
  judge.Write(session, 3, 1);
  const Payload bytes = judge.ledger.Serialize();

  Ledger restored;
  REQUIRE(restored.Restore(bytes.bytes()));
  CheckSame(restored, judge.ledger);
  CHECK(restored.open_tickets().size() == 2);
  CHECK(restored.OldestOpen() == LogIndex(1));
  CHECK(restored.open_bytes() == judge.ledger.open_bytes());
  CHECK(restored.greatest_stamp() == judge.ledger.greatest_stamp());

  // A part of them, or one byte more: refused, and nothing has changed.
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    CAPTURE(size);
    REQUIRE_FALSE(restored.Restore(bytes.bytes().first(size)));
  }
  CHECK_FALSE(restored.Restore(AsBytes(std::string(bytes.text()) + '\0')));
  CHECK_FALSE(restored.Restore(AsBytes("\2")));
  CheckSame(restored, judge.ledger);

  CHECK(restored.Restore({}));  // a partition that has just been made
  CheckSame(restored, Ledger());
}

TEST_CASE("no byte of a ledger can be changed into a ledger that it could not have written") {
  Judge judge;
  judge.Prepare(5);
  judge.Prepare(6);
  judge.Decide(6, Decision::kCommit);
  judge.Write(judge.Open(), 1, 1);
  const std::string bytes(judge.ledger.Serialize().text());
  for (std::size_t place = 0; place < bytes.size(); ++place) {
    for (const int change : {1, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[place] = static_cast<char>(damaged[place] ^ change);
      Ledger ledger;
      // What is accepted has one spelling.
      if (ledger.Restore(AsBytes(damaged))) REQUIRE(ledger.Serialize().text() == damaged);
    }
  }
}

TEST_CASE("applications hear of their own entries only") {
  Judge judge;
  CHECK(judge.Step(EntryKind::kApplication, Payload()).verdict == Verdict::kDeliver);
  CHECK(judge.Step(EntryKind::kNoop, Payload()).verdict == Verdict::kSilent);
  CHECK(judge.Step(EntryKind::kConfiguration, Payload()).verdict == Verdict::kSilent);
  CHECK(judge.Step(EntryKind::kSession, Encode(SessionBody())).verdict == Verdict::kSilent);
  CHECK(judge.Prepare(1).verdict == Verdict::kSilent);
}

TEST_CASE("a committed ticket is delivered at its commit, once, and a rolled-back one never") {
  Judge judge;
  judge.Prepare(1, Judge::Body("one"));
  judge.Prepare(2, Judge::Body("two"));

  const Judgement commit = judge.Decide(1, Decision::kCommit);
  CHECK(commit.verdict == Verdict::kDeliver);
  CHECK_FALSE(commit.error);
  REQUIRE(commit.prepared);
  CHECK(commit.prepared->index == LogIndex(1));
  CHECK(commit.prepared->body == Judge::Body("one"));
  CHECK(commit.index == LogIndex(3));
  CHECK(commit.ticket == Judge::TicketOf(1));
  CHECK(commit.count == 1);

  const Judgement rollback = judge.Decide(2, Decision::kRollback);
  CHECK(rollback.verdict == Verdict::kSilent);
  CHECK_FALSE(rollback.error);
  CHECK_FALSE(rollback.prepared);

  SECTION("the same decision again is success, and names the first place") {
    const Judgement again = judge.Decide(1, Decision::kCommit);
    CHECK(again.verdict == Verdict::kSilent);
    CHECK_FALSE(again.error);
    CHECK(again.index == LogIndex(3));
    CHECK(again.count == 1);
    CHECK(judge.Decide(2, Decision::kRollback).index == LogIndex(4));
  }
  SECTION("the opposite one is refused") {
    const Judgement opposite = judge.Decide(1, Decision::kRollback);
    CHECK(opposite.verdict == Verdict::kSilent);
    CHECK(opposite.error == RaftErrc::AlreadySettled);
    const Judgement late = judge.Decide(2, Decision::kCommit);
    CHECK(late.verdict == Verdict::kSilent);
    CHECK(late.error == RaftErrc::AlreadySettled);
    CHECK_FALSE(late.prepared);
  }
  SECTION("one on a ticket that never was is refused") {
    CHECK(judge.Decide(3, Decision::kCommit).error == RaftErrc::ProposalNotFound);
  }
}

TEST_CASE("the ledger remembers the last 4,096 settled tickets") {
  Judge judge;
  for (std::uint64_t i = 1; i <= kSettledTicketsMax + 1; ++i) {
    judge.Prepare(i);
    judge.Decide(i, Decision::kCommit);
  }
  CHECK(judge.Decide(1, Decision::kCommit).error == RaftErrc::ProposalNotFound);
  CHECK_FALSE(judge.Decide(2, Decision::kCommit).error);
  CHECK_FALSE(judge.Decide(kSettledTicketsMax + 1, Decision::kCommit).error);
}

TEST_CASE("so many tickets are open, and so many bytes of them, and no more") {
  Judge judge;
  SECTION("by count") {
    for (std::uint64_t i = 1; i <= kOpenTicketsMax; ++i) REQUIRE_FALSE(judge.Prepare(i).error);
    CHECK(judge.Prepare(9999).error == RaftErrc::TooManyOpenTickets);
    judge.Decide(3, Decision::kRollback);
    CHECK_FALSE(judge.Prepare(9999).error);
  }
  SECTION("by bytes") {
    const Payload large(std::string(8u << 20, 'x'));
    for (std::uint64_t i = 1; i <= 7; ++i) REQUIRE_FALSE(judge.Prepare(i, large).error);
    CHECK(judge.ledger.open_bytes() == 7 * (large.size() + kEntryOverheadBytes));
    CHECK(judge.Prepare(8, large).error == RaftErrc::TooManyOpenTickets);
    CHECK_FALSE(judge.Prepare(9).error);
    judge.Decide(1, Decision::kCommit);
    CHECK_FALSE(judge.Prepare(8, large).error);
  }
  SECTION("those on their way count") {
    CHECK(judge.ledger.HasRoomFor(100, kOpenTicketsMax - 1, 0));
    CHECK_FALSE(judge.ledger.HasRoomFor(100, kOpenTicketsMax, 0));
    CHECK_FALSE(judge.ledger.HasRoomFor(100, 1, kOpenTicketBytesMax));
  }
}

TEST_CASE("an open ticket keeps its own copy of a body that is part of something larger") {
  Judge judge;
  auto owner = std::make_shared<const std::string>(std::string(1u << 20, 'x'));
  judge.Prepare(1, Payload(owner, AsBytes(*owner).first(16)));
  CHECK(owner.use_count() == 1);
}

TEST_CASE("a write of a session has its effect once") {
  Judge judge;
  const SessionId session = judge.Open();
  const Judgement first = judge.Write(session, 1, 1);
  CHECK(first.verdict == Verdict::kDeliver);
  CHECK(first.index == LogIndex(2));

  const Judgement again = judge.Write(session, 1, 1);
  CHECK(again.verdict == Verdict::kSilent);
  CHECK_FALSE(again.error);
  CHECK(again.index == first.index);
  CHECK(again.ticket == first.ticket);

  SECTION("in another session it is another write") {
    CHECK(judge.Write(judge.Open(), 1, 1).verdict == Verdict::kDeliver);
  }
  SECTION("a retry that comes after later writes is one still") {
    CHECK(judge.Write(session, 2, 1).verdict == Verdict::kDeliver);
    CHECK(judge.Write(session, 3, 1).verdict == Verdict::kDeliver);
    CHECK(judge.Write(session, 1, 1).index == first.index);
    CHECK(judge.Write(session, 2, 1).index == LogIndex(4));
  }
  SECTION("once its client has the answer it is forgotten, and never executed late") {
    judge.Write(session, 2, 2);
    const Judgement late = judge.Write(session, 1, 1);
    CHECK(late.verdict == Verdict::kSilent);
    CHECK(late.error == RaftErrc::InvalidArgument);
  }
  SECTION("a prepared one is one ticket") {
    const Judgement prepared = judge.Write(session, 2, 1, EntryKind::kSessionPrepared);
    CHECK(prepared.verdict == Verdict::kSilent);
    CHECK(judge.Write(session, 2, 1, EntryKind::kSessionPrepared).ticket == prepared.ticket);
    CHECK(judge.ledger.open_tickets().size() == 1);
  }
  SECTION("what was refused may be tried again") {
    for (std::uint64_t i = 1; i <= kOpenTicketsMax; ++i) judge.Prepare(i);
    CHECK(judge.Write(session, 2, 1, EntryKind::kSessionPrepared).error ==
          RaftErrc::TooManyOpenTickets);
    judge.Decide(1, Decision::kRollback);
    CHECK_FALSE(judge.Write(session, 2, 1, EntryKind::kSessionPrepared).error);
  }
}

TEST_CASE("a session takes no more than its window") {
  Judge judge;
  const SessionId session = judge.Open();
  judge.Write(session, 1, 1);
  CHECK_FALSE(judge.Write(session, kSessionWindow, 1).error);
  CHECK(judge.Write(session, kSessionWindow + 1, 1).error == RaftErrc::ProposalQueueFull);
  CHECK_FALSE(judge.Write(session, kSessionWindow + 1, 2).error);
}

TEST_CASE("nothing of a closed session is executed") {
  Judge judge;
  const SessionId session = judge.Open();
  judge.Write(session, 1, 1);
  const auto close = [&](LogIndex used_to) {
    return judge.Step(EntryKind::kSession, Encode(SessionBody{session, used_to}));
  };
  SECTION("by its client") {
    CHECK_FALSE(close(SessionBody::kWhenever).error);
    const Judgement late = judge.Write(session, 2, 1);
    CHECK(late.verdict == Verdict::kSilent);
    CHECK(late.error == RaftErrc::SessionExpired);
    CHECK(judge.Write(session, 1, 1).error == RaftErrc::SessionExpired);
    CHECK(close(SessionBody::kWhenever).error == RaftErrc::SessionExpired);
  }
  SECTION("for its silence, unless it was used meanwhile") {
    const std::vector<Ledger::SessionUse> uses = judge.ledger.SessionUses();
    REQUIRE(uses.size() == 1);
    judge.Write(session, 2, 1);
    close(uses[0].used_to);
    CHECK_FALSE(judge.Write(session, 3, 1).error);
    close(judge.ledger.SessionUses()[0].used_to);
    CHECK(judge.Write(session, 4, 1).error == RaftErrc::SessionExpired);
  }
  SECTION("one that never was") {
    CHECK(judge.Write(SessionId(999), 1, 1).error == RaftErrc::SessionExpired);
  }
}

TEST_CASE("so many sessions are open, and no more") {
  Judge judge;
  const SessionId first = judge.Open();
  for (std::size_t i = 1; i < kSessionsMax; ++i) judge.Open();
  CHECK(judge.Step(EntryKind::kSession, Encode(SessionBody())).error == RaftErrc::TooManySessions);
  judge.Step(EntryKind::kSession, Encode(SessionBody{first, SessionBody::kWhenever}));
  judge.Open();
}

TEST_CASE("bodies that no node encodes have no effect") {
  Judge judge;
  const SessionId session = judge.Open();
  const auto is_refused = [&](EntryKind kind, std::string_view body) {
    const Judgement judgement = judge.Step(kind, Payload(body), Judge::TicketOf(1));
    return judgement.verdict == Verdict::kSilent && judgement.error == RaftErrc::InvalidArgument;
  };
  const std::string zeros(64, '\0');
  CHECK(is_refused(EntryKind::kDecision, ""));
  CHECK(is_refused(EntryKind::kDecision, zeros.substr(0, 17)));  // no such decision
  CHECK(is_refused(EntryKind::kSession, "x"));
  CHECK(is_refused(EntryKind::kCheckpoint, "1234567"));
  CHECK(is_refused(EntryKind::kSessionApplication, zeros));
  CHECK(is_refused(EntryKind::kSessionPrepared, "short"));
  CHECK(judge.Prepare(0).error == RaftErrc::InvalidArgument);  // no ticket
  judge.Prepare(1);
  CHECK(judge.Prepare(1).error == RaftErrc::InvalidArgument);  // the same again
  CHECK(judge.Write(session, 1, 2).error == RaftErrc::InvalidArgument);
  CHECK(judge.Write(session, 0, 0).error == RaftErrc::InvalidArgument);
  // Nobody holds what comes later.
  CHECK(is_refused(EntryKind::kCheckpoint, Encode(CheckpointBody{LogIndex(999)}).text()));
}

TEST_CASE("the greatest stamp is that of any entry") {
  Judge judge;
  judge.Step(EntryKind::kApplication, Payload(), Judge::TicketOf(9));
  judge.Step(EntryKind::kApplication, Payload(), Judge::TicketOf(4));
  CHECK(judge.ledger.greatest_stamp() == Judge::TicketOf(9));
}

namespace {

// A log of everything that a ledger judges, drawn at random.
class RandomLog {
 public:
  explicit RandomLog(std::uint64_t seed) : random_(seed) {}

  Entry Next() {
    ++index_;
    Entry entry(Term(1), LogIndex(index_), EntryKind::kApplication, Ticket(), Payload());
    request = SessionHeader();
    switch (Below(5)) {
      case 0:
        entry.kind = EntryKind::kPrepared;
        entry.ticket = Judge::TicketOf(index_);
        break;
      case 1: {
        entry.kind = EntryKind::kDecision;
        const auto decision = Below(2) == 0 ? Decision::kCommit : Decision::kRollback;
        const std::uint64_t number = index_ - Below(std::min<std::uint64_t>(index_, 20));
        entry.body = Encode(DecisionBody{Judge::TicketOf(number), decision});
        break;
      }
      case 2:
        entry.kind = EntryKind::kSession;
        entry.body = Encode(AnySessionChange());
        break;
      default: MakeWrite(entry);
    }
    return entry;
  }
  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }

  SessionHeader request;  // of the last entry, when it is a session's

 private:
  SessionBody AnySessionChange() {
    SessionBody body;
    if (!sessions_.empty() && Below(2) == 0) {
      body = {sessions_[Below(sessions_.size())], LogIndex(Below(index_ + 1))};
    } else {
      sessions_.emplace_back(index_);
    }
    return body;
  }
  void MakeWrite(Entry& entry) {
    if (sessions_.empty()) return;
    const std::uint64_t sequence = 1 + Below(20);
    request = SessionHeader{sessions_[Below(sessions_.size())], sequence, 1 + Below(sequence)};
    std::byte header[kSessionHeaderBytes];
    EncodeSessionHeader(request, header);
    entry.kind = EntryKind::kSessionApplication;
    entry.body = Payload(ByteSpan(header));
    entry.ticket = Judge::TicketOf(1'000'000 + index_);
  }

  std::mt19937_64 random_;
  std::uint64_t index_ = 0;
  std::vector<SessionId> sessions_;
};

// What must never come twice, nor both.
struct Outcomes {
  void Note(const Entry& entry, const SessionHeader& request, const Judgement& judgement) {
    if (judgement.prepared) {
      REQUIRE(delivered.insert(judgement.ticket).second);
      REQUIRE_FALSE(rolled_back.contains(judgement.ticket));
    } else if (entry.kind == EntryKind::kDecision && !judgement.error &&
               judgement.index == entry.index) {
      REQUIRE(rolled_back.insert(judgement.ticket).second);
      REQUIRE_FALSE(delivered.contains(judgement.ticket));
    } else if (request.session && judgement.verdict == Verdict::kDeliver) {
      REQUIRE(executed.insert({request.session, request.sequence}).second);
    }
  }
  std::set<Ticket> delivered;
  std::set<Ticket> rolled_back;
  std::set<std::pair<SessionId, std::uint64_t>> executed;
};

}  // namespace

// And a ticket or a request has its effect once, whatever the order.
TEST_CASE("a ledger that is restored at any moment judges like one that is not") {
  std::size_t settled = 0;
  std::size_t executed = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    RandomLog log(seed);
    Outcomes effects;
    Ledger lasting;
    Ledger restored;
    for (int step = 0; step < 200; ++step) {
      const Entry entry = log.Next();
      const Judgement one = lasting.Step(entry);
      const Judgement two = restored.Step(entry);
      REQUIRE(one.verdict == two.verdict);
      REQUIRE(one.error == two.error);
      REQUIRE(one.index == two.index);
      REQUIRE(one.ticket == two.ticket);
      REQUIRE(static_cast<bool>(one.prepared) == static_cast<bool>(two.prepared));
      effects.Note(entry, log.request, one);
      if (log.Below(10) != 0) continue;
      const Payload bytes = lasting.Serialize();
      restored = Ledger();
      REQUIRE(restored.Restore(bytes.bytes()));
    }
    CheckSame(lasting, restored);
    settled += effects.delivered.size() + effects.rolled_back.size();
    executed += effects.executed.size();
  }
  CHECK(settled > 1000);
  CHECK(executed > 1000);
}
