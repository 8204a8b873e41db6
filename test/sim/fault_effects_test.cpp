// Faults count when somebody has felt them, each for itself: what a fault of another kind, or
// another of its own kind, has done at the same time is not its merit.
#include <set>

#include "catch.hpp"
#include "simulation.hpp"
#include "swizzle.hpp"

using namespace kommander::sim;
using namespace std::chrono_literals;

namespace {

Fault MakeFault(FaultKind kind, std::uint32_t node, std::uint32_t other, std::uint64_t draw = 1) {
  Fault fault;
  fault.kind = kind;
  fault.at = 2s;
  fault.length = 2s;
  fault.node = node;
  fault.other = other;
  fault.draw = draw;
  return fault;
}

std::uint64_t CountOf(const SimulationResult& result, FaultKind kind) {
  return result.faults[static_cast<std::size_t>(kind)];
}

SimulationResult RunPlan(std::vector<Fault> plan) {
  SimulationOptions options;
  options.seed = 7;
  options.length = 5s;
  options.nodes = 3;
  options.plan = std::move(plan);
  return Simulation(options).Run();
}

}  // namespace

TEST_CASE("a fault that cuts nobody does not count for the cuts of another") {
  const SimulationResult result = RunPlan({
      MakeFault(FaultKind::kSplit, 0, 0, 0),     // all of them are on one side
      MakeFault(FaultKind::kIsolate, 1, 0),      // this one is felt
      MakeFault(FaultKind::kRing, 0, 0),         // three nodes in a ring hear each other
      MakeFault(FaultKind::kCutBothWays, 2, 2),  // a node has no link to itself
  });
  CHECK(result.IsGood());
  CHECK(result.network.cut > 0);
  CHECK(CountOf(result, FaultKind::kIsolate) == 1);
  CHECK(CountOf(result, FaultKind::kSplit) == 0);
  CHECK(CountOf(result, FaultKind::kRing) == 0);
  CHECK(CountOf(result, FaultKind::kCutBothWays) == 0);
}

TEST_CASE("of two faults of one kind that overlap, only the one that was felt counts") {
  const SimulationResult result = RunPlan({
      MakeFault(FaultKind::kLose, 0, 1, 3 * 100),  // a multiple of three hits every link
      MakeFault(FaultKind::kLose, 2, 2, 1),        // others hit one, and this is none
  });
  CHECK(result.IsGood());
  CHECK(result.network.lost > 0);
  CHECK(CountOf(result, FaultKind::kLose) == 1);
}

TEST_CASE("links that clog die one after the other and come back in another order") {
  for (std::uint64_t draw = 0; draw < 200; ++draw) {
    const auto nodes = static_cast<std::uint32_t>(2 + draw % 6);
    const std::vector<Outage> outages = DrawSwizzle(draw, nodes, 3s);
    INFO("draw " << draw);
    REQUIRE(outages.size() >= 2);
    std::set<std::pair<std::uint32_t, std::uint32_t>> links;
    std::set<kommander::Duration> instants;
    bool is_same_order = true;
    for (std::size_t i = 0; i < outages.size(); ++i) {
      const Outage& outage = outages[i];
      CHECK(outage.from != outage.to);
      CHECK(std::max(outage.from, outage.to) < nodes);
      CHECK((outage.down >= 0s && outage.down <= 1500ms));
      CHECK((outage.up >= 1500ms && outage.up <= 3s));
      links.emplace(outage.from, outage.to);
      instants.insert({outage.down, outage.up});
      if (i == 0) continue;
      CHECK(outages[i - 1].down <= outage.down);
      is_same_order = is_same_order && outages[i - 1].up <= outage.up;
    }
    CHECK(links.size() == outages.size());
    CHECK(instants.size() == 2 * outages.size());
    CHECK_FALSE(is_same_order);
  }
}

TEST_CASE("a clog is felt") {
  const SimulationResult result = RunPlan({MakeFault(FaultKind::kClog, 0, 0)});
  CHECK(result.IsGood());
  CHECK(CountOf(result, FaultKind::kClog) == 1);
}

TEST_CASE("a disk stall counts as a long one when somebody has waited for a second") {
  const auto stall = [](std::uint32_t node, kommander::Duration length) {
    Fault fault = MakeFault(FaultKind::kDiskStall, node, 0);
    fault.length = length;
    return fault;
  };
  // The third machine loses its power soon after its stall begins, and is back for the rest of it.
  Fault loss = MakeFault(FaultKind::kPowerLoss, 2, 0);
  loss.at = 2200ms;
  loss.length = 1500ms;
  const SimulationResult one = RunPlan({stall(0, 900ms), stall(1, 1800ms), stall(2, 2s), loss});
  CHECK(one.IsGood());
  CHECK(CountOf(one, FaultKind::kDiskStall) == 3);
  CHECK(one.long_disk_stalls == 1);
  const SimulationResult none = RunPlan({stall(0, 900ms), stall(2, 2s), loss});
  CHECK(CountOf(none, FaultKind::kDiskStall) == 2);
  CHECK(none.long_disk_stalls == 0);
}
