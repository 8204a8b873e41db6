// What faults do to nodes, their disks and their members, and how that is undone.
#include <algorithm>

#include "fault_injector.hpp"

namespace kommander::sim {

using namespace std::chrono_literals;

void FaultInjector::Kill(SimNode& node) {
  const std::uint64_t life = node.life();
  node.PowerLoss();
  workload_.OnNodeDied(node.id(), life);
}

// A node that was never started waits for its operator.
void FaultInjector::RestartIfDown(SimNode& node) {
  if (node.IsUp() || node.life() == 0) return;
  node.Bury();
  node.Start();
}

bool FaultInjector::Strike(std::size_t index) {
  const Fault& fault = (*plan_)[index];
  if (nodes_.size() < NodesNeeded(fault.kind)) return false;
  switch (fault.kind) {
    case FaultKind::kRestartStorm: {
      const auto is_up = [](const auto& node) { return node->IsUp(); };
      if (!std::any_of(nodes_.begin(), nodes_.end(), is_up)) return false;
      for (const auto& node : nodes_) Kill(*node);
      return true;
    }
    case FaultKind::kReset:
      return network_.DropConnection(nodes_[fault.node]->id(), nodes_[fault.other]->id());
    case FaultKind::kCutOneWay:
    case FaultKind::kCutBothWays: return fault.node != fault.other;
    case FaultKind::kTransfer:
    case FaultKind::kStepDown:
    case FaultKind::kReconfigure: return StrikeMembers(index);
    case FaultKind::kReplace:
    case FaultKind::kImpostor: return StrikeMachine(index);
    case FaultKind::kTornWrite: return StrikeAt(index, DiskMoment::kWrite, fault.draw % 90 * 1us);
    case FaultKind::kLostEntry: return StrikeAt(index, DiskMoment::kTask, 0us);
    default: return IsOfLinks(fault.kind) || StrikeNode(index);
  }
}

bool FaultInjector::StrikeNode(std::size_t index) {
  const Fault& fault = (*plan_)[index];
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
      node.mood().Stall(world_.Now() + fault.length, MarkOf(index), FaultMark(long_stalls_[index]));
      return true;
    case FaultKind::kWriteError:
      node.disk()->FailNextWrite(WriteFault::kWriteError, MarkOf(index));
      return true;
    case FaultKind::kSyncError:
      node.disk()->FailNextWrite(WriteFault::kSyncError, MarkOf(index));
      return true;
    case FaultKind::kSlowApply: return cluster_.coroutine_handlers;
    case FaultKind::kClockRate:
      // Up to a tenth, in both directions.
      node.clock().SetRate(static_cast<std::int64_t>(fault.draw % 200'001) - 100'000);
      return true;
    case FaultKind::kWallJump:
      node.clock().SetWallOffset(static_cast<std::int64_t>(fault.draw % 120'001) - 60'000);
      return true;
    default: return true;  // moods are refreshed by the caller
  }
}

// The power goes the next time that the disk is at work, `delay` after it has begun.
bool FaultInjector::StrikeAt(std::size_t index, DiskMoment moment, Duration delay) {
  SimNode& node = *nodes_[(*plan_)[index].node];
  if (node.disk()->IsAwaited(moment)) return false;
  node.disk()->Await(moment, [this, &node, index, moment, delay] {
    world_.PushAt(process_.record(), world_.Now() + delay, [this, &node, index, moment] {
      if (!running_ || !node.IsUp() || !node.disk()->IsIn(moment)) return;
      const DiskEffects before = node.disk()->effects();
      Kill(node);
      const DiskEffects& after = node.disk()->effects();
      MarkOf(index).Felt(moment == DiskMoment::kWrite
                             ? after.units_torn - before.units_torn
                             : after.operations_lost - before.operations_lost);
    });
  });
  return true;
}

bool FaultInjector::StrikeMachine(std::size_t index) {
  const Fault& fault = (*plan_)[index];
  if (!replacement_.CanWipe(fault.node)) return false;
  Kill(*nodes_[fault.node]);
  replacement_.Wipe(fault.node, fault.kind == FaultKind::kImpostor);
  wiped_by_ = index;
  RefreshLinks();
  return true;
}

void FaultInjector::Arrive() {
  const std::uint64_t before = replacement_.impostors_refused();
  if (replacement_.IsOpen()) replacement_.Arrive();
  if (replacement_.impostors_refused() != before) MarkOf(wiped_by_).Felt();
}

bool FaultInjector::Ask(std::size_t index, std::uint64_t operation) {
  asked_.emplace_back(index, operation);
  return true;
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

bool FaultInjector::StrikeMembers(std::size_t index) {
  const Fault& fault = (*plan_)[index];
  SimNode* leader = LeaderOf(fault.partition);
  if (leader == nullptr) return false;
  if (fault.kind == FaultKind::kTransfer) {
    return Ask(index, workload_.Transfer(*leader, fault.partition, nodes_[fault.other]->id()));
  }
  if (fault.kind == FaultKind::kStepDown) {
    return Ask(index, workload_.StepDown(*leader, fault.partition));
  }
  // The operator's changes come first: nobody asks for another one meanwhile.
  if (replacement_.IsOpen()) return false;
  // Every node is a voter, a learner or nothing; at least one votes. Nobody makes a voter of a node
  // whose vote does not count yet: the change could wait for ever for what it needs to begin. And
  // nobody leaves the system partition while it serves: it would hear of no node that is added
  // afterwards, and could not count its votes in the other partitions.
  if (!replacement_.CanCount(*nodes_[fault.node])) return false;
  Chance chance(fault.draw);
  std::vector<NodeId> voters{nodes_[fault.node]->id()};
  std::vector<NodeId> learners;
  for (const auto& node : nodes_) {
    if (node->id() == voters.front()) continue;
    const std::uint64_t dice = chance.Below(10);
    const bool votes = dice < 6 && replacement_.CanCount(*node);
    if (votes) voters.push_back(node->id());
    if (!votes && (dice < 8 || fault.partition == 0)) learners.push_back(node->id());
  }
  return Ask(index, workload_.Reconfigure(*leader, fault.partition,
                                          Configuration(std::move(voters), std::move(learners)),
                                          chance.Between(100ms, 5s)));
}

void FaultInjector::Release(const Fault& fault) {
  SimNode& node = *nodes_[fault.node];
  switch (fault.kind) {
    case FaultKind::kPowerLoss:
    case FaultKind::kAbandon: RestartIfDown(node); break;
    case FaultKind::kTornWrite:
      node.disk()->Await(DiskMoment::kWrite, nullptr);
      RestartIfDown(node);
      break;
    case FaultKind::kLostEntry:
      node.disk()->Await(DiskMoment::kTask, nullptr);
      RestartIfDown(node);
      break;
    case FaultKind::kStop:
      // Still not done: whoever runs it loses patience and pulls the plug.
      if (node.IsStopping()) Kill(node);
      RestartIfDown(node);
      break;
    case FaultKind::kRestartStorm:
      for (const auto& each : nodes_) RestartIfDown(*each);
      break;
    case FaultKind::kPause:
      if (node.IsPaused()) node.SetPaused(false);
      break;
    case FaultKind::kWriteError:
    case FaultKind::kSyncError:
    case FaultKind::kReadError:
      if (node.IsBroken()) Kill(node);
      RestartIfDown(node);
      break;
    case FaultKind::kClockRate: node.clock().SetRate(0); break;
    case FaultKind::kWallJump: node.clock().SetWallOffset(0); break;
    case FaultKind::kReplace:
    case FaultKind::kImpostor: Arrive(); break;
    default: break;
  }
}

void FaultInjector::RefreshMoods() {
  for (const auto& node : nodes_) {
    node->mood().Heal();
    node->disk()->FailReads(false);
    node->disk()->SetFreeBytes(std::nullopt);
    node->apply() = {cluster_.slow_apply_permille, cluster_.bad_apply_permille, {}, {}};
  }
  for (const Active& active : active_) {
    const Fault& fault = (*plan_)[active.index];
    SimNode& node = *nodes_[fault.node];
    const auto permille = static_cast<std::uint32_t>(50 + fault.draw % 500);
    const FaultMark mark = MarkOf(active.index);
    if (fault.kind == FaultKind::kDiskSlow) node.mood().Slow((fault.draw % 400) * 1ms, mark);
    if (fault.kind == FaultKind::kReadError) node.disk()->FailReads(true, mark);
    if (fault.kind == FaultKind::kDiskFull) node.disk()->SetFreeBytes(fault.draw % 1'000'000, mark);
    if (fault.kind == FaultKind::kSlowApply) {
      node.apply().slow_permille = permille;
      node.apply().slowed_by = mark;
    }
    if (fault.kind == FaultKind::kFailingApply) {
      node.apply().fail_permille = permille;
      node.apply().failed_by = mark;
    }
  }
}

}  // namespace kommander::sim
