// The two phases of a run.
#include "simulation.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "codec_filter.hpp"
#include "fault_injector.hpp"
#include "guest.hpp"
#include "liar.hpp"
#include "replacement.hpp"
#include "settings_load.hpp"
#include "sim_node.hpp"
#include "stranger.hpp"

namespace kommander::sim {

using namespace std::chrono_literals;

namespace {

// Functions at one instant of virtual time: more is a livelock.
constexpr std::uint64_t kStepsAtInstantMax = 500'000;
constexpr Duration kOverdueCheckInterval = 50ms;
// A run keeps a record of all that it has seen, some 100 MiB.
constexpr std::uint64_t kResidentGrowthMax = std::uint64_t{1} << 30;

// What a node owes to itself and its callers whatever a member says to it.
std::set<std::string_view> OwedByEveryNode() {
  return {"applied in bounds", "bounded memory",      "clean stop",         "durable is synced",
          "handlers",          "interface contracts", "leader append-only", "nothing in silence",
          "progress",          "promises are synced", "vote immutability"};
}

// "members 1 2 3, learners 4, from 1 2 at 17"
std::string MembersOf(const LogView::Version& version) {
  std::string text = "members";
  const auto add = [&](const std::vector<NodeId>& list, const char* name) {
    if (!list.empty()) text += name;
    for (const NodeId node : list) text += " " + std::to_string(node.value());
  };
  add(version.configuration.voters, "");
  add(version.configuration.learners, ", learners");
  add(version.configuration.outgoing_voters, ", from");
  return text + " at " + std::to_string(version.index.value());
}

}  // namespace

Simulation::Simulation(SimulationOptions options)
    : options_(std::move(options)), world_(options_.seed) {
  world_.trace().WriteTo(options_.trace);
  Chance chance = world_.Fork(0x636c75);
  cluster_ = DrawClusterOptions(chance, options_.nodes, options_.partitions);
  cluster_.tight_limits = cluster_.tight_limits && options_.tight_limits;
  cluster_.guest = options_.guest;
  if (cluster_.guest != nullptr) cluster_.bad_apply_permille = 0;
  FaultPlanOptions plan_options;
  plan_options.nodes = cluster_.nodes;
  plan_options.partitions = cluster_.partitions;
  plan_options.length = options_.length;
  plan_options.kinds = options_.kinds;
  Chance plan_chance = world_.Fork(0x706c61);
  if (options_.plan) {
    plan_ = *options_.plan;
  } else if (options_.faults) {
    plan_ = DrawFaultPlan(plan_chance, plan_options);
  }
  network_ = std::make_unique<SimNetwork>(world_, &checker_);
  network_->SetFilter(&PassThroughCodec, cluster_.encode_permille);
  for (const Fault& fault : plan_) {
    cluster_.coroutine_handlers |= fault.kind == FaultKind::kSlowApply;
  }
  // A state machine is never a coroutine, and guests have none.
  if (!cluster_.coroutine_handlers && cluster_.guest == nullptr) {
    Chance application = world_.Fork(0x617070);
    cluster_.application = static_cast<ApplicationKind>(application.Below(3));
  }
  WorkloadOptions load;
  load.pause_max = std::chrono::milliseconds(chance.Between(5, 100));
  if (options_.heavy_load_bytes_max != 0) {
    cluster_.tight_limits = false;
    cluster_.node_bytes_max = options_.heavy_load_bytes_max;
    load.pause_max = std::chrono::milliseconds(5);
    load.payload_bytes_max = 1500;
    load.transfer_permille = load.step_down_permille = 0;
  }
  if (cluster_.guest != nullptr) load.checkpoint_permille = 0;  // what it keeps is its own affair
  workload_ = std::make_unique<Workload>(world_, checker_, nodes_, cluster_, load);
  replacement_ =
      std::make_unique<Replacement>(world_, *network_, checker_, nodes_, *workload_, cluster_);
  for (std::uint32_t id = 1; id <= cluster_.nodes; ++id) {
    nodes_.push_back(replacement_->MakeNode(NodeId(id), checker_, 0));
  }
  if (options_.guest != nullptr) options_.guest->Enter(world_, checker_, nodes_, cluster_);
  if (options_.guest == nullptr) {
    settings_ = std::make_unique<SettingsLoad>(world_, checker_, nodes_);
  }
  injector_ = std::make_unique<FaultInjector>(world_, *network_, nodes_, *workload_, *replacement_,
                                              cluster_);
  if (options_.stranger) {
    stranger_ = std::make_unique<Stranger>(world_, *network_, cluster_.nodes, cluster_.partitions);
  }
  if (options_.liar) {
    liar_ =
        std::make_unique<Liar>(world_, *network_, nodes_, checker_.facts(), cluster_.partitions);
  }
  if (IsDeceived()) checker_.JudgeOnly(OwedByEveryNode());
  resident_at_start_ = ResidentBytes();
}

Simulation::~Simulation() {
  // Nodes first: what they drop may still speak to clients and network.
  network_->RemoveTaps();
  stranger_.reset();
  liar_.reset();
  if (options_.guest != nullptr) options_.guest->Leave();
  nodes_.clear();
  replacement_.reset();
  settings_.reset();
  workload_.reset();
  network_.reset();
  injector_.reset();  // whose marks the others carry
}

bool Simulation::IsHealthy() const { return checker_.violation_count() == 0; }
bool Simulation::IsDeceived() const { return liar_ && liar_->manner() == Liar::Manner::kDeceives; }

void Simulation::CheckMemory() {
  const std::uint64_t now = ResidentBytes();
  if (now < resident_at_start_ + kResidentGrowthMax) return;
  checker_.Report("bounded memory", "the simulation has grown by " +
                                        std::to_string(now - resident_at_start_) + " bytes");
}

bool Simulation::RunUntil(Instant limit) {
  while (world_.Step(limit)) {
    const ProcessRecord* moved = world_.last_process();
    if (moved == nullptr) continue;
    for (const auto& node : nodes_) {
      if (node->process() == moved) node->Look();
    }
    if (options_.guest != nullptr) options_.guest->Stepped();
    if (world_.Now() >= next_overdue_check_) {
      next_overdue_check_ = world_.Now() + kOverdueCheckInterval;
      workload_->CheckOverdue();
      if (liar_) CheckMemory();
      if (options_.pulse != nullptr) options_.pulse->fetch_add(1, std::memory_order_relaxed);
    }
    if (world_.steps_at_instant() > kStepsAtInstantMax) {
      checker_.Report("progress", "a livelock: functions run and time does not");
    }
    if (!IsHealthy()) return false;
  }
  world_.SkipTo(limit);
  return IsHealthy();
}

template <class Condition>
bool Simulation::RunUntilHolds(Instant limit, Condition condition) {
  while (!condition()) {
    if (world_.Now() >= limit) return false;
    if (!RunUntil(std::min(limit, world_.Now() + 20ms))) return false;
  }
  return true;
}

void Simulation::SafetyPhase() {
  for (const auto& node : nodes_) node->Start();
  if (options_.guest != nullptr) {
    options_.guest->BeginLoad();
  } else {
    workload_->Begin();
    settings_->Begin(world_.Now() + options_.length);
  }
  injector_->Begin(plan_);
  if (stranger_) stranger_->Begin(world_.Now() + options_.length);
  if (liar_) liar_->Begin(world_.Now() + options_.length);
  RunUntil(world_.Now() + options_.length);
}

SimNode* Simulation::LeaderOf(PartitionId partition) const {
  for (const auto& node : nodes_) {
    if (!node->IsUp()) continue;
    const PartitionStatus status = node->raft()->Status(partition);
    if (status.role == Role::kLeader && status.ready) return node.get();
  }
  return nullptr;
}

bool Simulation::AwaitLeaders(Instant limit) {
  return RunUntilHolds(limit, [&] {
    // A node that was left out of the system partition before it had heard of the others lacks them
    // until it is let in again.
    const bool has_all = std::all_of(nodes_.begin(), nodes_.end(),
                                     [](const auto& node) { return node->IsJoined(); });
    const std::uint32_t last = has_all ? cluster_.partitions : 0;
    for (std::uint32_t partition = 0; partition <= last; ++partition) {
      if (LeaderOf(partition) == nullptr) return false;
    }
    return true;
  });
}

// A machine whose disk was lost has its new node everywhere.
bool Simulation::AwaitReplacement(Instant limit) {
  return RunUntilHolds(limit, [&] { return !replacement_->IsOpen(); });
}

// Only once everybody is a member again: a node that the system partition has left out does not
// hear of the roster.
bool Simulation::AwaitJoined(Instant limit) {
  return RunUntilHolds(limit, [&] {
    return std::all_of(nodes_.begin(), nodes_.end(),
                       [](const auto& node) { return node->IsJoined(); });
  });
}

// Everybody votes again in the partitions up to `last`.
bool Simulation::AwaitMembers(std::uint32_t last, Instant limit) {
  std::vector<NodeId> all;
  for (const auto& node : nodes_) all.push_back(node->id());
  const Configuration everybody(all);
  std::map<PartitionId, std::uint64_t> asked;
  return RunUntilHolds(limit, [&] {
    bool done = true;
    for (std::uint32_t partition = 0; partition <= last; ++partition) {
      SimNode* leader = LeaderOf(partition);
      done = done && leader != nullptr;
      if (leader == nullptr) continue;
      const LogView* view = checker_.facts().View(leader->id(), partition);
      const auto& newest = view->configurations().back();
      if (newest.configuration == everybody) {
        done = done && leader->raft()->Status(partition).committed >= newest.index;
        continue;
      }
      done = false;
      const auto open = asked.find(partition);
      if (open != asked.end() && workload_->Answer(open->second) == nullptr) continue;
      asked[partition] = workload_->Reconfigure(*leader, partition, everybody, 2s);
    }
    return done;
  });
}

bool Simulation::AwaitFreshWrites(Instant limit) {
  std::map<PartitionId, std::uint64_t> asked;
  return RunUntilHolds(limit, [&] {
    bool done = true;
    for (std::uint32_t partition = 1; partition <= cluster_.partitions; ++partition) {
      const auto probe = asked.find(partition);
      const ClientOperation* answer =
          probe == asked.end() ? nullptr : workload_->Answer(probe->second);
      if (answer != nullptr && !answer->error) continue;
      done = false;
      SimNode* leader = LeaderOf(partition);
      if ((probe == asked.end() || answer != nullptr) && leader != nullptr) {
        asked[partition] = workload_->Write(*leader, partition, 1);
      }
    }
    return done;
  });
}

bool Simulation::AwaitFreshReads(Instant limit) {
  std::map<std::pair<NodeId, PartitionId>, std::uint64_t> asked;
  return RunUntilHolds(limit, [&] {
    bool done = true;
    for (const auto& node : nodes_) {
      for (std::uint32_t partition = 1; partition <= cluster_.partitions; ++partition) {
        const auto key = std::pair(node->id(), PartitionId(partition));
        const auto probe = asked.find(key);
        const ClientOperation* answer =
            probe == asked.end() ? nullptr : workload_->Answer(probe->second);
        if (answer != nullptr && !answer->error) continue;
        done = false;
        if (probe == asked.end() || answer != nullptr) {
          asked[key] = workload_->Read(*node, partition);
        }
      }
    }
    return done;
  });
}

bool Simulation::AwaitEqualStates(Instant limit) {
  return RunUntilHolds(limit, [&] {
    if (settings_ && !settings_->AreEqual()) return false;
    for (std::uint32_t partition = 0; partition <= cluster_.partitions; ++partition) {
      const PartitionStatus first = nodes_.front()->raft()->Status(partition);
      for (const auto& node : nodes_) {
        const PartitionStatus status = node->raft()->Status(partition);
        if (status.applied != status.last || status.last != first.last ||
            status.digest != first.digest) {
          return false;
        }
        if (checker_.DeliveredBy(node->id(), partition) != checker_.DeliveredAnywhere(partition)) {
          return false;
        }
      }
    }
    return true;
  });
}

// Its clients have had the answers that they waited for.
bool Simulation::AwaitGuest(Instant limit) {
  if (options_.guest == nullptr) return true;
  options_.guest->EndLoad();
  return RunUntilHolds(limit, [&] { return options_.guest->IsLoadOver(); });
}

void Simulation::CheckAckedWrites() {
  for (const ClientOperation& operation : workload_->acked_writes()) {
    const bool is_again = operation.kind == OperationKind::kSessionWrite;
    if (checker_.PlaceOf(is_again ? operation.subject : operation.id) == operation.index) continue;
    checker_.Report("acknowledged writes survive",
                    "write " + std::to_string(operation.id) + " of partition " +
                        std::to_string(operation.partition.value()) + ", acknowledged at " +
                        std::to_string(operation.index.value()) + ", was never delivered");
  }
}

bool Simulation::StopAll(Instant limit) {
  for (const auto& node : nodes_) {
    node->Stop([this, &node, life = node->life()] { workload_->OnNodeLeft(node->id(), life); });
  }
  const bool stopped = RunUntilHolds(limit, [&] {
    return std::none_of(nodes_.begin(), nodes_.end(),
                        [](const auto& node) { return node->IsUp(); });
  });
  return stopped && RunUntil(world_.Now() + 1s);
}

void Simulation::CheckNothingIsLeft() {
  if (workload_->open() != 0) {
    checker_.Report("nothing in silence",
                    std::to_string(workload_->open()) + " calls are open after the stop");
  }
  if (options_.guest != nullptr) return;  // whose coroutines are its own affair
  if (const std::int64_t tracked = world_.TrackedWork(); tracked != 0) {
    checker_.Report("clean stop", "outstanding work after the stop: " + std::to_string(tracked));
  }
}

void Simulation::CheckStrangerUnheard() {
  for (const auto& node : nodes_) {
    for (const auto& [partition, log] : node->disk()->partitions()) {
      if (log.hard_state.term < Stranger::kMark) continue;
      checker_.Report("strangers are not heard",
                      "node " + std::to_string(node->id().value()) + " entered a term of theirs");
    }
  }
}

std::string Simulation::Describe() const {
  std::string text;
  for (const auto& node : nodes_) {
    text += "\n  node " + std::to_string(node->id().value());
    if (!node->IsUp()) {
      text += " is down";
      continue;
    }
    if (!node->IsJoined()) text += " has not joined";
    for (std::uint32_t partition = 0; partition <= cluster_.partitions; ++partition) {
      const PartitionStatus status = node->raft()->Status(partition);
      text += " | " + std::to_string(partition) + ": " + std::string(ToString(status.role)) +
              (status.ready ? "*" : "") + " leader " + std::to_string(status.leader.value()) +
              " term " + std::to_string(status.term.value()) + " last " +
              std::to_string(status.last.value()) + " durable " +
              std::to_string(status.durable.value()) + " committed " +
              std::to_string(status.committed.value()) + " applied " +
              std::to_string(status.applied.value());
      if (const LogView* view = checker_.facts().View(node->id(), partition)) {
        text += " " + MembersOf(view->configurations().back());
      }
    }
  }
  return text;
}

void Simulation::BeStuck(const std::string& what) {
  if (IsHealthy() && stuck_.empty()) stuck_ = what + Describe();
}

// Every call that is open comes to its end, and so does every node.
void Simulation::EndOfDeceit() {
  liar_->FallSilent();
  injector_->HealAll();
  world_.trace().Event(world_.Now(), "healed");
  workload_->End();
  if (!RunUntil(world_.Now() + 10s)) return;
  if (!StopAll(world_.Now() + 10s)) return BeStuck("a node does not stop");
  CheckNothingIsLeft();
}

void Simulation::LivenessPhase() {
  if (liar_) liar_->FallSilent();
  injector_->HealAll();
  world_.trace().Event(world_.Now(), "healed");
  workload_->End();
  const Duration timeout = cluster_.election_timeout;
  // The disks' leftovers, and the connections that have to be made, are not the library's.
  if (!AwaitLeaders(world_.Now() + 10 * timeout + 1s)) return BeStuck("no leader everywhere");
  if (!AwaitReplacement(world_.Now() + 20 * timeout + 10s)) return BeStuck("no replacement");
  if (!AwaitMembers(0, world_.Now() + 20 * timeout)) return BeStuck("members do not change");
  if (!AwaitJoined(world_.Now() + 10 * timeout)) return BeStuck("a node does not join");
  if (!AwaitLeaders(world_.Now() + 10 * timeout)) return BeStuck("no leader everywhere");
  if (!AwaitMembers(cluster_.partitions, world_.Now() + 20 * timeout)) {
    return BeStuck("members do not change");
  }
  if (!AwaitGuest(world_.Now() + 60s)) return BeStuck("a client does not come to its end");
  if (!AwaitFreshWrites(world_.Now() + 10 * timeout + 3s)) return BeStuck("no fresh write");
  if (!AwaitEqualStates(world_.Now() + 20 * timeout + 5s)) return BeStuck("states differ");
  if (!AwaitFreshReads(world_.Now() + 10 * timeout + 3s)) return BeStuck("no fresh read");
  CheckAckedWrites();
  if (settings_) settings_->Conclude();
  if (options_.guest != nullptr) options_.guest->Converged();
  if (!IsHealthy()) return;
  if (!StopAll(world_.Now() + 10s)) return BeStuck("a node does not stop");
  CheckNothingIsLeft();
}

SimulationResult Simulation::Run() {
  const Instant began = world_.Now();
  SafetyPhase();
  if (IsHealthy()) IsDeceived() ? EndOfDeceit() : LivenessPhase();
  if (stranger_) CheckStrangerUnheard();
  checker_.RunEnded();
  SimulationResult result;
  result.violations = checker_.violations();
  result.violation_count = checker_.violation_count();
  result.stuck = stuck_;
  result.faults = injector_->Counts();
  result.long_disk_stalls = injector_->LongDiskStalls();
  result.network = network_->counters();
  result.workload = workload_->counters();
  result.features = workload_->features();
  result.virtual_time = world_.Now() - began;
  result.steps = world_.steps();
  result.trace_hash = world_.trace().hash();
  result.deceived = IsDeceived();
  if (liar_) result.followed = liar_->followed();
  for (const auto& node : replacement_->retired()) {
    result.units_torn += node->disk()->effects().units_torn;
    Add(result.features, node->features());
  }
  result.judged = checker_.Judged();
  for (const auto& node : nodes_) {
    result.units_torn += node->disk()->effects().units_torn;
    result.proposal_bytes_peak = std::max(result.proposal_bytes_peak, node->proposal_bytes_peak());
    Add(result.features, node->features());
    for (const auto& [partition, log] : node->disk()->partitions()) {
      if (!liar_) result.elections += log.hard_state.term.value();
    }
  }
  return result;
}

}  // namespace kommander::sim
