// What a user writes: how the application of a node is made, what its clients do, and what must
// hold. One object per run, so its members are the memory of that run; all of it is called on one
// thread.
//
//   class CounterScenario : public testing::Scenario<Counter> {
//     std::unique_ptr<Counter> MakeApplication(testing::Node node) override {
//       return std::make_unique<Counter>(node.raft());
//     }
//     asio::awaitable<void> RunClient(testing::Client<Counter> client) override;
//     void CheckEnd() override;
//   };
//   const testing::Result result = testing::Run<CounterScenario>(testing::Options().Seeds(1, 50));
//
// A run. Nodes start; clients and faults are at work for the given time, while the library's own
// invariants and Check are asked after every step of a node. Then everything is healed, clients
// come to their end, the cluster has to elect, write, converge and serve, and CheckEnd is asked
// while all nodes run and have applied the same entries. The first violation ends the run.
//
// The application sees deliveries at the same places as in production; between them lie entries of
// the simulation's own, as no-ops and configurations do in any log.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include <boost/asio/awaitable.hpp>

#include <kommander/testing/client.hpp>
#include <kommander/testing/cluster.hpp>
#include <kommander/testing/node.hpp>

namespace kommander::testing {

template <class Application>
class Scenario : public detail::ScenarioBase {
 public:
  // At every start of a node, before it joins: nothing is kept in memory across a restart. The
  // application lives for as long as anything of the node's process may still run.
  virtual std::unique_ptr<Application> MakeApplication(Node node) = 0;
  // One of Options::Clients at once. Must end soon after client.IsLoadWanted() turned false. An
  // exception that leaves it is a violation.
  virtual boost::asio::awaitable<void> RunClient(testing::Client<Application> client) = 0;
  // Called very often: keep it cheap.
  void Check() override {}
  void CheckEnd() override {}

 protected:
  // Ends the run. Names are for people; a plan is cut down to faults with which the same name
  // fails.
  void Violate(std::string invariant, std::string what) {
    cluster().Report(std::move(invariant), std::move(what));
  }
  [[nodiscard]] Instant Now() const noexcept { return cluster().Now(); }
  // function(NodeId, Application&) for every node that runs.
  template <class Function>
  void ForEachNode(Function function) const {
    for (std::size_t machine = 0; machine < cluster().machines(); ++machine) {
      void* application = cluster().ApplicationAt(machine);
      if (application == nullptr) continue;
      function(cluster().NodeAt(machine), *static_cast<Application*>(application));
    }
  }

 private:
  std::shared_ptr<void> Make(Node node) final { return MakeApplication(std::move(node)); }
  boost::asio::awaitable<void> StartClient(std::shared_ptr<detail::ClientState> state) final {
    return RunClient(testing::Client<Application>(std::move(state)));
  }
};

}  // namespace kommander::testing
