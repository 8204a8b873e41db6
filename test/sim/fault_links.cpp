// What faults do to the links between nodes.
#include "fault_injector.hpp"
#include "swizzle.hpp"

namespace kommander::sim {

using namespace std::chrono_literals;

void FaultInjector::RefreshLinks() {
  network_.Heal();
  for (const Active& active : active_) {
    if (IsOfLinks((*plan_)[active.index].kind)) ApplyToLinks(active);
  }
}

LinkFaults& FaultInjector::LinkOf(std::uint32_t from, std::uint32_t to) {
  return network_.Link(nodes_[from]->id(), nodes_[to]->id());
}

// Links between the nodes whose bit in `side` differs die; those of the spared node live.
void FaultInjector::CutBetween(std::uint64_t side, std::uint32_t spared, FaultMark mark) {
  for (std::uint32_t a = 0; a < nodes_.size(); ++a) {
    for (std::uint32_t b = 0; b < nodes_.size(); ++b) {
      if (a == spared || b == spared || ((side >> a) & 1) == ((side >> b) & 1)) continue;
      LinkOf(a, b).Cut(mark);
    }
  }
}

void FaultInjector::ApplySwizzle(const Active& active) {
  const Fault& fault = (*plan_)[active.index];
  const Duration now = world_.Now() - active.began;
  const auto count = static_cast<std::uint32_t>(nodes_.size());
  for (const Outage& outage : DrawSwizzle(fault.draw, count, fault.length)) {
    if (outage.down > now || now >= outage.up) continue;
    LinkOf(outage.from, outage.to).Cut(MarkOf(active.index));
  }
}

void FaultInjector::ApplyToLinks(const Active& active) {
  const Fault& fault = (*plan_)[active.index];
  const FaultMark mark = MarkOf(active.index);
  constexpr std::uint32_t kNobody = ~std::uint32_t{0};
  const auto count = static_cast<std::uint32_t>(nodes_.size());
  const auto permille = static_cast<std::uint32_t>(10 + fault.draw % 400);
  // The milder kinds hit one link, or all of them.
  const auto each = [&](auto change) {
    for (std::uint32_t a = 0; a < count; ++a) {
      for (std::uint32_t b = 0; b < count; ++b) {
        const bool is_hit = fault.draw % 3 == 0 || (a == fault.node && b == fault.other);
        if (a != b && is_hit) change(LinkOf(a, b));
      }
    }
  };
  switch (fault.kind) {
    case FaultKind::kLose:
      each([&](LinkFaults& link) { link.lose_permille = permille, link.lost_by = mark; });
      break;
    case FaultKind::kDuplicate:
      each(
          [&](LinkFaults& link) { link.duplicate_permille = permille, link.duplicated_by = mark; });
      break;
    case FaultKind::kReorder:
      each([&](LinkFaults& link) { link.reorder_permille = permille, link.reordered_by = mark; });
      break;
    case FaultKind::kDelay:
      each([&](LinkFaults& link) { link.delay_max = permille * 1ms, link.delayed_by = mark; });
      break;
    case FaultKind::kCutBothWays: LinkOf(fault.other, fault.node).Cut(mark); [[fallthrough]];
    case FaultKind::kCutOneWay: LinkOf(fault.node, fault.other).Cut(mark); break;
    case FaultKind::kIsolate: CutBetween(std::uint64_t{1} << fault.node, kNobody, mark); break;
    case FaultKind::kSplit: CutBetween(fault.draw, kNobody, mark); break;
    case FaultKind::kBridge: CutBetween(fault.draw, fault.node, mark); break;
    case FaultKind::kRing:
      for (std::uint32_t a = 0; a < count; ++a) {
        for (std::uint32_t b = 0; b < count; ++b) {
          const bool are_neighbours = (a + 1) % count == b || (b + 1) % count == a;
          if (a != b && !are_neighbours) LinkOf(a, b).Cut(mark);
        }
      }
      break;
    case FaultKind::kClog: ApplySwizzle(active); break;
    default: break;
  }
}

}  // namespace kommander::sim
