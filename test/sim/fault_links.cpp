// What faults do to the links between nodes.
#include "fault_injector.hpp"

namespace kommander::sim {

using namespace std::chrono_literals;

void FaultInjector::RefreshLinks() {
  network_.Heal();
  for (const Active& active : active_) {
    if (IsOfLinks((*plan_)[active.index].kind)) ApplyToLinks((*plan_)[active.index]);
  }
}

LinkFaults& FaultInjector::LinkOf(std::uint32_t from, std::uint32_t to) {
  return network_.Link(nodes_[from]->id(), nodes_[to]->id());
}

// Links between the nodes whose bit in `side` differs die; those of the spared node live.
void FaultInjector::CutBetween(std::uint64_t side, std::uint32_t spared) {
  for (std::uint32_t a = 0; a < nodes_.size(); ++a) {
    for (std::uint32_t b = 0; b < nodes_.size(); ++b) {
      if (a == spared || b == spared || ((side >> a) & 1) == ((side >> b) & 1)) continue;
      LinkOf(a, b).cut = true;
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
        if (a != b && is_hit) change(LinkOf(a, b));
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
    case FaultKind::kCutBothWays: LinkOf(fault.other, fault.node).cut = true; [[fallthrough]];
    case FaultKind::kCutOneWay: LinkOf(fault.node, fault.other).cut = true; break;
    case FaultKind::kIsolate: CutBetween(std::uint64_t{1} << fault.node, kNobody); break;
    case FaultKind::kSplit: CutBetween(fault.draw, kNobody); break;
    case FaultKind::kBridge: CutBetween(fault.draw, fault.node); break;
    case FaultKind::kRing:
      for (std::uint32_t a = 0; a < count; ++a) {
        for (std::uint32_t b = 0; b < count; ++b) {
          const bool are_neighbours = (a + 1) % count == b || (b + 1) % count == a;
          if (a != b && !are_neighbours) LinkOf(a, b).cut = true;
        }
      }
      break;
    case FaultKind::kClog: {
      const auto quarter = static_cast<std::uint64_t>(world_.Now().time_since_epoch() / 50ms);
      Chance chance(fault.draw ^ quarter);
      for (std::uint32_t a = 0; a < count; ++a) {
        for (std::uint32_t b = 0; b < count; ++b) {
          if (a != b && chance.OneIn(2)) LinkOf(a, b).cut = true;
        }
      }
      break;
    }
    default: break;
  }
}

}  // namespace kommander::sim
