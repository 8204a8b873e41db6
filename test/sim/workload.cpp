// Calls, cancels and answers.
#include "workload.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "manager/raft_node.hpp"
#include "workload_token.hpp"

namespace kommander::sim {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// A node's clock may run slower than the world, and its turn may come late.
Instant DueAfter(Instant now, Duration allowed) { return now + allowed + allowed / 4 + 500ms; }
// What a cancelled call may still take.
constexpr Duration kCancelMax = 300ms;
// A manager that is destroyed, or has stopped, has said its last word soon after.
constexpr Duration kLastWordMax = 200ms;
// After a pause a node has some catching up to do.
constexpr Duration kCatchUpMax = 1s;

}  // namespace

Workload::Workload(World& world, Checker& checker, std::vector<std::unique_ptr<SimNode>>& nodes,
                   const ClusterOptions& cluster, const WorkloadOptions& options)
    : world_(world),
      checker_(checker),
      nodes_(nodes),
      cluster_(cluster),
      options_(options),
      chance_(world.Fork(0x636c69)),
      contract_chance_(world.Fork(0x636f6e)),
      process_(world, "clients") {}

void Workload::Begin() {
  running_ = true;
  Next();
}

void Workload::Next() {
  const Duration pause = chance_.Between(options_.pause_min, options_.pause_max);
  world_.PushAt(process_.record(), world_.Now() + pause, [this] {
    if (!running_) return;
    CallOne();
    Next();
  });
}

SimNode* Workload::PickNode(PartitionId partition) {
  SimNode* node = nodes_[chance_.Below(nodes_.size())].get();
  if (!node->IsUp()) return nullptr;
  if (chance_.Permille(300)) return node;
  const NodeId leader = node->raft()->GetPartitionLeaderHint(partition);
  for (const auto& other : nodes_) {
    if (other->id() == leader && other->IsUp()) return other.get();
  }
  return node;
}

void Workload::CallOne() {
  const PartitionId partition(static_cast<std::uint32_t>(chance_.Between(1, cluster_.partitions)));
  SimNode* node = PickNode(partition);
  if (node == nullptr) return;
  std::uint64_t dice = chance_.Below(1000);
  const auto falls = [&](std::uint32_t share) {
    if (dice < share) return true;
    dice -= share;
    return false;
  };
  if (falls(options_.read_permille)) {
    // A follower's barrier as often as a leader's.
    SimNode* any = nodes_[chance_.Below(nodes_.size())].get();
    Read(any->IsUp() ? *any : *node, partition);
  } else if (falls(options_.transfer_permille)) {
    const std::uint64_t target = chance_.Between(0, nodes_.size());
    Transfer(*node, partition, target == 0 ? NodeId() : nodes_[target - 1]->id());
  } else if (falls(options_.step_down_permille)) {
    StepDown(*node, partition);
  } else if (falls(options_.wait_permille)) {
    WaitForLeader(*node, partition);
  } else if (falls(options_.proposal_permille)) {
    CallForProposal(*node, partition);
  } else if (falls(options_.session_permille)) {
    CallInSession(*node, partition);
  } else if (falls(options_.checkpoint_permille)) {
    Checkpoint(*node, partition);
  } else if (falls(options_.mixed_permille)) {
    WriteMixed(*node, partition);
  } else if (falls(options_.hold_permille)) {
    SimNode* any = nodes_[contract_chance_.Below(nodes_.size())].get();
    Hold(any->IsUp() ? *any : *node, partition);
  } else if (falls(options_.batch_permille)) {
    Write(*node, partition, static_cast<std::uint32_t>(chance_.Between(2, 6)));
  } else {
    Write(*node, partition, 1);
  }
}

Workload::Open& Workload::Add(SimNode& node, PartitionId partition, OperationKind kind,
                              Duration allowed, std::uint32_t count) {
  const std::uint64_t id = ++last_id_;
  Open& open = open_[id];
  open.operation.id = id;
  open.operation.kind = kind;
  open.operation.node = node.id();
  open.operation.life = node.life();
  open.operation.partition = partition;
  open.operation.count = count;
  open.operation.began = world_.Now();
  open.operation.due = DueAfter(world_.Now(), allowed);
  ++counters_.began;
  world_.trace().Event(world_.Now(), "call", id, static_cast<std::uint64_t>(kind),
                       node.id().value(), partition.value());
  checker_.Began(open.operation);
  if (chance_.Permille(options_.cancel_permille)) PlanCancel(open);
  return open;
}

