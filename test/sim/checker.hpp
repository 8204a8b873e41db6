// Every invariant of the simulation, told of everything that happens, in one place. The facts learn
// of an event first, the invariants after; the first violations are kept, the rest are counted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kommander/raft_log.hpp>
#include <kommander/status.hpp>

#include "facts.hpp"
#include "history.hpp"
#include "invariants/invariant.hpp"
#include "observer.hpp"

namespace kommander::sim {

class AcknowledgedIsCommitted;
class Linearizability;
class StateMachineSafety;

struct Violation {
  std::string invariant;
  std::string what;
};

class Checker final : public Observer {
 public:
  Checker();
  ~Checker() override;
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;

  // --- Told by the simulated seams ---
  void OnSubmitted(NodeId node, const WriteUnit& unit) override;
  void OnSynced(NodeId node, const WriteUnit& unit) override;
  void OnRecovered(NodeId node, PartitionId partition,
                   const RecoveredPartition& recovered) override;
  void OnSent(NodeId node, const Message& message) override;
  void OnContractBroken(NodeId node, const std::string& what) override;

  // --- Told by the cluster and its clients ---
  void AddDisk(NodeId node, std::shared_ptr<SimDisk> disk);
  void LifeBegan(NodeId node);
  void LifeEnded(NodeId node) { facts_.EndLife(node); }
  // Compared with the last one; equal ones cost a comparison.
  void Look(NodeId node, const PartitionStatus& status);
  void Delivered(NodeId node, const RaftLog& log, bool restored);
  // The node's state of the partition is now what the first `count` payloads that anybody delivers
  // make of it: kept from an earlier life, or imported.
  void StateReplaced(NodeId node, PartitionId partition, std::size_t count);
  void Began(const ClientOperation& operation);
  void Ended(const ClientOperation& operation);
  void EndedAgain(const ClientOperation& operation);
  void Overdue(const ClientOperation& operation);
  void RunEnded();

  // For what is checked outside of an invariant, the liveness phase above all.
  void Report(std::string_view invariant, std::string what);
  // Whatever else is reported does not count from now on.
  void JudgeOnly(std::set<std::string_view> invariants) { judged_ = std::move(invariants); }

  [[nodiscard]] const Facts& facts() const noexcept { return facts_; }
  [[nodiscard]] const std::vector<Violation>& violations() const noexcept { return violations_; }
  [[nodiscard]] std::uint64_t violation_count() const noexcept { return violation_count_; }
  [[nodiscard]] std::vector<std::string_view> InvariantNames() const;
  // Payloads that the node has delivered in this life, and that anybody has.
  [[nodiscard]] std::size_t DeliveredBy(NodeId node, PartitionId partition) const;
  [[nodiscard]] std::size_t DeliveredAnywhere(PartitionId partition) const;
  // Where a write has taken effect; 0: nowhere.
  [[nodiscard]] LogIndex PlaceOf(std::uint64_t operation) const;
  // Operations whose linearizability was judged when the run ended.
  [[nodiscard]] std::size_t Judged() const noexcept;

 private:
  template <class T, class... Arguments>
  T& Add(Arguments&&... arguments);

  Facts facts_;
  std::vector<std::unique_ptr<Invariant>> invariants_;
  AcknowledgedIsCommitted* places_ = nullptr;
  StateMachineSafety* deliveries_ = nullptr;
  Linearizability* registers_ = nullptr;
  std::set<std::string_view> judged_;  // empty: all
  std::vector<Violation> violations_;
  std::uint64_t violation_count_ = 0;
};

}  // namespace kommander::sim
