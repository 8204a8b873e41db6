#include "raft/ledger.hpp"

#include "catch.hpp"

using namespace kommander;
using namespace kommander::raft;

TEST_CASE("the ledger's bytes restore it, and no other bytes do") {
  const Payload bytes = Ledger().Serialize();
  Ledger ledger;
  CHECK(ledger.Restore(bytes.bytes()));
  CHECK(ledger.Restore({}));  // a partition that has just been made
  CHECK_FALSE(ledger.Restore(AsBytes("\2")));
  CHECK_FALSE(ledger.Restore(AsBytes(std::string(bytes.text()) + "\1")));
  CHECK(ledger.Serialize() == bytes);
}

TEST_CASE("applications hear of their own entries only") {
  Ledger ledger;
  const auto verdict = [&](EntryKind kind) {
    return ledger.Step(Entry(Term(1), LogIndex(1), kind, Ticket(), Payload()));
  };
  CHECK(verdict(EntryKind::kApplication) == Verdict::kDeliver);
  CHECK(verdict(EntryKind::kNoop) == Verdict::kSilent);
  CHECK(verdict(EntryKind::kConfiguration) == Verdict::kSilent);
}
