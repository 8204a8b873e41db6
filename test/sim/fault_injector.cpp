// When faults begin and end, and which of them count.
#include "fault_injector.hpp"

#include <algorithm>

#include "swizzle.hpp"

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

FaultCounts FaultInjector::Counts() const {
  FaultCounts counts{};
  if (plan_ == nullptr) return counts;
  std::vector<std::uint64_t> effects = effects_;
  for (const auto& [index, operation] : asked_) {
    const ClientOperation* answer = workload_.Answer(operation);
    if (answer != nullptr && !answer->error) ++effects[index];
  }
  for (std::size_t i = 0; i < effects.size(); ++i) {
    if (effects[i] != 0) ++counts[static_cast<std::size_t>((*plan_)[i].kind)];
  }
  return counts;
}

std::uint64_t FaultInjector::LongDiskStalls() const {
  const auto is_long = [](std::uint64_t times) { return times != 0; };
  return static_cast<std::uint64_t>(
      std::count_if(long_stalls_.begin(), long_stalls_.end(), is_long));
}

void FaultInjector::Begin(const std::vector<Fault>& plan) {
  plan_ = &plan;
  effects_.assign(plan.size(), 0);
  long_stalls_.assign(plan.size(), 0);
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

bool FaultInjector::IsFeltAtOnce(FaultKind kind) noexcept {
  switch (kind) {
    case FaultKind::kTornWrite:
    case FaultKind::kLostEntry:
    case FaultKind::kWriteError:
    case FaultKind::kSyncError:
    case FaultKind::kDiskStall:
    // An answer decides about these.
    case FaultKind::kTransfer:
    case FaultKind::kStepDown:
    case FaultKind::kReconfigure:
    case FaultKind::kImpostor: return false;
    default: return !IsOfLinks(kind) && !IsOfMoods(kind);
  }
}

void FaultInjector::Start(std::size_t index) {
  if (!running_) return;
  const Fault& fault = (*plan_)[index];
  if (!Strike(index)) return;
  if (IsFeltAtOnce(fault.kind)) MarkOf(index).Felt();
  world_.trace().Event(world_.Now(), "fault", static_cast<std::uint64_t>(fault.kind), fault.node,
                       fault.other, fault.partition);
  if (fault.length <= Duration(0)) return;
  active_.push_back(Active{index, world_.Now()});
  std::sort(active_.begin(), active_.end(),
            [](const Active& a, const Active& b) { return a.index < b.index; });
  Refresh(fault.kind);
  world_.PushAt(process_.record(), world_.Now() + fault.length, [this, index] { End(index); });
  if (fault.kind != FaultKind::kClog) return;
  const auto count = static_cast<std::uint32_t>(nodes_.size());
  for (const Outage& outage : DrawSwizzle(fault.draw, count, fault.length)) {
    for (const Duration change : {outage.down, outage.up}) {
      world_.PushAt(process_.record(), world_.Now() + change, [this] { RefreshLinks(); });
    }
  }
}

void FaultInjector::End(std::size_t index) {
  if (!running_) return;
  const auto found = std::find_if(active_.begin(), active_.end(),
                                  [&](const Active& active) { return active.index == index; });
  active_.erase(found);
  const Fault& fault = (*plan_)[index];
  world_.trace().Event(world_.Now(), "fault-over", static_cast<std::uint64_t>(fault.kind),
                       fault.node);
  Release(fault);
  Refresh(fault.kind);
}

void FaultInjector::Refresh(FaultKind kind) {
  if (IsOfLinks(kind)) RefreshLinks();
  if (IsOfMoods(kind)) RefreshMoods();
}

void FaultInjector::HealAll() {
  Arrive();
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
