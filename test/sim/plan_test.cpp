// Plans of faults: what they draw, how they read and how they are cut down.
#include <set>

#include "catch.hpp"
#include "fault_plan.hpp"
#include "plan_text.hpp"
#include "shrink.hpp"
#include "simulation.hpp"

using namespace kommander::sim;
using namespace std::chrono_literals;

namespace {

std::vector<Fault> Draw(std::uint64_t seed) {
  Chance chance(seed);
  FaultPlanOptions options;
  options.nodes = 5;
  options.partitions = 3;
  return DrawFaultPlan(chance, options);
}

}  // namespace

TEST_CASE("every kind of fault is drawn sooner or later, and names are distinct") {
  std::set<FaultKind> drawn;
  std::set<std::string_view> names;
  bool has_long_stall = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    kommander::Duration before{};
    for (const Fault& fault : Draw(seed)) {
      CHECK(fault.at >= before);
      CHECK(fault.at + fault.length <= FaultPlanOptions().length);
      CHECK(fault.node < 5);
      before = fault.at;
      drawn.insert(fault.kind);
      names.insert(ToString(fault.kind));
      CHECK(FaultKindOf(ToString(fault.kind)) == fault.kind);
      has_long_stall |= fault.kind == FaultKind::kDiskStall && fault.length > 20s;
    }
  }
  CHECK(drawn.size() == kFaultKinds);
  CHECK(names.size() == kFaultKinds);
  CHECK(has_long_stall);
  CHECK_FALSE(FaultKindOf("?"));
}

TEST_CASE("a plan that is printed reads back as it was") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<Fault> plan = Draw(seed);
    std::vector<Fault> again{Fault()};
    std::string problem;
    REQUIRE(ParsePlan(PrintPlan(plan), again, problem));
    CHECK(again == plan);
  }
}

TEST_CASE("what is no plan is refused, with the line") {
  const std::string good = "1.000000000 0.500000000 pause 1 2 0 00ff\n";
  std::vector<Fault> plan;
  std::string problem;
  REQUIRE(ParsePlan("\n# a remark\n" + good, plan, problem));
  REQUIRE(plan.size() == 1);
  CHECK(plan[0].at == 1s);
  CHECK(plan[0].length == 500ms);
  CHECK(plan[0].node == 0);
  CHECK(plan[0].draw == 255);
  for (const char* bad :
       {"1.0 0.500000000 pause 1 2 0 00ff", "1.000000000 pause 1 2 0 00ff",
        "1.000000000 0.500000000 paus 1 2 0 00ff", "1.000000000 0.500000000 pause 0 2 0 00ff",
        "1.000000000 0.500000000 pause 1 2 0", "-1.000000000 0.5 pause 1 2 0 1",
        "1.000000000 0.500000000 pause 1 2 0 00ff more",
        "0.000000000 0.500000000 pause 1 2 0 00ff"}) {
    INFO(bad);
    CHECK_FALSE(ParsePlan(good + bad, plan, problem));
    CHECK(problem.find("line 2") != std::string::npos);
  }
}

TEST_CASE("shrinking finds the faults that are needed together, and no others") {
  const std::vector<Fault> plan = Draw(3);
  REQUIRE(plan.size() > 12);
  const Fault& first = plan[4];
  const Fault& second = plan[plan.size() - 3];
  const auto has = [](const std::vector<Fault>& list, const Fault& fault) {
    return std::find(list.begin(), list.end(), fault) != list.end();
  };
  const auto fails = [&](const std::vector<Fault>& candidate) {
    return has(candidate, first) && has(candidate, second);
  };
  const ShrunkPlan shrunk = ShrinkPlan(plan, 1000, fails);
  CHECK(shrunk.plan == std::vector<Fault>{first, second});
  CHECK(shrunk.is_minimal);
  CHECK(shrunk.runs < 100);
  const ShrunkPlan bounded = ShrinkPlan(plan, 5, fails);
  CHECK(bounded.runs == 5);
  CHECK_FALSE(bounded.is_minimal);
  CHECK(fails(bounded.plan));
  CHECK(ShrinkPlan(plan, 1000, [](const auto&) { return true; }).plan.empty());
}

// "No write is ever torn" does not hold: the runs of whole clusters that break it are cut down to
// one fault, and its text does it again.
TEST_CASE("a failing seed is cut down to a plan that fails again when it is read back") {
  SimulationOptions options;
  options.length = 15s;
  options.nodes = 3;
  const auto tears = [&](const std::vector<Fault>& plan) {
    SimulationOptions again = options;
    again.plan = plan;
    return Simulation(again).Run().faults[static_cast<std::size_t>(FaultKind::kTornWrite)] != 0;
  };
  do {
    ++options.seed;
    REQUIRE(options.seed < 50);
  } while (!tears(Simulation(options).plan()));
  const ShrunkPlan shrunk = ShrinkPlan(Simulation(options).plan(), 200, tears);
  REQUIRE(shrunk.plan.size() == 1);
  CHECK(shrunk.plan[0].kind == FaultKind::kTornWrite);
  std::vector<Fault> read;
  std::string problem;
  REQUIRE(ParsePlan(PrintPlan(shrunk.plan), read, problem));
  CHECK(tears(read));
  CHECK_FALSE(tears({}));
}
