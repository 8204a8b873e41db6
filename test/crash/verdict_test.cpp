#include "verdict.hpp"

#include "catch.hpp"

namespace kommander::crash {
namespace {

constexpr std::size_t kMin = 100;

Result Of(bool is_complete, std::size_t cases, std::size_t problems) {
  Result result;
  result.is_complete = is_complete;
  result.cases = cases;
  result.problems = problems;
  return result;
}

TEST_CASE("a share of the crash matrix needs a case and no problem") {
  const MatrixOptions share;
  CHECK(IsWell(Of(true, 1, 0), share, kMin));
  CHECK_FALSE(IsWell(Of(true, 0, 0), share, kMin));
  CHECK_FALSE(IsWell(Of(true, 1, 1), share, kMin));
  CHECK_FALSE(IsWell(Of(false, 1, 0), share, kMin));
}

TEST_CASE("a whole crash matrix has a least number of cases") {
  MatrixOptions whole;
  whole.is_whole = true;
  CHECK(IsWell(Of(true, kMin, 0), whole, kMin));
  CHECK_FALSE(IsWell(Of(true, kMin - 1, 0), whole, kMin));
  CHECK_FALSE(IsWell(Of(true, 0, 0), whole, 0));
  CHECK_FALSE(IsWell(Of(true, kMin, 1), whole, kMin));
}

TEST_CASE("a control of the crash matrix succeeds by what it finds after a whole script") {
  MatrixOptions control;
  control.control = "no-syncs";
  CHECK(IsWell(Of(true, 10, 1), control, kMin));
  CHECK_FALSE(IsWell(Of(true, 10, 0), control, kMin));
  // The script did not pass on a sound disk: a broken log, not a seeing matrix.
  CHECK_FALSE(IsWell(Of(false, 0, 0), control, kMin));
  CHECK_FALSE(IsWell(Of(false, 10, 1), control, kMin));
}

}  // namespace
}  // namespace kommander::crash
