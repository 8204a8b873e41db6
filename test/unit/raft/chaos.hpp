// One seed, one life of a cluster under faults: loss, delay, reorder, duplicates, cuts, pauses,
// slow and stuck disks, crashes that lose what was not synced, restarts, changes of members,
// transfers, reads from everywhere. Then everything is healed and the cluster must come to order.
// A discrete-event simulation of the pure core; the same seed gives the same run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "raft/random.hpp"
#include "unit/raft/test_cluster.hpp"

namespace kommander::raft::test {

class Chaos {
 public:
  struct Report {
    std::uint64_t steps = 0;
    std::uint64_t messages = 0;
    std::uint64_t answered = 0;
    std::uint64_t crashes = 0;
    std::uint64_t changes = 0;
    std::uint64_t snapshots = 0;
    std::uint64_t leaders = 0;
  };

  explicit Chaos(std::uint64_t seed);
  // Throws what the assertion handler throws; `fault_time` is virtual.
  Report Run(Duration fault_time);
  // Prints every step to std::cout, for people who look for a fault.
  void Trace();

 private:
  struct NodeState {
    std::uint64_t life = 1;
    bool step_scheduled = false;
    bool sync_scheduled = false;
    bool apply_scheduled = false;
    Instant wake_at = kNever;
    Instant paused_until{};
    Instant disk_stuck_until{};
    bool storage_failed = false;
  };

  [[nodiscard]] bool Chance(std::uint64_t one_in) { return random_.Below(one_in) == 0; }
  [[nodiscard]] Duration Below(Duration bound);
  [[nodiscard]] std::uint32_t AnyNode();
  [[nodiscard]] std::uint32_t LikelyLeader();
  // Somebody who takes itself for the leader, deposed or not; anybody if there is none.
  [[nodiscard]] std::uint32_t AnyLeader();

  static TestCluster::Options Options(std::uint64_t seed, Random& random);
  void At(Instant when, std::function<void()> action);
  // As At, but only while node `id` is in the same life.
  void AtLife(NodeId id, Duration delay, std::function<void()> action);
  void RunUntil(Instant end);
  void AfterStep();
  void Collect(NodeId id);
  void ScheduleMessage(Message message);
  void ScheduleStep(NodeId id);
  void StepNow(NodeId id);
  void ScheduleSync(NodeId id);
  void ScheduleApply(NodeId id);
  void ScheduleFetches(NodeId id);
  void ScheduleSnapshots(NodeId id);
  void Client();
  [[nodiscard]] raft::Propose AnyProposal();
  void MemberClient();
  void Fault();
  void FaultLinks();
  void CrashNode(std::uint32_t id);
  void Heal();
  void DemandLiveness();
  [[nodiscard]] bool InOrder();
  void Fail(const std::string& what);

  // What a life is about; the rest goes on beside it.
  enum class Theme : std::uint8_t { kAll, kReads, kMembers, kCrashes };

  Random random_;
  Theme theme_;
  TestCluster cluster_;
  std::multimap<Instant, std::function<void()>> events_;
  std::map<NodeId, NodeState> states_;
  Instant now_;
  Duration timeout_;
  std::uint64_t loss_one_in_ = 0;  // 0: never
  std::uint64_t duplicate_one_in_ = 0;
  Duration delay_max_{};
  Duration sync_max_{};
  bool healed_ = false;
  std::uint64_t bodies_ = 0;
  Report report_;
};

}  // namespace kommander::raft::test
