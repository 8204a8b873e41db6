// Waiting proposals against a plain list.
#include "raft/waiters.hpp"

#include <algorithm>

#include "catch.hpp"
#include "raft/random.hpp"

using namespace kommander;
using namespace kommander::raft;

namespace {

std::vector<std::uint64_t> Sorted(const std::vector<Waiter>& waiters) {
  std::vector<std::uint64_t> requests;
  for (const Waiter& waiter : waiters) requests.push_back(waiter.request.value());
  std::sort(requests.begin(), requests.end());
  return requests;
}

template <class Predicate>
std::vector<Waiter> TakeFrom(std::vector<Waiter>& model, Predicate predicate) {
  std::vector<Waiter> taken;
  std::erase_if(model, [&](const Waiter& waiter) {
    if (!predicate(waiter)) return false;
    taken.push_back(waiter);
    return true;
  });
  return taken;
}

}  // namespace

TEST_CASE("waiters against a plain list, through leaderships and truncations") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    Waiters waiters;
    std::vector<Waiter> model;
    std::uint64_t request = 0;
    std::uint64_t last = 0;
    std::uint64_t now = 0;
    for (int i = 0; i < 200; ++i) {
      std::vector<Waiter> taken;
      std::vector<Waiter> expected;
      switch (random.Below(8)) {
        case 0:
        case 1:
        case 2: {
          last += 1 + random.Below(3);
          Waiter waiter{RequestId(++request), LogIndex(last), Term(1), kNever};
          if (random.Below(2) == 0) {
            waiter.deadline = Instant(Duration(static_cast<std::int64_t>(now + random.Below(50))));
          }
          waiters.Add(waiter);
          model.push_back(waiter);
          break;
        }
        case 3:
          waiters.Orphan();
          last -= random.Below(std::min<std::uint64_t>(last, 10) + 1);
          break;
        case 4: {
          const LogIndex limit(random.Below(last + 1));
          waiters.TakeUpTo(limit, taken);
          expected = TakeFrom(model, [&](const Waiter& w) { return w.index <= limit; });
          break;
        }
        case 5: {
          now += random.Below(20);
          const Instant instant{Duration(static_cast<std::int64_t>(now))};
          waiters.TakeExpired(instant, taken);
          expected = TakeFrom(model, [&](const Waiter& w) { return w.deadline <= instant; });
          break;
        }
        case 6: {
          std::vector<RequestId> requests;
          for (std::uint64_t r = 1; r <= request; r += 1 + random.Below(9)) {
            requests.emplace_back(r);
          }
          waiters.TakeRequests(requests, taken);
          expected = TakeFrom(model, [&](const Waiter& w) {
            return std::find(requests.begin(), requests.end(), w.request) != requests.end();
          });
          break;
        }
        case 7:
          if (random.Below(5) != 0) break;
          waiters.TakeAll(taken);
          expected = std::move(model);
          model.clear();
          break;
      }
      REQUIRE(Sorted(taken) == Sorted(expected));
      REQUIRE(waiters.size() == model.size());
      for (const Waiter& waiter : model) REQUIRE(waiters.EarliestDeadline() <= waiter.deadline);
    }
  }
}
