// The harness: moves effects of one core to where they belong.
#include "unit/raft/test_cluster.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

#include <kommander/assert.hpp>

namespace kommander::raft::test {

TestCluster::TestCluster(Options options, Configuration configuration)
    : options_(std::move(options)), now_(Instant(std::chrono::seconds(1000))) {
  for (const NodeId id : configuration.Members()) AddNode(id, configuration);
}

void TestCluster::AddNode(NodeId id, Configuration configuration) {
  auto node = std::make_unique<TestNode>(std::move(configuration));
  node->id = id;
  node->options = options_.core;
  node->options.self = id;
  node->options.mark_entries = 1;  // a log may be cut anywhere
  nodes_.emplace(id, std::move(node));
  Start(id);
}

void TestCluster::Start(NodeId id) {
  TestNode& node = *nodes_.at(id);
  KOMMANDER_ASSERT(node.core == nullptr, "a node runs once");
  node.options.seed = options_.seed + ++lives_;
  node.applier.clear();
  node.marks.clear();
  node.delivered.clear();
  node.inbox.clear();
  node.fetches.clear();
  node.snapshots.clear();
  node.handed = node.disk.boundary().index;
  node.core =
      std::make_unique<Core>(node.options, node.disk.Recover(), node.floor, now_ + node.ahead);
  node.committed = node.core->Status().committed;
  Step(id, {Enable{true}});
}

void TestCluster::Crash(NodeId id, std::size_t survivors) {
  TestNode& node = *nodes_.at(id);
  node.core.reset();
  node.disk.Crash(survivors);
  node.waiting.clear();
  node.read_floors.clear();
}

void TestCluster::Step(std::uint32_t id, Input input) {
  std::vector<Input> inputs;
  inputs.push_back(std::move(input));
  Step(NodeId(id), std::move(inputs));
}

void TestCluster::Step(NodeId id, std::vector<Input> inputs) {
  TestNode& node = *nodes_.at(id);
  if (node.core == nullptr) return;
  std::vector<Input> all = std::move(node.inbox);
  node.inbox.clear();
  for (Input& input : inputs) all.push_back(std::move(input));
  const CoreStatus before = node.core->Status();
  node.core->Step(all, now_ + node.ahead, effects_);
  if (observer) observer(node, before, effects_);
  if (options_.check) checker_.AfterStep(node, effects_);
  Take(node, effects_);
}

void TestCluster::Take(TestNode& node, Effects& effects) {
  for (const Completion& completion : effects.completions) {
    const std::uint64_t request = completion.request.value();
    KOMMANDER_ASSERT(node.waiting.erase(request) == 1, "one answer per request");
    node.completions[request] = completion;
    const bool write = !completion.error && !completion.withdrawn && completion.term;
    if (options_.check && write) checker_.OnSuccess(nodes_, node, completion);
    if (!completion.error && !completion.withdrawn) checker_.OnRead(node, completion);
    node.read_floors.erase(request);
  }
  for (Message& message : effects.messages) {
    if (std::holds_alternative<AppendRequest>(message.body)) ++sent_appends;
    if (cuts.contains({message.from, message.to})) continue;
    wire.push_back(std::move(message));
  }
  if (effects.write) {
    if (effects.write->drop_log) {
      const LogIndex boundary = effects.write->boundary->index;
      node.handed = node.floor = boundary;
      node.applier.clear();
    }
    node.disk.Submit(std::move(*effects.write));
  }
  for (const Fetch& fetch : effects.fetches) node.fetches.push_back(fetch);
  for (const SnapshotNeeded& needed : effects.snapshots) node.snapshots.push_back(needed.peer);
  for (ApplyItem& item : effects.apply) node.applier.push_back(std::move(item));
  for (LedgerMark& mark : effects.marks) node.marks[mark.index] = std::move(mark.ledger);
}

std::uint64_t TestCluster::Propose(std::uint32_t id, std::string body, Instant deadline) {
  raft::Propose propose;
  propose.body = Payload(body);
  propose.deadline = deadline;
  return Request(id, std::move(propose));
}

std::uint64_t TestCluster::Request(std::uint32_t id, Input input) {
  const std::uint64_t number = next_request_++;
  std::visit(
      [number](auto& body) {
        if constexpr (requires { body.request; }) body.request = RequestId(number);
      },
      input);
  node(id).waiting.insert(number);
  if (std::holds_alternative<raft::Read>(input)) {
    node(id).read_floors[number] = checker_.highest_answered();
  }
  Step(id, std::move(input));
  return number;
}

void TestCluster::Deliver(std::size_t position) {
  Message message = std::move(wire[position]);
  wire.erase(wire.begin() + static_cast<std::ptrdiff_t>(position));
  const NodeId to = message.to;
  if (!nodes_.contains(to) || cuts.contains({message.from, to})) return;
  std::vector<Input> inputs;
  inputs.push_back(Receive{std::move(message)});
  Step(to, std::move(inputs));
}

void TestCluster::SyncOne(NodeId id) {
  TestNode& node = *nodes_.at(id);
  if (node.core == nullptr || node.disk.pending() == 0) return;
  std::vector<Input> inputs;
  inputs.push_back(Persisted{node.disk.SyncOne()});
  Step(id, std::move(inputs));
}

void TestCluster::SyncAll(NodeId id) {
  while (nodes_.at(id)->core != nullptr && nodes_.at(id)->disk.pending() != 0) SyncOne(id);
}

void TestCluster::ApplyAll(NodeId id) {
  TestNode& node = *nodes_.at(id);
  if (node.core == nullptr || node.applier.empty()) return;
  const LogIndex last = node.applier.back().entry.index;
  for (ApplyItem& item : node.applier) {
    if (item.verdict != Verdict::kDeliver) continue;
    node.delivered.push_back(item.prepared ? *item.prepared : std::move(item.entry));
  }
  node.applier.clear();
  std::vector<Input> inputs;
  inputs.push_back(Applied{last});
  Step(id, std::move(inputs));
}

void TestCluster::AnswerFetches(NodeId id) {
  TestNode& node = *nodes_.at(id);
  std::vector<Fetch> fetches = std::move(node.fetches);
  node.fetches.clear();
  for (const Fetch& fetch : fetches) {
    std::vector<Input> inputs;
    inputs.push_back(Fetched{fetch.fetch, fetch.first,
                             node.disk.Read(fetch.first, fetch.last, fetch.bytes_max)});
    Step(id, std::move(inputs));
  }
}

// The sender's state at its own boundary, or at what it has applied when `fresh` is newer.
void TestCluster::AnswerSnapshots(NodeId id) {
  TestNode& node = *nodes_.at(id);
  std::vector<NodeId> peers = std::move(node.snapshots);
  node.snapshots.clear();
  for (const NodeId peer : peers) {
    const auto target = nodes_.find(peer);
    const bool reached = target != nodes_.end() && target->second->core != nullptr &&
                         !cuts.contains({id, peer}) && !cuts.contains({peer, id});
    const BoundaryRecord boundary = node.disk.boundary();
    const Term term = node.core->Status().term;
    if (reached) {
      std::vector<Input> staged;
      staged.push_back(SnapshotStaged{id, term, boundary});
      Step(peer, std::move(staged));
    }
    std::vector<Input> sent;
    sent.push_back(SnapshotSent{peer, boundary.index, reached});
    Step(id, std::move(sent));
  }
}

void TestCluster::CompactTo(NodeId id, LogIndex index) {
  TestNode& node = *nodes_.at(id);
  const auto after = node.marks.upper_bound(index);
  if (after == node.marks.begin()) return;
  BoundaryRecord boundary;
  std::tie(boundary.index, boundary.ledger) = *std::prev(after);
  node.floor = std::max(node.floor, boundary.index);
  std::vector<Input> inputs;
  inputs.push_back(Compact{std::move(boundary)});
  Step(id, std::move(inputs));
}

void TestCluster::Settle() {
  for (int turn = 0; turn < 100000; ++turn) {
    bool moved = false;
    while (!wire.empty()) {
      Deliver(0);
      moved = true;
    }
    for (auto& [id, node] : nodes_) {
      if (node->core == nullptr) continue;
      if (node->disk.pending() != 0 || !node->applier.empty() || !node->fetches.empty() ||
          !node->snapshots.empty() || !node->inbox.empty()) {
        moved = true;
      }
      if (!node->inbox.empty()) Step(id);
      SyncAll(id);
      ApplyAll(id);
      AnswerFetches(id);
      AnswerSnapshots(id);
    }
    if (!moved) return;
  }
  KOMMANDER_ASSERT(false, "a cluster without time comes to rest");
}

void TestCluster::Advance(Duration by) {
  const Instant end = now_ + by;
  Settle();
  while (true) {
    Instant next = kNever;
    NodeId due;
    for (auto& [id, node] : nodes_) {
      if (node->core == nullptr) continue;
      const Instant deadline = node->core->NextDeadline();
      if (deadline == kNever) continue;
      if (deadline - node->ahead < next) {
        next = deadline - node->ahead;
        due = id;
      }
    }
    if (next > end) break;
    now_ = std::max(now_, next);
    Step(due, {Tick{}});
    KOMMANDER_ASSERT(nodes_.at(due)->core->NextDeadline() > now_ + nodes_.at(due)->ahead,
                     "a deadline is met once");
    Settle();
  }
  now_ = end;
}

NodeId TestCluster::Leader() const {
  NodeId leader;
  Term newest;
  for (const auto& [id, node] : nodes_) {
    if (node->core == nullptr) continue;
    const CoreStatus status = node->core->Status();
    if (status.role != RoleKind::kLeader || status.term < newest) continue;
    newest = status.term;
    leader = status.ready ? id : NodeId();
  }
  return leader;
}

NodeId TestCluster::WaitForLeader(Duration limit) {
  const Instant end = now_ + limit;
  while (true) {
    if (const NodeId leader = Leader()) return leader;
    if (now_ >= end) return NodeId();
    Advance(std::chrono::milliseconds(50));
  }
}

void TestCluster::Isolate(std::uint32_t id) {
  for (auto& [other, node] : nodes_) {
    if (other == NodeId(id)) continue;
    cuts.insert({NodeId(id), other});
    cuts.insert({other, NodeId(id)});
  }
}

}  // namespace kommander::raft::test
