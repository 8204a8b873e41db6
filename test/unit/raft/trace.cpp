// Effects as text that reads aloud. "7/2" is the entry at index 7 of term 2.
#include "unit/raft/trace.hpp"

namespace kommander::raft::test {
namespace {

template <class Id>
std::string Text(Id id) {
  return std::to_string(id.value());
}

std::string Place(LogIndex index, Term term) { return Text(index) + "/" + Text(term); }

std::string Ids(const std::vector<NodeId>& ids) {
  std::string text;
  for (const NodeId id : ids) text += (text.empty() ? "" : " ") + Text(id);
  return text;
}

// Runs of one term are told as ranges: a golden of 10,000 entries stays a line.
std::string Entries(const std::vector<Entry>& entries) {
  std::string text;
  for (std::size_t i = 0; i < entries.size();) {
    std::size_t end = i;
    while (end + 1 < entries.size() && entries[end + 1].term == entries[i].term) ++end;
    if (!text.empty()) text += " ";
    text += Text(entries[i].index);
    if (end > i) text += ".." + Text(entries[end].index);
    text += "/" + Text(entries[i].term);
    i = end + 1;
  }
  return text.empty() ? "nothing" : text;
}

std::string Name(RaftErrc error) {
  switch (error) {
    case RaftErrc::NodeIsNotLeader: return "NodeIsNotLeader";
    case RaftErrc::DeadlineExceeded: return "DeadlineExceeded";
    case RaftErrc::ProposalDropped: return "ProposalDropped";
    case RaftErrc::ProposalQueueFull: return "ProposalQueueFull";
    case RaftErrc::ReadTimeout: return "ReadTimeout";
    case RaftErrc::NodeIsNotReady: return "NodeIsNotReady";
    case RaftErrc::ChangeInProgress: return "ChangeInProgress";
    case RaftErrc::TransferTimeout: return "TransferTimeout";
    case RaftErrc::OutcomeUnknown: return "OutcomeUnknown";
    case RaftErrc::ProposalTimeout: return "ProposalTimeout";
    case RaftErrc::ProposalTooLarge: return "ProposalTooLarge";
    case RaftErrc::UnknownNode: return "UnknownNode";
    case RaftErrc::InvalidArgument: return "InvalidArgument";
    case RaftErrc::StorageFailed: return "StorageFailed";
    case RaftErrc::NodeStopped: return "NodeStopped";
    default: return "error " + std::to_string(static_cast<int>(error));
  }
}

struct BodyText {
  std::string operator()(const VoteRequest& r) const {
    return std::string(r.pre_vote ? "pre-vote" : "vote") + ", log ends at " +
           Place(r.last_index, r.last_term) + (r.transfer ? ", by transfer" : "") +
           (r.admits ? ", admits " + Text(r.admits) : "");
  }
  std::string operator()(const VoteReply& r) const {
    return std::string(r.pre_vote ? "pre-vote " : "vote ") + (r.granted ? "granted" : "refused");
  }
  std::string operator()(const AppendRequest& r) const {
    return "append after " + Place(r.previous_index, r.previous_term) + ": " + Entries(r.entries) +
           ", commit " + Text(r.commit);
  }
  std::string operator()(const AppendReply& r) const {
    if (r.accepted) return "matches to " + Text(r.matched);
    return "rejects after " + Text(r.rejected) + ", agrees at most to " +
           Place(r.hint_index, r.hint_term);
  }
  std::string operator()(const Heartbeat& h) const {
    return "heartbeat " + std::to_string(h.round) + ", commit " + Text(h.commit);
  }
  std::string operator()(const HeartbeatReply& h) const {
    return "heartbeat " + std::to_string(h.round) + " answered, durable " + Text(h.durable);
  }
  std::string operator()(const ReadIndexRequest&) const { return "read index?"; }
  std::string operator()(const ReadIndexReply& r) const {
    return r.confirmed ? "read index " + Text(r.index) : std::string("no read index");
  }
  std::string operator()(const TransferRequest&) const { return "campaign now"; }
  // Of the runtime: the core only sees who sends them in which term.
  std::string operator()(const SnapshotOffer& o) const {
    return "offers the snapshot of " + Text(o.info.index);
  }
  std::string operator()(const SnapshotChunk& c) const {
    return "bytes of the snapshot of " + Text(c.index);
  }
  std::string operator()(const SnapshotReply& r) const {
    return "has bytes of the snapshot of " + Text(r.index);
  }
  std::string operator()(const ForwardRequest&) const { return "forwards a write"; }
  std::string operator()(const ForwardReply&) const { return "answers a forwarded write"; }
};

}  // namespace

std::string Describe(const Message& message) {
  return Text(message.from) + " -> " + Text(message.to) + "  term " + Text(message.term) + ": " +
         std::visit(BodyText(), message.body);
}

std::string Describe(const WriteUnit& unit) {
  std::string text = "unit " + Text(unit.unit);
  if (unit.boundary) {
    text += ", boundary " + Place(unit.boundary->index, unit.boundary->term);
    if (unit.drop_log) text += " instead of the log";
  }
  if (unit.truncate_from) text += ", removes " + Text(*unit.truncate_from) + " on";
  if (!unit.entries.empty()) text += ", entries " + Entries(unit.entries);
  if (unit.hard_state) {
    text += ", term " + Text(unit.hard_state->term);
    text += unit.hard_state->vote ? " vote " + Text(unit.hard_state->vote) : " no vote";
  }
  if (unit.commit_hint) text += ", commit " + Text(*unit.commit_hint);
  return text;
}

std::string Describe(const Completion& completion) {
  std::string text = "#" + Text(completion.request) + " ";
  if (completion.withdrawn) {
    text += "withdrawn";
  } else if (completion.error) {
    text += Name(*completion.error);
    if (completion.leader) text += ", leader " + Text(completion.leader);
  } else {
    text += "done";
    if (completion.index) text += " at " + Text(completion.index);
  }
  return text;
}

std::string Describe(const Configuration& configuration) {
  std::string text = "voters " + Ids(configuration.voters);
  if (configuration.IsJoint()) text += ", outgoing " + Ids(configuration.outgoing_voters);
  if (!configuration.learners.empty()) text += ", learners " + Ids(configuration.learners);
  return text;
}

std::vector<std::string> DescribeStep(const TestNode& node, const CoreStatus& before,
                                      const Effects& effects) {
  std::vector<std::string> lines;
  const std::string self = Text(node.id);
  const CoreStatus after = node.core->Status();
  if (effects.role_changed) {
    std::string line = self;
    if (after.role == RoleKind::kFollower || after.role == RoleKind::kLearner) {
      line += after.leader ? " follows " + Text(after.leader) : std::string(" knows no leader");
      if (after.role == RoleKind::kLearner) line += " as a learner";
    } else {
      line += " is " + std::string(ToString(after.role));
    }
    line += " in term " + Text(after.term);
    if (before.term != after.term) line += " (was " + Text(before.term) + ")";
    lines.push_back(std::move(line));
  }
  for (const Completion& completion : effects.completions) {
    lines.push_back(self + " answers " + Describe(completion));
  }
  for (const Message& message : effects.messages) lines.push_back(Describe(message));
  if (effects.write) lines.push_back(self + " writes " + Describe(*effects.write));
  for (const Fetch& fetch : effects.fetches) {
    lines.push_back(self + " reads back " + Text(fetch.first) + ".." + Text(fetch.last));
  }
  for (const SnapshotNeeded& needed : effects.snapshots) {
    lines.push_back(self + " owes " + Text(needed.peer) + " a snapshot");
  }
  if (!effects.apply.empty()) {
    std::vector<Entry> entries;
    for (const ApplyItem& item : effects.apply) entries.push_back(item.entry);
    lines.push_back(self + " applies " + Entries(entries));
  }
  return lines;
}

}  // namespace kommander::raft::test
