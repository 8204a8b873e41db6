// Hosts a user's scenario in a simulated cluster: the guest of its nodes, and the other end of its
// clients' calls.
#pragma once

#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <kommander/testing/cluster.hpp>

#include "sim/guest.hpp"
#include "sim/sim_node.hpp"
#include "sim/world.hpp"

namespace kommander::testing {

class Host final : public sim::Guest, public detail::Cluster {
 public:
  Host(std::unique_ptr<detail::ScenarioBase> scenario, std::uint32_t clients);
  ~Host() override;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  [[nodiscard]] std::uint64_t calls() const noexcept { return last_call_; }

  // --- Guest ---
  void Enter(sim::World& world, sim::Checker& checker,
             const std::vector<std::unique_ptr<sim::SimNode>>& nodes,
             const sim::ClusterOptions& cluster) override;
  void Leave() override;
  std::shared_ptr<void> Begin(sim::SimNode& node, std::uint64_t seed) override;
  void ProcessEnded(const sim::ProcessRecord& process) override;
  void BeginLoad() override;
  void EndLoad() override { is_load_wanted_ = false; }
  [[nodiscard]] bool IsLoadOver() const override { return running_clients_ == 0; }
  void Stepped() override { scenario_->Check(); }
  void Converged() override { scenario_->CheckEnd(); }

  // --- Cluster ---
  [[nodiscard]] std::size_t machines() const noexcept override { return nodes_->size(); }
  [[nodiscard]] NodeId NodeAt(std::size_t machine) const noexcept override {
    return (*nodes_)[machine]->id();
  }
  [[nodiscard]] void* ApplicationAt(std::size_t machine) const noexcept override {
    return (*nodes_)[machine]->application();
  }
  [[nodiscard]] NodeId LeaderOf(PartitionId partition) const noexcept override;
  [[nodiscard]] std::uint32_t partitions() const noexcept override { return partitions_; }
  [[nodiscard]] Instant Now() const noexcept override { return world_->Now(); }
  [[nodiscard]] bool IsLoadWanted() const noexcept override { return is_load_wanted_; }
  void Report(std::string invariant, std::string what) override;
  boost::asio::awaitable<void> Sleep(Duration duration) override;
  boost::asio::awaitable<Answer> Call(NodeId node, Body body, Duration timeout) override;

 private:
  // A client that waits for an answer, without the type of what it waits with.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    virtual void Resume(Answer answer) = 0;
  };
  template <class CompletionHandler>
  class WaiterOf;
  struct Pending {
    std::unique_ptr<Waiter> waiter;
    Body body;
    NodeId node;
    const sim::ProcessRecord* process = nullptr;  // where it has arrived
  };
  void Send(Pending pending, Duration timeout);
  void Arrive(std::uint64_t call);
  void SendAnswer(std::uint64_t call, error_code error);
  void End(std::uint64_t call, error_code error);
  [[nodiscard]] error_code CodeOf(const std::exception_ptr& failure);
  [[nodiscard]] sim::SimNode* Find(NodeId node) const noexcept;

  const std::unique_ptr<detail::ScenarioBase> scenario_;
  const std::uint32_t clients_;
  sim::World* world_ = nullptr;
  sim::Checker* checker_ = nullptr;
  const std::vector<std::unique_ptr<sim::SimNode>>* nodes_ = nullptr;
  std::uint32_t partitions_ = 0;
  Random random_{0};
  std::unique_ptr<sim::Process> process_;  // the clients'
  bool is_load_wanted_ = false;
  std::uint32_t running_clients_ = 0;
  std::uint64_t last_call_ = 0;
  std::map<std::uint64_t, Pending> pending_;
};

}  // namespace kommander::testing
