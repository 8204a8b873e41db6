// Drawing plans.
#include "fault_plan.hpp"

#include <algorithm>

namespace kommander::sim {

using namespace std::chrono_literals;

std::string_view ToString(FaultKind kind) noexcept {
  static constexpr std::string_view kNames[] = {
      "power-loss", "restart-storm", "abandon",     "stop",          "pause",      "disk-stall",
      "disk-slow",  "disk-error",    "read-error",  "disk-full",     "lose",       "duplicate",
      "reorder",    "delay",         "cut-one-way", "cut-both-ways", "isolate",    "split",
      "bridge",     "ring",          "clog",        "reset",         "clock-rate", "wall-jump",
      "transfer",   "step-down",     "reconfigure"};
  static_assert(std::size(kNames) == kFaultKinds);
  return kind < FaultKind::kCount ? kNames[static_cast<std::size_t>(kind)] : "?";
}

namespace {

// How long a fault of the kind lasts.
Duration DrawLength(Chance& chance, FaultKind kind) {
  switch (kind) {
    case FaultKind::kDiskStall: return chance.Between(100ms, chance.OneIn(4) ? 15s : 2s);
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

}  // namespace

std::vector<Fault> DrawFaultPlan(Chance& chance, const FaultPlanOptions& options) {
  std::vector<std::uint32_t> weights(kFaultKinds);
  std::uint64_t sum = 0;
  for (std::uint32_t& weight : weights) {
    weight = chance.OneIn(3) ? 0 : static_cast<std::uint32_t>(chance.Between(1, 10));
    sum += weight;
  }
  if (sum == 0) sum = weights[0] = 1;
  std::vector<Fault> plan;
  // Storms of faults and quiet weather differ by more than a factor of ten.
  const Duration pause_max = std::chrono::milliseconds(chance.Between(200, 6000));
  Duration now = chance.OneIn(3) ? Duration(0) : chance.Between(0ms, 5s);
  for (;;) {
    now += chance.Between(1ms, pause_max);
    if (now >= options.length) return plan;
    std::uint64_t dice = chance.Below(sum);
    std::size_t kind = 0;
    while (dice >= weights[kind]) dice -= weights[kind++];
    Fault fault;
    fault.kind = static_cast<FaultKind>(kind);
    fault.at = now;
    fault.length = std::min(DrawLength(chance, fault.kind), options.length - now);
    fault.node = static_cast<std::uint32_t>(chance.Below(options.nodes));
    fault.other = static_cast<std::uint32_t>(chance.Below(options.nodes));
    fault.partition = static_cast<std::uint32_t>(chance.Between(0, options.partitions));
    fault.draw = chance.Next();
    plan.push_back(fault);
  }
}

}  // namespace kommander::sim
