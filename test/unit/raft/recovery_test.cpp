// A store that gives back what no partition can have written is found out before a core is built.
#include "raft/recovery.hpp"

#include <functional>
#include <string>

#include "catch.hpp"
#include "raft/core.hpp"
#include "raft/membership.hpp"

using namespace kommander;
using namespace kommander::raft;

namespace {

const Configuration kMembers({NodeId(1)});

Entry ConfigurationEntry(std::uint64_t term, std::uint64_t index) {
  return {Term(term), LogIndex(index), EntryKind::kConfiguration, Ticket(),
          EncodeConfiguration(kMembers)};
}

// Boundary 10 of term 2, entries 11..20 of terms 2, 3 and 5, configurations at 12 and 15.
RecoveredPartition Sound() {
  RecoveredPartition recovered;
  recovered.boundary.index = LogIndex(10);
  recovered.boundary.term = Term(2);
  recovered.boundary.configuration = kMembers;
  recovered.hard_state = {Term(5), NodeId(1)};
  recovered.last_index = LogIndex(20);
  recovered.terms = {{LogIndex(11), Term(2)}, {LogIndex(13), Term(3)}, {LogIndex(20), Term(5)}};
  recovered.commit_hint = LogIndex(20);
  recovered.configuration_entries = {ConfigurationEntry(2, 12), ConfigurationEntry(3, 15)};
  return recovered;
}

std::string DamageAfter(const std::function<void(RecoveredPartition&)>& spoil) {
  RecoveredPartition recovered = Sound();
  spoil(recovered);
  return FindDamage(recovered).value_or("none");
}

}  // namespace

TEST_CASE("what a partition can have written is no damage, and a core takes it") {
  CHECK_FALSE(FindDamage(RecoveredPartition()));
  RecoveredPartition recovered = Sound();
  REQUIRE_FALSE(FindDamage(recovered));
  CoreOptions options;
  options.self = NodeId(1);
  const Core core(options, std::move(recovered), LogIndex(), Instant());
  CHECK(core.Status().last == LogIndex(20));
}

TEST_CASE("members and ledger that do not decode are damage") {
  using Recovered = RecoveredPartition;
  CHECK(DamageAfter([](Recovered& r) { r.configuration_entries[1].body = Payload("who?"); }) ==
        "a configuration that does not decode at index 15");
  CHECK(DamageAfter([](Recovered& r) { r.boundary.ledger = Payload("what?"); }) ==
        "a ledger that does not decode at index 10");
}

TEST_CASE("members out of place are damage") {
  using Recovered = RecoveredPartition;
  const auto moved = [](std::size_t which, std::uint64_t index) {
    return DamageAfter(
        [&](Recovered& r) { r.configuration_entries[which].index = LogIndex(index); });
  };
  CHECK(moved(0, 10) == "a configuration out of place at index 10");
  CHECK(moved(1, 12) == "a configuration out of place at index 12");
  CHECK(moved(1, 21) == "a configuration out of place at index 21");
}

TEST_CASE("a log with a hole, or shorter than it must be, is damage") {
  using Recovered = RecoveredPartition;
  CHECK(DamageAfter([](Recovered& r) { r.last_index = LogIndex(9); }) ==
        "the log ends before its boundary");
  CHECK(DamageAfter([](Recovered& r) { r.commit_hint = LogIndex(21); }) ==
        "the log ends before what was committed at index 21");
  CHECK(DamageAfter([](Recovered& r) { r.terms.clear(); }) == "entries without a term at index 11");
  const auto with_run = [](std::size_t which, std::uint64_t first, std::uint64_t term) {
    return DamageAfter([&](Recovered& r) { r.terms[which] = {LogIndex(first), Term(term)}; });
  };
  CHECK(with_run(0, 12, 2) == "the terms do not ascend along the log at index 12");
  CHECK(with_run(0, 11, 1) == "the terms do not ascend along the log at index 11");
  CHECK(with_run(1, 13, 2) == "the terms do not ascend along the log at index 13");
  CHECK(with_run(1, 11, 3) == "the terms do not ascend along the log at index 11");
  CHECK(with_run(2, 21, 5) == "the terms do not ascend along the log at index 21");
  CHECK(DamageAfter([](Recovered& r) {
          r.boundary.term = Term();
          r.terms[0].term = Term();
        }) == "the terms do not ascend along the log at index 11");
}
