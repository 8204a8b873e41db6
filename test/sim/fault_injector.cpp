// When faults begin and end, and which of them count.
#include "fault_injector.hpp"

#include <algorithm>
#include <numeric>

namespace kommander::sim {

using namespace std::chrono_literals;

FaultInjector::FaultInjector(World& world, SimNetwork& network,
                             std::vector<std::unique_ptr<SimNode>>& nodes, Workload& workload,
                             Replacement& replacement, const ClusterOptions& cluster)
    : world_(world),
      network_(network),
      nodes_(nodes),
      workload_(workload),
      replacement_(replacement),
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

bool FaultInjector::IsOfLinks(FaultKind kind) noexcept {
  return kind >= FaultKind::kLose && kind <= FaultKind::kClog;
}
bool FaultInjector::IsOfMoods(FaultKind kind) noexcept {
  return kind == FaultKind::kDiskSlow || kind == FaultKind::kReadError ||
         kind == FaultKind::kDiskFull || kind == FaultKind::kSlowApply ||
         kind == FaultKind::kFailingApply;
}

// What grows with every effect of such a fault; none for those whose strike is the effect. Where
// two faults of one kind overlap, an effect is counted as one of both.
std::optional<std::uint64_t> FaultInjector::Effects(FaultKind kind, SimNode& node) const {
  switch (kind) {
    case FaultKind::kTornWrite: return node.disk()->effects().units_torn;
    case FaultKind::kLostEntry: return node.disk()->effects().operations_lost;
    case FaultKind::kWriteError: return node.disk()->effects().write_errors;
    case FaultKind::kSyncError: return node.disk()->effects().sync_errors;
    case FaultKind::kReadError: return node.disk()->effects().read_errors;
    case FaultKind::kDiskFull: return node.disk()->effects().found_full;
    case FaultKind::kDiskStall: return node.mood().stalls;
    case FaultKind::kDiskSlow: return node.mood().slow_syncs;
    case FaultKind::kSlowApply: return node.apply().slowed;
    case FaultKind::kFailingApply: return node.apply().failed;
    case FaultKind::kLose: return network_.counters().lost;
    case FaultKind::kDuplicate: return network_.counters().duplicated;
    case FaultKind::kReorder: return network_.counters().reordered;
    case FaultKind::kDelay: return network_.counters().delayed;
    case FaultKind::kImpostor: return replacement_.impostors_refused();
    default: return IsOfLinks(kind) ? std::optional(network_.counters().cut) : std::nullopt;
  }
}

void FaultInjector::Count(FaultKind kind) noexcept { ++counts_[static_cast<std::size_t>(kind)]; }

void FaultInjector::Start(std::size_t index) {
  if (!running_) return;
  const Fault& fault = (*plan_)[index];
  Active active{index, nodes_[fault.node].get(), {}};
  active.before = Effects(fault.kind, *active.node);
  if (!Strike(fault)) return;
  // An answer decides about those.
  const bool is_asked = fault.kind >= FaultKind::kTransfer && fault.kind <= FaultKind::kReconfigure;
  if (!active.before && !is_asked) Count(fault.kind);
  world_.trace().Event(world_.Now(), "fault", static_cast<std::uint64_t>(fault.kind), fault.node,
                       fault.other, fault.partition);
  if (fault.length <= Duration(0)) return;
  active_.push_back(active);
  std::sort(active_.begin(), active_.end(),
            [](const Active& a, const Active& b) { return a.index < b.index; });
  Refresh(fault.kind);
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
  const auto found = std::find_if(active_.begin(), active_.end(),
                                  [&](const Active& active) { return active.index == index; });
  const Active active = *found;
  active_.erase(found);
  const Fault& fault = (*plan_)[index];
  world_.trace().Event(world_.Now(), "fault-over", static_cast<std::uint64_t>(fault.kind),
                       fault.node);
  Release(fault);
  CountIfEffective(active);
  Refresh(fault.kind);
}

void FaultInjector::CountIfEffective(const Active& active) {
  const FaultKind kind = (*plan_)[active.index].kind;
  if (active.before && *active.before != Effects(kind, *active.node)) Count(kind);
}

void FaultInjector::Refresh(FaultKind kind) {
  if (IsOfLinks(kind)) RefreshLinks();
  if (IsOfMoods(kind)) RefreshMoods();
}

void FaultInjector::HealAll() {
  if (replacement_.IsOpen()) replacement_.Arrive();
  for (const Active& active : active_) CountIfEffective(active);
  for (const auto& [kind, operation] : asked_) {
    const ClientOperation* answer = workload_.Answer(operation);
    if (answer != nullptr && !answer->error) Count(kind);
  }
  running_ = false;
  active_.clear();
  RefreshLinks();
  RefreshMoods();
  for (const auto& node : nodes_) {
    node->mood() = DiskMood();
    node->HealApply();
    node->clock().SetRate(0);
    node->clock().SetWallOffset(0);
    if (node->IsPaused()) node->SetPaused(false);
    for (const DiskMoment moment : {DiskMoment::kWrite, DiskMoment::kTask}) {
      node->disk()->Await(moment, nullptr);
    }
    if (node->IsStopping() || node->IsBroken()) Kill(*node);
    node->disk()->FailNextWrite(WriteFault::kNone);
    RestartIfDown(*node);
  }
}

}  // namespace kommander::sim