void Workload::PlanCancel(Open& open) {
  open.cancel = std::make_unique<asio::cancellation_signal>();
  static constexpr asio::cancellation_type kTypes[] = {
      asio::cancellation_type::terminal, asio::cancellation_type::partial,
      asio::cancellation_type::total, asio::cancellation_type::all};
  const auto type = kTypes[chance_.Below(std::size(kTypes))];
  world_.PushAt(process_.record(), world_.Now() + chance_.Between(0ms, 50ms),
                [this, id = open.operation.id, type] { Cancel(id, type); });
}

void Workload::Cancel(std::uint64_t id, asio::cancellation_type type) {
  const auto found = open_.find(id);
  if (found == open_.end() || !found->second.cancel) return;
  world_.trace().Event(world_.Now(), "cancel", id, static_cast<std::uint64_t>(type));
  if (type != asio::cancellation_type::total) {
    found->second.operation.due = std::min(found->second.operation.due, world_.Now() + kCancelMax);
  }
  found->second.cancel->emit(type);
}

void Workload::Close(std::uint64_t id, error_code error, const AnswerPlace& place) {
  world_.trace().Event(world_.Now(), "answer", id, static_cast<std::uint64_t>(error.value()),
                       place.index.value(), place.term.value());
  ClientOperation operation;
  const auto found = open_.find(id);
  const auto dead = died_.find(id);
  if (found != open_.end()) {
    operation = found->second.operation;
    open_.erase(found);
  } else if (dead != died_.end()) {
    operation = dead->second;  // answered before its process ended, heard after
    died_.erase(dead);
  } else {
    const auto before = answered_.find(id);
    if (before != answered_.end()) checker_.EndedAgain(before->second);
    return;
  }
  operation.end = OperationEnd::kAnswered;
  operation.ended = world_.Now();
  operation.error = error;
  operation.index = place.index;
  operation.term = place.term;
  operation.leader = place.leader;
  const bool has_ticket =
      operation.kind == OperationKind::kPrepare || operation.kind == OperationKind::kWrite;
  if (has_ticket) operation.ticket = place.ticket;
  checker_.Ended(operation);
  LearnOfTicket(operation);
  LearnOfSession(operation);
  LearnOfSessionWrite(operation);
  CheckGeneration(operation);
  if (operation.kind == OperationKind::kCheckpoint && !error)
    Count(features_, Feature::kCheckpoints);
  if (!error) CountWrite(operation);
  if (error) {
    ++counters_.failed;
  } else if (operation.kind == OperationKind::kWrite) {
    ++counters_.writes_acked;
    acked_.push_back(operation);
  } else if (operation.kind == OperationKind::kRead) {
    ++counters_.reads_confirmed;
  }
  answered_.emplace(id, operation);
}

Payload Workload::MakePayload(std::uint64_t id, std::uint32_t ordinal) {
  std::vector<std::byte> bytes(sizeof id + sizeof ordinal +
                               chance_.Below(options_.payload_bytes_max));
  std::memcpy(bytes.data(), &id, sizeof id);
  std::memcpy(bytes.data() + sizeof id, &ordinal, sizeof ordinal);
  return Payload(std::move(bytes));
}

std::uint64_t Workload::Write(SimNode& node, PartitionId partition, std::uint32_t count) {
  const Duration timeout = chance_.Between(50ms, 3s);
  Open& open = Add(node, partition, OperationKind::kWrite, timeout, count);
  const std::uint64_t id = open.operation.id;
  const bool await_apply = chance_.OneIn(4);
  ReplicateOptions options;
  options.Timeout(timeout).AwaitApply(await_apply);
  open.operation.awaits_apply = await_apply;
  if (contract_chance_.Permille(options_.forward_permille)) {
    options.Forward();
    open.operation.forwards = true;
  }
  ExpectGeneration(open.operation, node, options);
  if (count == 1) {
    node.raft()->ReplicateLogs(partition, kOperationType, MakePayload(id, 0), options,
                               Token<ReplicateResult>(open));
    return id;
  }
  Batch batch;
  for (std::uint32_t ordinal = 0; ordinal < count; ++ordinal) {
    batch.Add(kOperationType, MakePayload(id, ordinal));
  }
  node.raft()->ReplicateLogs(partition, batch, options, Token<ReplicateResult>(open));
  return id;
}

