// The safety properties of Raft (thesis figure 3.2) and the rules of durability, checked on what
// nodes do rather than on what they say.
#include <algorithm>

#include <kommander/assert.hpp>

#include "raft/quorum.hpp"
#include "unit/raft/test_cluster.hpp"

namespace kommander::raft::test {

void Checker::AfterStep(TestNode& node, const Effects& effects) {
  ++checks_;
  node.core->CheckInvariants();
  if (effects.write) CheckWrite(node, *effects.write);
  for (const Message& message : effects.messages) CheckMessage(node, message);
  CheckRole(node);
  CheckCommit(node);
  CheckApply(node, effects.apply);
}

// Election safety and leader completeness.
void Checker::CheckRole(const TestNode& node) {
  const CoreStatus status = node.core->Status();
  if (status.role != RoleKind::kLeader) return;
  const auto [known, first] = leaders_.try_emplace(status.term, node.id);
  KOMMANDER_ASSERT(known->second == node.id, "at most one leader per term");
  if (!first) return;
  for (const auto& [index, committed] : committed_) {
    // A late winner of an old term may lack what a newer leader has committed since; it commits
    // nothing.
    if (index < status.first || committed.known_in >= status.term) continue;
    KOMMANDER_ASSERT(node.core->TermAt(index) == committed.term,
                     "a leader has every committed entry");
  }
}

void Checker::CheckCommit(TestNode& node) {
  const CoreStatus status = node.core->Status();
  KOMMANDER_ASSERT(status.committed >= node.committed, "the commit index never falls");
  for (LogIndex index = node.committed.Next(); index <= status.committed; index = index.Next()) {
    if (index < status.first) continue;
    const Term term = node.core->TermAt(index);
    const auto [known, first] = committed_.try_emplace(index, Committed{term, status.term});
    KOMMANDER_ASSERT(known->second.term == term, "one entry is committed at an index");
  }
  node.committed = status.committed;
  highest_commit_ = std::max(highest_commit_, status.committed);
}

// Log matching, by induction over neighbours; and an entry is written once and for ever.
void Checker::CheckWrite(const TestNode& node, const WriteUnit& unit) {
  for (const Entry& entry : unit.entries) {
    const LogIndex before = entry.index.Previous();
    const Term previous_term =
        node.core->Status().first == entry.index ? Term() : node.core->TermAt(before);
    const auto [known, first] =
        written_.try_emplace({entry.index, entry.term},
                             Written{previous_term, std::string(entry.body.text()), entry.kind});
    KOMMANDER_ASSERT(known->second.body == entry.body.text(), "(index, term) names one entry");
    KOMMANDER_ASSERT(known->second.kind == entry.kind, "(index, term) names one entry");
    if (previous_term && known->second.previous_term) {
      KOMMANDER_ASSERT(known->second.previous_term == previous_term, "logs match before an entry");
    }
    if (!known->second.previous_term) known->second.previous_term = previous_term;
  }
}

// What is promised is on disk at that moment.
void Checker::CheckMessage(const TestNode& node, const Message& message) {
  const HardState synced = node.disk.hard_state();
  if (const auto* request = std::get_if<VoteRequest>(&message.body)) {
    if (request->pre_vote) return;
    KOMMANDER_ASSERT(synced == (HardState{message.term, node.id}), "own vote synced before asking");
    KOMMANDER_ASSERT(node.disk.last() >= request->last_index, "the log claimed is synced");
  }
  if (const auto* reply = std::get_if<VoteReply>(&message.body)) {
    if (reply->pre_vote || !reply->granted) return;
    KOMMANDER_ASSERT(synced == (HardState{message.term, message.to}), "a vote is synced");
    const auto [known, first] = votes_.try_emplace({node.id, message.term}, message.to);
    KOMMANDER_ASSERT(known->second == message.to, "one vote per term");
  }
  if (const auto* reply = std::get_if<AppendReply>(&message.body)) {
    if (!reply->accepted) return;
    KOMMANDER_ASSERT(
        synced.term >= message.term || node.disk.TermAt(node.disk.last()) >= message.term,
        "the term of an acknowledgement is synced");
    KOMMANDER_ASSERT(node.disk.last() >= reply->matched, "what is acknowledged is synced");
    KOMMANDER_ASSERT(reply->matched < node.core->Status().first ||
                         node.disk.TermAt(reply->matched) == node.core->TermAt(reply->matched),
                     "what is acknowledged is synced");
  }
}

// State machine safety, order, no gap, no repeat; nothing before it is committed and synced here.
void Checker::CheckApply(TestNode& node, const std::vector<ApplyItem>& items) {
  for (const ApplyItem& item : items) {
    const Entry& entry = item.entry;
    KOMMANDER_ASSERT(entry.index == node.handed.Next(), "hand-off is contiguous");
    node.handed = entry.index;
    KOMMANDER_ASSERT(entry.index <= node.core->Status().committed, "only committed entries apply");
    KOMMANDER_ASSERT(
        node.disk.TermAt(entry.index) == entry.term || entry.index <= node.disk.boundary().index,
        "only synced entries apply");
    CheckVerdict(node, item);
    const auto [known, first] = applied_.try_emplace(entry.index, entry);
    KOMMANDER_ASSERT(known->second == entry, "every node applies the same");
  }
}

// Above its floor every node judges alike; a ticket is delivered at one place, or nowhere.
void Checker::CheckVerdict(const TestNode& node, const ApplyItem& item) {
  const LogIndex index = item.entry.index;
  if (index <= node.floor) {
    KOMMANDER_ASSERT(item.verdict != Verdict::kDeliver, "nothing is delivered below the floor");
    return;
  }
  const auto [known, first] = verdicts_.try_emplace(index, item.verdict);
  KOMMANDER_ASSERT(known->second == item.verdict, "every node judges the same");
  const EntryKind kind = item.entry.kind;
  if (!IsJudged(kind)) {
    KOMMANDER_ASSERT((item.verdict == Verdict::kDeliver) == (kind == EntryKind::kApplication),
                     "application entries above the floor are delivered");
  }
  if (!item.prepared) return;
  KOMMANDER_ASSERT(kind == EntryKind::kDecision && item.prepared->index < index,
                   "a proposal is delivered at its decision");
  const auto [place, is_new] = delivered_tickets_.try_emplace(item.prepared->ticket, index);
  KOMMANDER_ASSERT(place->second == index, "a proposal is delivered once");
}

// An acknowledged write is synced on a quorum and stays the one at its index.
void Checker::OnSuccess(const std::map<NodeId, std::unique_ptr<TestNode>>& nodes, TestNode& node,
                        const Completion& completion) {
  KOMMANDER_ASSERT(committed_.contains(completion.index), "an acknowledged write is committed");
  KOMMANDER_ASSERT(committed_.at(completion.index).term == completion.term,
                   "an acknowledged write is the one that was committed");
  const auto holds = [&](const TestNode& other) {
    return other.disk.boundary().index >= completion.index ||
           other.disk.TermAt(completion.index) == completion.term;
  };
  KOMMANDER_ASSERT(holds(node), "an acknowledged write is synced where it was made");
  const auto quorum_holds = [&](const Configuration& configuration) {
    return QuorumValue(configuration, [&](NodeId id) -> std::uint64_t {
             const auto other = nodes.find(id);
             return other != nodes.end() && holds(*other->second) ? 1 : 0;
           }) == 1;
  };
  // The leader may have committed under the configuration in force or the one before it.
  KOMMANDER_ASSERT(quorum_holds(node.core->CommittedConfiguration()) ||
                       quorum_holds(node.core->ActiveConfiguration()),
                   "an acknowledged write is synced on a quorum");
  highest_answered_ = std::max(highest_answered_, completion.index);
}

// Reads see everything that was answered, to a writer or to a reader, before they were asked.
void Checker::OnRead(TestNode& node, const Completion& completion) {
  const auto floor = node.read_floors.find(completion.request.value());
  if (floor == node.read_floors.end()) return;
  KOMMANDER_ASSERT(completion.index >= floor->second, "a read sees what was answered before it");
  highest_answered_ = std::max(highest_answered_, completion.index);
}

}  // namespace kommander::raft::test
