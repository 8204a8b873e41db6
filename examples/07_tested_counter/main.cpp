// A user's application in the simulation: clients add to a counter and read it while nodes die,
// hang and lose each other. No answer may forget an earlier one, and everything counts once. Try:
//   07_tested_counter --seeds 1..1000        all good
//   07_planted_bug --seeds 1..1000           the same with a defect: which seed, why, which faults
//   07_planted_bug --no-faults               which it takes faults to see
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
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
    for (std::uint64_t request = 1; client.IsLoadWanted(); ++request) {
      if (client.random().OneIn(2)) {
        co_await Add(client, request);
      } else {
        co_await Read(client);
      }
      co_await client.Sleep(client.random().Between(1ms, 100ms));
    }
  }

  void CheckEnd() override {
    ForEachNode([&](NodeId node, const Counter& counter) {
      if (counter.sum() == added_) return;
      Violate("everything counts once", "node " + std::to_string(node.value()) + " has " +
                                            std::to_string(counter.sum()) + ", but " +
                                            std::to_string(added_) + " were added");
    });
  }

 private:
  // Until there is an answer, for nobody can tell whether a request without one was carried out.
  boost::asio::awaitable<void> Add(testing::Client<Counter> client, std::uint64_t request) {
    const auto number = static_cast<std::int64_t>(1 + client.random().Below(9));
    const std::int64_t before = told_;
    for (;;) {
      const std::int64_t least = std::max(told_, before + number);
      const NodeId node = client.PickNode(1);
      const testing::Reply<std::int64_t> sum =
          co_await client.Call(node, &Counter::Add, client.number(), request, number);
      if (sum) {
        added_ += number;
        Judge(node, least, *sum);
        co_return;
      }
      co_await client.Sleep(client.random().Between(1ms, 100ms));
    }
  }

  boost::asio::awaitable<void> Read(testing::Client<Counter> client) {
    const std::int64_t told = told_;
    const NodeId node = client.PickNode(1);
    const testing::Reply<std::int64_t> sum = co_await client.Call(node, &Counter::Read);
    if (sum) Judge(node, told, *sum);
  }

  void Judge(NodeId node, std::int64_t least, std::int64_t sum) {
    told_ = std::max(told_, sum);
    if (sum >= least) return;
    Violate("no answer forgets an earlier one", "node " + std::to_string(node.value()) + " says " +
                                                    std::to_string(sum) + ", but " +
                                                    std::to_string(least) + " was known before");
  }

  std::int64_t told_ = 0;   // the greatest sum in any answer
  std::int64_t added_ = 0;  // what was acknowledged, each request once
};

int main(int argc, char** argv) {
  return testing::Main<CounterScenario>(argc, argv, testing::Options().Seeds(1, 50));
}