std::uint64_t Workload::Read(SimNode& node, PartitionId partition) {
  const Duration timeout = chance_.Between(50ms, 3s);
  Open& open = Add(node, partition, OperationKind::kRead, timeout);
  const std::uint64_t id = open.operation.id;
  ReadOptions options;
  options.Timeout(timeout);
  node.raft()->ReadBarrier(partition, options, Token<ReadBarrierResult>(open));
  return id;
}

std::uint64_t Workload::Transfer(SimNode& node, PartitionId partition, NodeId target) {
  Open& open = Add(node, partition, OperationKind::kTransfer, 4 * cluster_.election_timeout);
  const std::uint64_t id = open.operation.id;
  node.raft()->TransferLeadership(partition, target, Token<detail::NoResult>(open));
  return id;
}

std::uint64_t Workload::StepDown(SimNode& node, PartitionId partition) {
  Open& open = Add(node, partition, OperationKind::kStepDown, 4 * cluster_.election_timeout);
  const std::uint64_t id = open.operation.id;
  node.raft()->StepDown(partition, Token<detail::NoResult>(open));
  return id;
}

std::uint64_t Workload::WaitForLeader(SimNode& node, PartitionId partition) {
  Open& open = Add(node, partition, OperationKind::kWaitForLeader, 2s);
  const std::uint64_t id = open.operation.id;
  node.raft()->WaitForLeader(partition, Token<NodeId>(open));
  return id;
}

std::uint64_t Workload::Reconfigure(SimNode& node, PartitionId partition, Configuration target,
                                    Duration timeout) {
  Open& open = Add(node, partition, OperationKind::kReconfigure, timeout);
  const std::uint64_t id = open.operation.id;
  open.cancel.reset();
  RaftNodeAccess::Of(*node.raft())
      ->Reconfigure(partition, std::move(target), timeout, [this, id](error_code error) {
        // Comes on the node's process.
        world_.Push(process_.record(),
                    [this, id, error] { Finish(id, error, detail::NoResult()); });
      });
  return id;
}

void Workload::OnNodeDied(NodeId node, std::uint64_t life) {
  for (auto place = open_.begin(); place != open_.end();) {
    ClientOperation& operation = place->second.operation;
    if (operation.node != node || operation.life != life) {
      ++place;
      continue;
    }
    operation.end = OperationEnd::kDiedWithNode;
    operation.ended = world_.Now();
    ++counters_.died;
    died_.emplace(operation.id, operation);
    place = open_.erase(place);
  }
}

void Workload::OnNodeLeft(NodeId node, std::uint64_t life) {
  for (auto& [id, open] : open_) {
    ClientOperation& operation = open.operation;
    if (operation.node != node || operation.life != life) continue;
    operation.due = world_.Now() + kLastWordMax;  // later than it was, if the node was paused
  }
}

bool Workload::IsReconfiguring() const noexcept {
  return std::any_of(open_.begin(), open_.end(), [](const auto& open) {
    return open.second.operation.kind == OperationKind::kReconfigure;
  });
}

void Workload::CheckOverdue() {
  const Instant now = world_.Now();
  for (auto& [id, open] : open_) {
    ClientOperation& operation = open.operation;
    if (now < operation.due) continue;
    const auto found = std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& node) {
      return node->id() == operation.node && node->IsUp() && node->life() == operation.life;
    });
    const SimNode* node = found == nodes_.end() ? nullptr : found->get();
    if (node != nullptr && (node->IsPaused() || now < node->running_since() + kCatchUpMax)) {
      continue;
    }
    checker_.Overdue(operation);
    operation.due = kNever;  // once is enough
  }
}

const ClientOperation* Workload::Answer(std::uint64_t operation) const {
  const auto found = answered_.find(operation);
  return found == answered_.end() ? nullptr : &found->second;
}

}  // namespace kommander::sim
