// A forwarded write has its effect once, however often links bring it.
#include "runtime/forward_numbers.hpp"

#include <set>

#include "catch.hpp"
#include "raft/random.hpp"

namespace kommander::runtime {
namespace {

constexpr NodeId kAsker(2);

TEST_CASE("a number is an answer's once, and of its own life") {
  const auto always = [](raft::RequestId) { return true; };
  ForwardNumbers numbers(1);
  const std::uint64_t first = numbers.Begin(raft::RequestId(7), always);
  const std::uint64_t second = numbers.Begin(raft::RequestId(8), always);
  CHECK(second == first + 1);
  CHECK(numbers.End(second) == raft::RequestId(8));
  CHECK_FALSE(numbers.End(second));
  ForwardNumbers next_life(2);
  (void)next_life.Begin(raft::RequestId(7), always);
  CHECK_FALSE(next_life.End(first));
  CHECK(numbers.End(first) == raft::RequestId(7));
}

TEST_CASE("requests that wait no longer are forgotten, and only those") {
  std::set<std::uint64_t> open;
  ForwardNumbers numbers(1);
  const auto is_open = [&](raft::RequestId request) { return open.contains(request.value()); };
  std::uint64_t kept = 0;
  std::uint64_t gone = 0;
  for (std::uint64_t request = 1; request <= 1000; ++request) {
    if (request == 500) open.insert(request);
    const std::uint64_t number = numbers.Begin(raft::RequestId(request), is_open);
    if (request == 499) gone = number;
    if (request == 500) kept = number;
  }
  CHECK(numbers.End(kept) == raft::RequestId(500));
  CHECK_FALSE(numbers.End(gone));
}

TEST_CASE("what was here is not taken again, in any order") {
  raft::Random random(3);
  ForwardWindows windows;
  std::set<std::uint64_t> taken;
  std::uint64_t newest = 1'000'000;
  for (int round = 0; round < 20'000; ++round) {
    const std::uint64_t number = newest - random.Next() % 3000 + random.Next() % 3100;
    const bool is_admitted = windows.Admit(kAsker, number);
    if (is_admitted) CHECK(taken.insert(number).second);
    if (!is_admitted) {
      const bool is_old = number + ForwardWindows::kWindow <= newest;
      CHECK((is_old || taken.contains(number)));
    }
    newest = std::max(newest, number);
  }
  CHECK(taken.size() > 5000);
}

TEST_CASE("askers, and lives of one, do not share numbers") {
  ForwardWindows windows;
  const std::uint64_t life = std::uint64_t{1} << 62;
  CHECK(windows.Admit(kAsker, 5));
  CHECK(windows.Admit(NodeId(3), 5));
  CHECK(windows.Admit(kAsker, life));
  CHECK_FALSE(windows.Admit(kAsker, 5));  // of the life before
  CHECK(windows.Admit(kAsker, 6));
  CHECK_FALSE(windows.Admit(NodeId(3), 5));
  CHECK_FALSE(windows.Admit(kAsker, life));
}

TEST_CASE("askers that are heard stay known among many that come and go") {
  ForwardWindows windows;
  CHECK(windows.Admit(kAsker, 1));
  for (std::uint32_t other = 10; other < 1000; ++other) {
    CHECK(windows.Admit(NodeId(other), 1));
    CHECK_FALSE(windows.Admit(kAsker, 1));
  }
}

}  // namespace
}  // namespace kommander::runtime
