// Drawing plans.
#include "fault_plan.hpp"

#include <algorithm>

namespace kommander::sim {

using namespace std::chrono_literals;

std::string_view ToString(FaultKind kind) noexcept {
  static constexpr std::string_view kNames[] = {
      "power-loss", "torn-write",  "lost-entry",    "restart-storm", "abandon",    "stop",
      "pause",      "disk-stall",  "disk-slow",     "write-error",   "sync-error", "read-error",
      "disk-full",  "slow-apply",  "failing-apply", "lose",          "duplicate",  "reorder",
      "delay",      "cut-one-way", "cut-both-ways", "isolate",       "split",      "bridge",
      "ring",       "clog",        "reset",         "clock-rate",    "wall-jump",  "transfer",
      "step-down",  "reconfigure", "replace",       "impostor"};
  static_assert(std::size(kNames) == kFaultKinds);
  return kind < FaultKind::kCount ? kNames[static_cast<std::size_t>(kind)] : "?";
}

std::optional<FaultKind> FaultKindOf(std::string_view name) noexcept {
  for (std::size_t kind = 0; kind < kFaultKinds; ++kind) {
    if (ToString(static_cast<FaultKind>(kind)) == name) return static_cast<FaultKind>(kind);
  }
  return std::nullopt;
}

std::uint32_t NodesNeeded(FaultKind kind) noexcept {
  switch (kind) {
    case FaultKind::kRing: return 4;
    case FaultKind::kBridge:
    case FaultKind::kReplace:
    case FaultKind::kImpostor: return 3;
    case FaultKind::kTransfer:
    case FaultKind::kReconfigure:
    case FaultKind::kReset: return 2;
    default: return kind >= FaultKind::kLose && kind <= FaultKind::kClog ? 2 : 1;
  }
}

namespace {

// How long a fault of the kind lasts.
Duration DrawLength(Chance& chance, FaultKind kind) {
  switch (kind) {
    // Some are shorter than an election, some longer than any patience (1 s to 30 s).
    case FaultKind::kDiskStall:
      return chance.OneIn(3) ? chance.Between(1s, 30s) : chance.Between(100ms, 2s);
    case FaultKind::kReplace:
    case FaultKind::kImpostor: return chance.Between(400ms, chance.OneIn(4) ? 10s : 3s);
    case FaultKind::kPowerLoss:
    case FaultKind::kAbandon:
    case FaultKind::kStop: return chance.Between(400ms, chance.OneIn(4) ? 10s : 2s);
    case FaultKind::kRestartStorm: return chance.Between(400ms, 3s);
    case FaultKind::kPause: return chance.Between(20ms, chance.OneIn(4) ? 8s : 1s);
    case FaultKind::kReset:
    case FaultKind::kTransfer:
    case FaultKind::kStepDown:
    case FaultKind::kReconfigure: return 0ms;
    default: return chance.Between(100ms, chance.OneIn(4) ? 12s : 3s);
  }
}

Fault DrawFault(Chance& chance, const FaultPlanOptions& options, FaultKind kind, Duration at) {
  Fault fault;
  fault.kind = kind;
  fault.at = at;
  fault.length = std::min(DrawLength(chance, kind), options.length - at);
  fault.node = static_cast<std::uint32_t>(chance.Below(options.nodes));
  fault.other = static_cast<std::uint32_t>(chance.Below(options.nodes));
  fault.partition = static_cast<std::uint32_t>(chance.Between(0, options.partitions));
  fault.draw = chance.Next();
  return fault;
}

// Stores are made when nodes start for the first time: that is when something can be lost of it.
void AddLostEntries(Chance& chance, const FaultPlanOptions& options, std::vector<Fault>& plan) {
  std::vector<Fault> more;
  for (std::uint64_t left = chance.Between(1, 3); left > 0; --left) {
    const Duration at = chance.OneIn(2) ? Duration(0) : chance.Between(0ms, 100ms);
    more.push_back(DrawFault(chance, options, FaultKind::kLostEntry, std::min(at, options.length)));
  }
  for (const Fault& fault : plan) {
    const bool arrives = fault.kind == FaultKind::kReplace || fault.kind == FaultKind::kImpostor;
    if (!arrives || chance.OneIn(2)) continue;
    Fault lost = DrawFault(chance, options, FaultKind::kLostEntry,
                           fault.at + fault.length - fault.length / 8);
    lost.node = fault.node;
    more.push_back(lost);
  }
  plan.insert(plan.end(), more.begin(), more.end());
  std::stable_sort(plan.begin(), plan.end(),
                   [](const Fault& a, const Fault& b) { return a.at < b.at; });
}

}  // namespace

std::vector<Fault> DrawFaultPlan(Chance& chance, const FaultPlanOptions& options) {
  std::vector<std::uint32_t> weights(kFaultKinds);
  std::uint64_t sum = 0;
  for (std::size_t kind = 0; kind < kFaultKinds; ++kind) {
    const bool is_left_out = chance.OneIn(3);
    weights[kind] = is_left_out ? 0 : static_cast<std::uint32_t>(chance.Between(1, 10));
    if (!options.kinds[kind]) weights[kind] = 0;
    sum += weights[kind];
  }
  for (std::size_t kind = 0; kind < kFaultKinds && sum == 0; ++kind) {
    if (options.kinds[kind]) sum = weights[kind] = 1;
  }
  std::vector<Fault> plan;
  if (sum == 0) return plan;
  // Storms of faults and quiet weather differ by more than a factor of ten.
  const Duration pause_max = std::chrono::milliseconds(chance.Between(200, 6000));
  Duration now = chance.OneIn(3) ? Duration(0) : chance.Between(0ms, 5s);
  for (;;) {
    now += chance.Between(1ms, pause_max);
    if (now >= options.length) break;
    std::uint64_t dice = chance.Below(sum);
    std::size_t kind = 0;
    while (dice >= weights[kind]) dice -= weights[kind++];
    plan.push_back(DrawFault(chance, options, static_cast<FaultKind>(kind), now));
  }
  if (weights[static_cast<std::size_t>(FaultKind::kLostEntry)] != 0) {
    AddLostEntries(chance, options, plan);
  }
  return plan;
}

}  // namespace kommander::sim
