// How soon a leader and a follower find where their logs part. A refusal skips a whole term on one
// side or the other, so the number of appends is bounded by the terms, never by the entries.
#include <algorithm>
#include <set>

#include "catch.hpp"
#include "raft/random.hpp"
#include "unit/raft/test_cluster.hpp"

using namespace std::chrono_literals;
using namespace kommander;
using namespace kommander::raft;
using namespace kommander::raft::test;

namespace {

constexpr std::uint64_t kTailEntries = 10000;

// A log of `common` entries of term 1 and then runs of the given terms.
std::vector<Entry> MakeLog(std::uint64_t common, const std::vector<std::uint64_t>& tail_terms) {
  std::vector<Entry> log;
  const auto append = [&](std::uint64_t term) {
    log.emplace_back(Term(term), LogIndex(log.size() + 1), EntryKind::kApplication, Ticket(),
                     Payload(std::to_string(term)));
  };
  for (std::uint64_t i = 0; i < common; ++i) append(1);
  for (const std::uint64_t term : tail_terms) append(term);
  return log;
}

// `terms` distinct ones in runs of random length, `size` entries in all.
std::vector<std::uint64_t> RandomTail(const std::vector<std::uint64_t>& terms, std::uint64_t size,
                                      Random& random) {
  std::vector<std::uint64_t> ends;
  for (std::size_t i = 1; i < terms.size(); ++i) ends.push_back(random.Below(size + 1));
  ends.push_back(size);
  std::sort(ends.begin(), ends.end());
  std::vector<std::uint64_t> tail;
  for (std::size_t i = 0; i < terms.size(); ++i) tail.resize(ends[i], terms[i]);
  return tail;
}

void Install(TestCluster& cluster, std::uint32_t id, std::vector<Entry> log, Term term) {
  WriteUnit unit;
  unit.entries = std::move(log);
  unit.hard_state = HardState{term, NodeId()};
  cluster.Crash(NodeId(id));
  cluster.node(id).disk.Submit(std::move(unit));
  cluster.node(id).disk.SyncOne();
  cluster.Start(NodeId(id));
}

struct Outcome {
  std::uint64_t rounds = 0;  // appends of the leader up to the first that was accepted
  bool equal = false;
};

// Nodes 1 and 3 hold the leader's log, node 2 the other; node 1 is made to win.
Outcome Converge(const std::vector<Entry>& leader_log, const std::vector<Entry>& follower_log,
                 std::uint64_t newest_term) {
  TestCluster::Options options;
  TestCluster cluster(options, Configuration({NodeId(1), NodeId(2), NodeId(3)}));
  Install(cluster, 1, leader_log, Term(newest_term));
  Install(cluster, 2, follower_log, Term(newest_term));
  Install(cluster, 3, leader_log, Term(newest_term));
  cluster.Isolate(2);
  cluster.node(1).ahead = cluster.core(1).NextDeadline() - cluster.now();
  cluster.Step(1, Tick{});
  cluster.Settle();
  REQUIRE(cluster.status(1).ready);
  cluster.Heal();
  Outcome outcome;
  bool accepted = false;
  for (int beat = 0; beat < 5 && !accepted; ++beat) {
    cluster.node(1).ahead = cluster.core(1).NextDeadline() - cluster.now();
    cluster.Step(1, Tick{});
    while (!cluster.wire.empty() && !accepted) {
      const Message message = cluster.wire.front();
      const bool to_follower = message.to == NodeId(2) && message.from == NodeId(1);
      if (to_follower && std::holds_alternative<AppendRequest>(message.body)) ++outcome.rounds;
      const auto* reply = std::get_if<AppendReply>(&message.body);
      accepted = message.from == NodeId(2) && reply != nullptr && reply->accepted;
      cluster.Deliver(0);
      cluster.SyncAll(NodeId(2));
    }
  }
  REQUIRE(accepted);
  cluster.Advance(2s);
  outcome.equal = cluster.status(1).last == cluster.status(2).last;
  for (LogIndex index(1); index <= cluster.status(1).last; index = index.Next()) {
    outcome.equal = outcome.equal && cluster.core(1).TermAt(index) == cluster.core(2).TermAt(index);
  }
  return outcome;
}

}  // namespace

TEST_CASE("divergent tails of 10,000 entries meet in 2 + distinct terms rounds") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    std::vector<std::uint64_t> leader_terms;
    std::vector<std::uint64_t> follower_terms;
    // Each term has one leader, so a term is in one tail only, or its entries agree.
    const std::uint64_t newest = 3 + random.Below(seed % 4 == 0 ? 200 : 12);
    for (std::uint64_t term = 2; term <= newest; ++term) {
      (random.Below(2) == 0 ? leader_terms : follower_terms).push_back(term);
    }
    // The leader must win against the follower's log, or by the third node's vote.
    leader_terms.push_back(newest + 1);
    if (follower_terms.empty()) follower_terms.push_back(newest + 2);
    const std::uint64_t follower_size = seed % 3 == 0 ? random.Below(kTailEntries) : kTailEntries;
    const auto leader_log = MakeLog(10, RandomTail(leader_terms, kTailEntries, random));
    const auto follower_log = MakeLog(10, RandomTail(follower_terms, follower_size, random));
    const Outcome outcome = Converge(leader_log, follower_log, newest + 2);
    std::set<Term> distinct;
    for (std::size_t i = 10; i < leader_log.size(); ++i) distinct.insert(leader_log[i].term);
    for (std::size_t i = 10; i < follower_log.size(); ++i) distinct.insert(follower_log[i].term);
    INFO("seed " << seed << " rounds " << outcome.rounds << " terms " << distinct.size());
    REQUIRE(outcome.rounds <= 2 + distinct.size());
    REQUIRE(outcome.equal);
  }
}

TEST_CASE("one entry per term on both sides is the worst case, and stays in the bound") {
  std::vector<std::uint64_t> leader_terms;
  std::vector<std::uint64_t> follower_terms;
  for (std::uint64_t term = 2; term < 202; ++term) {
    (term % 2 == 0 ? leader_terms : follower_terms).push_back(term);
  }
  leader_terms.push_back(300);
  const Outcome outcome = Converge(MakeLog(5, leader_terms), MakeLog(5, follower_terms), 301);
  REQUIRE(outcome.rounds <= 2 + leader_terms.size() + follower_terms.size());
  REQUIRE(outcome.equal);
}
