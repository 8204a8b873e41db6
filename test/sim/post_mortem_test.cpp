// Plans of seeds that end their process are cut down by processes of their own.
#include "post_mortem.hpp"

#include <algorithm>
#include <cstdlib>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "catch.hpp"

using namespace kommander::sim;
using namespace std::chrono_literals;

namespace {

std::vector<Fault> Plan(std::initializer_list<FaultKind> kinds) {
  std::vector<Fault> plan;
  for (const FaultKind kind : kinds) plan.emplace_back().kind = kind;
  return plan;
}

bool Has(const std::vector<Fault>& plan, FaultKind kind) {
  return std::any_of(plan.begin(), plan.end(),
                     [kind](const Fault& fault) { return fault.kind == kind; });
}

constexpr int StatusOfExit(int code) { return code << 8; }

}  // namespace

TEST_CASE("a plan is cut down to what ends its process in the same way") {
  static_assert(WIFEXITED(StatusOfExit(7)) && WEXITSTATUS(StatusOfExit(7)) == 7);
  const std::vector<Fault> plan = Plan({FaultKind::kStop, FaultKind::kRing, FaultKind::kPause,
                                        FaultKind::kLose, FaultKind::kBridge});
  const auto run = [](const std::vector<Fault>& candidate) {
    if (!Has(candidate, FaultKind::kPause)) return;
    // The test framework's handler would have its say in this process too.
    ::signal(SIGABRT, SIG_DFL);
    if (!Has(candidate, FaultKind::kLose)) std::abort();
    ::_exit(Has(candidate, FaultKind::kStop) ? 7 : 8);
  };
  const PostMortem found = ShrinkDeadly(plan, StatusOfExit(7), {}, run);
  REQUIRE(found.is_repeated);
  CHECK(found.shrunk.is_minimal);
  CHECK(found.shrunk.plan == Plan({FaultKind::kStop, FaultKind::kPause, FaultKind::kLose}));

  CHECK_FALSE(ShrinkDeadly(plan, StatusOfExit(8), {}, run).is_repeated);
  CHECK_FALSE(ShrinkDeadly(plan, SIGABRT, {}, run).is_repeated);
  const PostMortem aborted =
      ShrinkDeadly(Plan({FaultKind::kRing, FaultKind::kPause}), SIGABRT, {}, run);
  REQUIRE(aborted.is_repeated);
  CHECK(aborted.shrunk.plan == Plan({FaultKind::kPause}));
}

TEST_CASE("of a plan that takes too long nothing is known, and tries have an end") {
  PostMortemLimits limits;
  limits.run_max = 1s;
  const auto run = [](const std::vector<Fault>& candidate) {
    while (!Has(candidate, FaultKind::kStop)) ::pause();
    ::_exit(7);
  };
  const std::vector<Fault> plan = Plan({FaultKind::kStop, FaultKind::kRing});
  const PostMortem found = ShrinkDeadly(plan, StatusOfExit(7), limits, run);
  REQUIRE(found.is_repeated);
  CHECK(found.shrunk.plan == Plan({FaultKind::kStop}));
  CHECK_FALSE(found.shrunk.is_minimal);

  limits.runs_max = 0;
  CHECK(ShrinkDeadly(plan, StatusOfExit(7), limits, run).shrunk.plan == plan);
}
