// One core without a cluster, node 1 of three, for what a correct peer would never send and for
// inputs that meet in one step. The disk answers when a test says so; nothing is moved by itself.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <kommander/assert.hpp>

#include "raft/core.hpp"

namespace kommander::raft::test {

class LoneCore {
 public:
  // Entry i of the log has terms[i - 1]; the first `committed` of them are known to be committed.
  explicit LoneCore(const std::vector<std::uint64_t>& terms = {}, std::uint64_t committed = 0,
                    CoreOptions options = Options())
      : core(std::move(options), Recovered(terms, committed), LogIndex(), now) {
    Step(Enable{true});
  }

  LoneCore(RecoveredPartition recovered, CoreOptions options)
      : core(std::move(options), std::move(recovered), LogIndex(), now) {}

  template <class... Inputs>
  const Effects& Step(Inputs... inputs) {
    std::vector<Input> all;
    (all.push_back(Input(std::move(inputs))), ...);
    core.Step(all, now, effects);
    core.CheckInvariants();
    if (effects.write) issued = effects.write->unit;
    return effects;
  }
  static Receive From(std::uint32_t node, std::uint64_t term, MessageBody body) {
    return {Message(PartitionId(), NodeId(node), NodeId(1), Term(term), std::move(body))};
  }
  const Effects& Sync() { return Step(Persisted{issued}); }
  // Time passes until the core wants it.
  const Effects& Wait() {
    now = std::max(now, core.NextDeadline());
    return Step(Tick{});
  }
  // Time passes until node 1 asks for pre-votes.
  void AskForPreVotes() {
    for (int i = 0; i < 10; ++i) {
      if (core.Status().role == RoleKind::kPreCandidate) return;
      Wait();
    }
    KOMMANDER_ASSERT(false, "a node without a leader asks for pre-votes");
  }
  // Node 1 leads the term after the newest of its log, by the votes of node 2.
  void Lead() {
    AskForPreVotes();
    const std::uint64_t term = core.Status().term.value() + 1;
    Step(From(2, term, VoteReply{true, true}));
    Sync();
    Step(From(2, term, VoteReply{false, true}));
  }

  static Entry MakeEntry(std::uint64_t term, std::uint64_t index) {
    return {Term(term), LogIndex(index), EntryKind::kApplication, Ticket(), Payload("x")};
  }
  // Entries of `terms` after previous_index/previous_term.
  static AppendRequest Append(std::uint64_t previous_index, std::uint64_t previous_term,
                              const std::vector<std::uint64_t>& terms) {
    AppendRequest append;
    append.previous_index = LogIndex(previous_index);
    append.previous_term = Term(previous_term);
    for (const std::uint64_t term : terms) {
      append.entries.push_back(MakeEntry(term, ++previous_index));
    }
    return append;
  }

  template <class Body>
  [[nodiscard]] std::vector<Body> Sent() const {
    std::vector<Body> sent;
    for (const Message& message : effects.messages) {
      if (const auto* body = std::get_if<Body>(&message.body)) sent.push_back(*body);
    }
    return sent;
  }

  static CoreOptions Options() {
    CoreOptions options;
    options.self = NodeId(1);
    return options;
  }

  Instant now{std::chrono::seconds(1000)};
  Core core;
  Effects effects;  // of the last step
  UnitId issued;

 private:
  static RecoveredPartition Recovered(const std::vector<std::uint64_t>& terms,
                                      std::uint64_t committed) {
    RecoveredPartition recovered;
    recovered.boundary.configuration = Configuration({NodeId(1), NodeId(2), NodeId(3)});
    recovered.last_index = LogIndex(terms.size());
    recovered.commit_hint = LogIndex(committed);
    for (std::size_t i = 0; i < terms.size(); ++i) {
      if (i == 0 || terms[i] != terms[i - 1]) {
        recovered.terms.push_back({LogIndex(i + 1), Term(terms[i])});
      }
    }
    return recovered;
  }
};

}  // namespace kommander::raft::test
