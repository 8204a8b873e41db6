// A user's application in the simulation: clients add to a counter and read it while nodes die,
// hang and lose each other, and no answer may forget an earlier one. Try it:
//   04_tested_counter --seeds 1..1000        all good
//   04_planted_bug --seeds 1..1000           the same with a defect: which seed, why, which faults
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include <kommander/testing.hpp>

#include "counter.hpp"

using namespace kommander;
using namespace std::chrono_literals;

class CounterScenario : public testing::Scenario<Counter> {
 public:
  std::unique_ptr<Counter> MakeApplication(testing::Node node) override {
    return std::make_unique<Counter>(node.raft());
  }

  boost::asio::awaitable<void> RunClient(testing::Client<Counter> client) override {
    while (client.IsLoadWanted()) {
      const bool adds = client.random().OneIn(2);
      const std::int64_t number =
          adds ? 1 + static_cast<std::int64_t>(client.random().Below(9)) : 0;
      // What the answer has to include: everything that anybody has been told before the call.
      const std::int64_t told = told_;
      begun_ += number;
      const NodeId node = client.PickNode(1);
      testing::Reply<std::int64_t> sum = adds ? co_await client.Call(node, &Counter::Add, number)
                                              : co_await client.Call(node, &Counter::Read);
      Judge(node, number, told, sum);
      co_await client.Sleep(client.random().Between(1ms, 100ms));
    }
  }

  void CheckEnd() override {
    std::optional<std::int64_t> first;
    ForEachNode([&](NodeId node, const Counter& counter) {
      if (!first) first = counter.sum();
      if (counter.sum() == *first && *first >= acknowledged_ && *first <= begun_ - refused_) return;
      Violate("sums agree", "node " + std::to_string(node.value()) + " has " +
                                std::to_string(counter.sum()) + ", another " +
                                std::to_string(*first) + "; " + std::to_string(acknowledged_) +
                                " were acknowledged, " + std::to_string(begun_ - refused_) +
                                " may have been added");
    });
  }

 private:
  void Judge(NodeId node, std::int64_t number, std::int64_t told,
             const testing::Reply<std::int64_t>& sum) {
    if (sum) {
      acknowledged_ += number;
      told_ = std::max(told_, *sum);
    } else if (!IsOutcomeUnknown(sum.error())) {
      refused_ += number;
    }
    if (!sum || *sum >= told + number) return;
    Violate("no answer forgets an earlier one",
            "node " + std::to_string(node.value()) + " says " + std::to_string(*sum) + ", but " +
                std::to_string(told + number) + " was known before");
  }

  std::int64_t told_ = 0;          // the greatest sum in any answer
  std::int64_t begun_ = 0;         // everything that somebody tried to add
  std::int64_t acknowledged_ = 0;  // of that, with success
  std::int64_t refused_ = 0;       // of that, certainly without effect
};

int main(int argc, char** argv) {
  return testing::Main<CounterScenario>(argc, argv, testing::Options().Seeds(1, 50));
}
