// What each kind of fault does.
#include "fault_injector.hpp"

#include <algorithm>
#include <numeric>

namespace kommander::sim {

using namespace std::chrono_literals;

FaultInjector::FaultInjector(World& world, SimNetwork& network,
                             std::vector<std::unique_ptr<SimNode>>& nodes, Workload& workload,
                             const ClusterOptions& cluster)
    : world_(world),
      network_(network),
      nodes_(nodes),
      workload_(workload),
      cluster_(cluster),
      process_(world, "faults") {}

std::uint64_t FaultInjector::total() const noexcept {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

void FaultInjector::Begin(const std::vector<Fault>& plan) {
  plan_ = &plan;
  running_ = true;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    world_.PushAt(process_.record(), world_.Now() + plan[i].at, [this, i] { Start(i); });
  }
}

void FaultInjector::Start(std::size_t index) {
  if (!running_) return;
  const Fault& fault = (*plan_)[index];
  if (!Strike(fault)) return;
  ++counts_[static_cast<std::size_t>(fault.kind)];
  world_.trace().Event(world_.Now(), "fault", static_cast<std::uint64_t>(fault.kind), fault.node,
                       fault.other, fault.partition);
  if (fault.length <= Duration(0)) return;
  active_.push_back(index);
  std::sort(active_.begin(), active_.end());
  if (IsOfLinks(fault.kind)) RefreshLinks();
  if (IsOfDisks(fault.kind)) RefreshDisks();
  world_.PushAt(process_.record(), world_.Now() + fault.length, [this, index] { End(index); });
  if (fault.kind == FaultKind::kClog) {
    // The set of dead links changes while it lasts.
    for (int i = 1; i < 4; ++i) {
      world_.PushAt(process_.record(), world_.Now() + fault.length * i / 4,
                    [this] { RefreshLinks(); });
    }
  }
}

void FaultInjector::End(std::size_t index) {
  if (!running_) return;
  std::erase(active_, index);
  const Fault& fault = (*plan_)[index];
  world_.trace().Event(world_.Now(), "fault-over", static_cast<std::uint64_t>(fault.kind),
                       fault.node);
  Release(fault);
  if (IsOfLinks(fault.kind)) RefreshLinks();
  if (IsOfDisks(fault.kind)) RefreshDisks();
}

bool FaultInjector::IsOfLinks(FaultKind kind) noexcept {
  return kind >= FaultKind::kLose && kind <= FaultKind::kClog;
}
bool FaultInjector::IsOfDisks(FaultKind kind) noexcept {
  return kind == FaultKind::kDiskSlow || kind == FaultKind::kReadError ||
         kind == FaultKind::kDiskFull;
}

void FaultInjector::Kill(SimNode& node) {
  const std::uint64_t life = node.life();
  node.PowerLoss();
  workload_.OnNodeDied(node.id(), life);
}

void FaultInjector::RestartIfDown(SimNode& node) {
  if (node.IsUp()) return;
  node.Bury();
  node.Start();
}

bool FaultInjector::Strike(const Fault& fault) {
  switch (fault.kind) {
    case FaultKind::kRestartStorm:
      for (const auto& node : nodes_) Kill(*node);
      return true;
    case FaultKind::kReset:
      if (fault.node == fault.other) return false;
      network_.DropConnection(NodeId(fault.node + 1), NodeId(fault.other + 1));
      return true;
    case FaultKind::kCutOneWay:
    case FaultKind::kCutBothWays: return fault.node != fault.other;
    case FaultKind::kSplit:
    case FaultKind::kIsolate:
    case FaultKind::kClog: return nodes_.size() > 1;
    case FaultKind::kBridge: return nodes_.size() > 2;
    case FaultKind::kRing: return nodes_.size() > 3;
    case FaultKind::kLose:
    case FaultKind::kDuplicate:
    case FaultKind::kReorder:
    case FaultKind::kDelay: return nodes_.size() > 1;
    case FaultKind::kTransfer:
    case FaultKind::kStepDown:
    case FaultKind::kReconfigure: return StrikeMembers(fault);
    default: return StrikeNode(fault);
  }
}

bool FaultInjector::StrikeNode(const Fault& fault) {
  SimNode& node = *nodes_[fault.node];
  const std::uint64_t life = node.life();
  if (!node.IsUp()) return false;
  switch (fault.kind) {
    case FaultKind::kPowerLoss: Kill(node); return true;
    case FaultKind::kAbandon:
      if (node.IsStopping()) return false;
      node.Abandon();
      workload_.OnNodeLeft(node.id(), life);
      return true;
    case FaultKind::kStop:
      if (node.IsStopping() || node.IsPaused()) return false;
      node.Stop([this, &node, life] { workload_.OnNodeLeft(node.id(), life); });
      return true;
    case FaultKind::kPause:
      if (node.IsPaused()) return false;
      node.SetPaused(true);
      return true;
    case FaultKind::kDiskStall:
      node.mood().stalled_until = std::max(node.mood().stalled_until, world_.Now() + fault.length);
      return true;
    case FaultKind::kDiskError: node.disk()->FailNextWrite(); return true;
    case FaultKind::kClockRate:
      // Up to a tenth, in both directions.
      node.clock().SetRate(static_cast<std::int64_t>(fault.draw % 200'001) - 100'000);
      return true;
    case FaultKind::kWallJump:
      node.clock().SetWallOffset(static_cast<std::int64_t>(fault.draw % 120'001) - 60'000);
      return true;
    default: return true;  // disks are refreshed by the caller
  }
}

SimNode* FaultInjector::LeaderOf(PartitionId partition) const {
  SimNode* leader = nullptr;
  Term term;
  for (const auto& node : nodes_) {
    if (!node->IsUp()) continue;
    const PartitionStatus status = node->raft()->Status(partition);
    if (status.role == Role::kLeader && status.term >= term) {
      leader = node.get();
      term = status.term;
    }
  }
  return leader;
}

bool FaultInjector::StrikeMembers(const Fault& fault) {
  SimNode* leader = LeaderOf(fault.partition);
  if (leader == nullptr) return false;
  if (fault.kind == FaultKind::kTransfer) {
    workload_.Transfer(*leader, fault.partition, NodeId(fault.other + 1));
    return true;
  }
  if (fault.kind == FaultKind::kStepDown) {
    workload_.StepDown(*leader, fault.partition);
    return true;
  }
  // Every node is a voter, a learner or nothing; at least one votes.
  Chance chance(fault.draw);
  std::vector<NodeId> voters{nodes_[fault.node]->id()};
  std::vector<NodeId> learners;
  for (const auto& node : nodes_) {
    if (node->id() == voters.front()) continue;
    const std::uint64_t dice = chance.Below(10);
    if (dice < 6) voters.push_back(node->id());
    if (dice >= 6 && dice < 8) learners.push_back(node->id());
  }
  workload_.Reconfigure(*leader, fault.partition,
                        Configuration(std::move(voters), std::move(learners)),
                        chance.Between(100ms, 5s));
  return true;
}

void FaultInjector::Release(const Fault& fault) {
  SimNode& node = *nodes_[fault.node];
  switch (fault.kind) {
    case FaultKind::kPowerLoss:
    case FaultKind::kAbandon: RestartIfDown(node); break;
    case FaultKind::kStop:
      // Still not done: whoever runs it loses patience and pulls the plug.
      if (node.IsStopping()) Kill(node);
      RestartIfDown(node);
      break;
    case FaultKind::kRestartStorm:
      for (const auto& each : nodes_) RestartIfDown(*each);
      break;
    case FaultKind::kPause: node.SetPaused(false); break;
    case FaultKind::kDiskError:
    case FaultKind::kReadError:
      if (node.IsBroken()) Kill(node);
      RestartIfDown(node);
      break;
    case FaultKind::kClockRate: node.clock().SetRate(0); break;
    case FaultKind::kWallJump: node.clock().SetWallOffset(0); break;
    default: break;
  }
}

void FaultInjector::RefreshLinks() {
  network_.Heal();
  for (const std::size_t index : active_) {
    if (IsOfLinks((*plan_)[index].kind)) ApplyToLinks((*plan_)[index]);
  }
}

// Links between the nodes whose bit in `side` differs die; those of the spared node live.
void FaultInjector::CutBetween(std::uint64_t side, std::uint32_t spared) {
  for (std::uint32_t a = 0; a < nodes_.size(); ++a) {
    for (std::uint32_t b = 0; b < nodes_.size(); ++b) {
      if (a == spared || b == spared || ((side >> a) & 1) == ((side >> b) & 1)) continue;
      network_.Link(NodeId(a + 1), NodeId(b + 1)).cut = true;
    }
  }
}

void FaultInjector::ApplyToLinks(const Fault& fault) {
  constexpr std::uint32_t kNobody = ~std::uint32_t{0};
  const auto count = static_cast<std::uint32_t>(nodes_.size());
  const auto permille = static_cast<std::uint32_t>(10 + fault.draw % 400);
  // The milder kinds hit one link, or all of them.
  const auto each = [&](auto change) {
    for (std::uint32_t a = 0; a < count; ++a) {
      for (std::uint32_t b = 0; b < count; ++b) {
        const bool is_hit = fault.draw % 3 == 0 || (a == fault.node && b == fault.other);
        if (a != b && is_hit) change(network_.Link(NodeId(a + 1), NodeId(b + 1)));
      }
    }
  };
  switch (fault.kind) {
    case FaultKind::kLose: each([&](LinkFaults& link) { link.lose_permille = permille; }); break;
    case FaultKind::kDuplicate:
      each([&](LinkFaults& link) { link.duplicate_permille = permille; });
      break;
    case FaultKind::kReorder:
      each([&](LinkFaults& link) { link.reorder_permille = permille; });
      break;
    case FaultKind::kDelay: each([&](LinkFaults& link) { link.delay_max = permille * 1ms; }); break;
    case FaultKind::kCutBothWays:
      network_.Link(NodeId(fault.other + 1), NodeId(fault.node + 1)).cut = true;
      [[fallthrough]];
    case FaultKind::kCutOneWay:
      network_.Link(NodeId(fault.node + 1), NodeId(fault.other + 1)).cut = true;
      break;
    case FaultKind::kIsolate: CutBetween(std::uint64_t{1} << fault.node, kNobody); break;
    case FaultKind::kSplit: CutBetween(fault.draw, kNobody); break;
    case FaultKind::kBridge: CutBetween(fault.draw, fault.node); break;
    case FaultKind::kRing:
      for (std::uint32_t a = 0; a < count; ++a) {
        for (std::uint32_t b = 0; b < count; ++b) {
          const bool are_neighbours = (a + 1) % count == b || (b + 1) % count == a;
          if (a != b && !are_neighbours) network_.Link(NodeId(a + 1), NodeId(b + 1)).cut = true;
        }
      }
      break;
    case FaultKind::kClog: {
      const auto quarter = static_cast<std::uint64_t>(world_.Now().time_since_epoch() / 50ms);
      Chance chance(fault.draw ^ quarter);
      for (std::uint32_t a = 0; a < count; ++a) {
        for (std::uint32_t b = 0; b < count; ++b) {
          if (a != b && chance.OneIn(2)) network_.Link(NodeId(a + 1), NodeId(b + 1)).cut = true;
        }
      }
      break;
    }
    default: break;
  }
}

void FaultInjector::RefreshDisks() {
  for (const auto& node : nodes_) {
    const Instant stalled_until = node->mood().stalled_until;
    node->mood() = DiskMood();
    node->mood().stalled_until = stalled_until;
    node->disk()->FailReads(false);
    node->disk()->SetFreeBytes(std::nullopt);
  }
  for (const std::size_t index : active_) {
    const Fault& fault = (*plan_)[index];
    SimNode& node = *nodes_[fault.node];
    if (fault.kind == FaultKind::kDiskSlow) {
      node.mood().sync_min = 5ms;
      node.mood().sync_max = 5ms + (fault.draw % 400) * 1ms;
      node.mood().slow_max = std::max(node.mood().slow_max, node.mood().sync_max);
    }
    if (fault.kind == FaultKind::kReadError) node.disk()->FailReads(true);
    if (fault.kind == FaultKind::kDiskFull) node.disk()->SetFreeBytes(fault.draw % 1'000'000);
  }
}

void FaultInjector::HealAll() {
  running_ = false;
  active_.clear();
  RefreshLinks();
  RefreshDisks();
  for (const auto& node : nodes_) {
    node->mood() = DiskMood();
    node->SetSlowApply(false);
    node->clock().SetRate(0);
    node->clock().SetWallOffset(0);
    if (node->IsPaused()) node->SetPaused(false);
    if (node->IsStopping() || node->IsBroken()) Kill(*node);
    node->disk()->FailNextWrite(false);
    RestartIfDown(*node);
  }
}

}  // namespace kommander::sim
