// One run of one seed: a cluster under load and faults, every invariant checked after every step;
// then everything is healed and the cluster owes a leader, equal logs and every acknowledged write.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checker.hpp"
#include "cluster_options.hpp"
#include "fault_plan.hpp"
#include "sim_network.hpp"
#include "workload.hpp"

namespace kommander::sim {

class FaultInjector;
class Guest;
class Liar;
class Replacement;
class SettingsLoad;
class Stranger;

struct SimulationOptions {
  std::uint64_t seed = 0;
  Duration length = std::chrono::seconds(60);  // of the phase with faults
  std::uint32_t nodes = 0;                     // 0: by the seed
  std::uint32_t partitions = 0;                // 0: by the seed
  bool faults = true;
  bool stranger = false;                   // somebody outside the cluster speaks to its nodes
  bool liar = false;                       // now and then a member of it lies
  std::optional<std::vector<Fault>> plan;  // instead of the seed's own
  FaultKinds kinds = FaultKinds().set();   // of the seed's own plan
  Guest* guest = nullptr;                  // its application and clients instead of our own
  bool tight_limits = true;                // where the seed says so
  // Hundreds of large writes a second; a node may hold so many bytes of them. 0: no such load.
  std::size_t heavy_load_bytes_max = 0;
  std::string* trace = nullptr;
  std::atomic<std::uint64_t>* pulse = nullptr;  // grows while virtual time moves
};

struct SimulationResult {
  std::vector<Violation> violations;
  std::uint64_t violation_count = 0;
  std::string stuck;  // what the healed cluster did not manage; empty: everything
  FaultCounts faults{};
  std::uint64_t long_disk_stalls = 0;  // those of the disk stalls that held somebody up for long
  NetworkCounters network;
  WorkloadCounters workload;
  FeatureCounts features{};
  std::size_t proposal_bytes_peak = 0;  // the most that a node held for callers
  std::uint64_t units_torn = 0;
  Duration virtual_time{};
  std::uint64_t steps = 0;
  std::uint64_t trace_hash = 0;
  std::uint64_t elections = 0;  // highest terms, summed; not of a liar
  bool deceived = false;        // the liar was one against whom little can be promised
  std::uint64_t followed = 0;   // times that a node was seen in a term of the liar's
  std::uint64_t judged = 0;     // operations whose linearizability was judged
  [[nodiscard]] bool IsGood() const noexcept { return violation_count == 0 && stuck.empty(); }
};

class Simulation {
 public:
  explicit Simulation(SimulationOptions options);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  SimulationResult Run();
  [[nodiscard]] const std::vector<Fault>& plan() const noexcept { return plan_; }
  [[nodiscard]] const ClusterOptions& cluster() const noexcept { return cluster_; }

 private:
  // Steps until the instant, looking at whoever moved; false: a violation or a livelock.
  bool RunUntil(Instant limit);
  // Steps until the condition holds, asking now and then; false: not by `limit`, or a violation.
  template <class Condition>
  bool RunUntilHolds(Instant limit, Condition condition);
  void SafetyPhase();
  void LivenessPhase();
  // All that is owed after the lies of a deceiver.
  void EndOfDeceit();
  bool AwaitLeaders(Instant limit);
  bool AwaitReplacement(Instant limit);
  bool AwaitMembers(std::uint32_t last, Instant limit);
  bool AwaitJoined(Instant limit);
  bool AwaitFreshWrites(Instant limit);
  bool AwaitEqualStates(Instant limit);
  bool AwaitGuest(Instant limit);
  bool AwaitFreshReads(Instant limit);
  void CheckAckedWrites();
  bool StopAll(Instant limit);
  void CheckNothingIsLeft();
  // No disk remembers anything that the stranger made up.
  void CheckStrangerUnheard();
  // Lies make nobody take more memory than there is.
  void CheckMemory();
  [[nodiscard]] bool IsHealthy() const;
  [[nodiscard]] bool IsDeceived() const;
  [[nodiscard]] SimNode* LeaderOf(PartitionId partition) const;
  [[nodiscard]] std::string Describe() const;
  void BeStuck(const std::string& what);

  SimulationOptions options_;
  World world_;
  Checker checker_;
  ClusterOptions cluster_;
  std::vector<Fault> plan_;
  std::unique_ptr<SimNetwork> network_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::unique_ptr<Workload> workload_;
  std::unique_ptr<SettingsLoad> settings_;  // null: a guest has its own clients
  std::unique_ptr<Replacement> replacement_;
  std::unique_ptr<FaultInjector> injector_;
  std::unique_ptr<Stranger> stranger_;
  std::unique_ptr<Liar> liar_;
  std::string stuck_;
  Instant next_overdue_check_{};
  std::uint64_t resident_at_start_ = 0;
};

}  // namespace kommander::sim
