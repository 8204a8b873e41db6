// Lives and deaths of a simulated node.
#include "sim_node.hpp"

#include <stdexcept>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <kommander/memory_snapshots.hpp>

#include "guest.hpp"
#include "manager/raft_node.hpp"
#include "sim_discovery.hpp"

namespace kommander::sim {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kTightEntryBytes = 2048;
constexpr std::size_t kTightNodeBytes = std::size_t{32} << 10;

// Waits in virtual time inside a coroutine of the process.
template <class Token>
auto Sleep(ProcessRecord& process, Duration duration, Token&& token) {
  return asio::async_initiate<Token, void()>(
      [&process](auto handler, Duration length) {
        auto executor = asio::get_associated_executor(handler);
        process.world.PushAt(process, process.world.Now() + length,
                             [executor, handler = std::move(handler)]() mutable {
                               asio::post(executor, std::move(handler));
                             });
      },
      token, duration);
}

}  // namespace

ClusterOptions DrawClusterOptions(Chance& chance, std::uint32_t nodes, std::uint32_t partitions) {
  ClusterOptions options;
  static constexpr std::uint32_t kNodes[] = {1, 2, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7};
  options.nodes = nodes != 0 ? nodes : kNodes[chance.Below(std::size(kNodes))];
  options.partitions =
      partitions != 0 ? partitions : static_cast<std::uint32_t>(chance.Between(1, 4));
  options.election_timeout = std::chrono::milliseconds(chance.Between(300, 1000));
  options.tight_limits = chance.OneIn(3);
  options.slow_apply_permille = chance.OneIn(3) ? 30 : 0;
  options.coroutine_handlers = options.slow_apply_permille != 0;
  options.bad_apply_permille = chance.OneIn(3) ? 10 : 0;
  options.io.batch_lane_units_max = chance.OneIn(2) ? 1 : chance.Between(2, 16);
  options.io.lane_units_max = options.tight_limits ? 8 : 256;
  return options;
}

SimNode::SimNode(World& world, SimNetwork& network, Checker& checker, NodeId id,
                 const ClusterOptions& options, std::vector<NodeAddress> members,
                 std::shared_ptr<Discovery> discovery, std::uint32_t copy)
    : world_(world),
      network_(network),
      checker_(checker),
      id_(id),
      options_(options),
      members_(std::move(members)),
      discovery_(std::move(discovery)),
      chance_(world.Fork(0x6e0000 + (copy << 8) + id.value())),
      disk_(
          std::make_shared<SimDisk>(id, world.Fork(0x640000 + (copy << 8) + id.value()), &checker)),
      clock_(std::make_shared<SimClock>(world)),
      state_(world.Fork(0x730000 + (copy << 8) + id.value())),
      snapshots_(MakeMemorySnapshots()) {
  apply_.slow_permille = options_.slow_apply_permille;
  apply_.fail_permille = options_.bad_apply_permille;
  checker_.AddDisk(id_, disk_);
}

SimNode::~SimNode() {
  if (raft_) PowerLoss();
  Bury();
}

RaftConfiguration SimNode::MakeConfiguration() const {
  RaftConfiguration configuration;
  configuration.Id(id_)
      .ClusterId("simulated")
      .Listen(SimDiscovery::AddressOf(id_))
      .InitialMembers(members_)
      .InitialPartitions(options_.partitions)
      .ElectionTimeout(options_.election_timeout)
      .LeaderTimeout(std::chrono::seconds(2))
      .JoinTimeout(std::chrono::seconds(0));
  if (options_.application != ApplicationKind::kForgetful) {
    configuration.CompactionStep(8).RetainedEntries(16).SnapshotEntries(40);
  }
  if (options_.tight_limits) {
    configuration.EntryBytesMax(kTightEntryBytes)
        .QueuedProposalsMax(16)
        .QueuedProposalBytesMax(16 << 10)
        .QueuedMessagesMax(32)
        .QueuedMessageBytesMax(16 << 10)
        .InflightBytesMax(4096)
        .UncommittedBytesMax(16 << 10)
        .ApplyBytesMax(4096)
        .CacheBytesMax(2048)
        .NodeBytesMax(kTightNodeBytes);
  }
  if (options_.node_bytes_max != 0) {
    configuration.EntryBytesMax(kTightEntryBytes).NodeBytesMax(options_.node_bytes_max);
  }
  return configuration;
}

void SimNode::Start() {
  ++life_;
  process_ =
      std::make_unique<Process>(world_, std::string("node ").append(std::to_string(id_.value())));
  wal_ = std::make_shared<SimWal>(disk_);
  io_ = std::make_shared<SimIoScheduler>(process_->record(), id_, disk_, mood_, options_.io,
                                         chance_.Fork(life_), &checker_);
  transport_ = network_.CreateTransport(process_->record(), id_);
  RaftDependencies dependencies;
  dependencies.clock = clock_;
  dependencies.io_scheduler = io_;
  dependencies.seed = chance_.Next();
  raft_ = std::make_unique<RaftManager>(process_->get_executor(), MakeConfiguration(), wal_,
                                        transport_, discovery_, dependencies);
  paused_ = stopping_ = join_ended_ = false;
  join_error_ = {};
  had_log_ = HasLog();
  applying_.clear();
  running_since_ = world_.Now();
  checker_.LifeBegan(id_);
  state_.EndLife();
  for (const auto& [partition, position] : state_.kept()) {
    checker_.StateReplaced(id_, partition, position.count);
  }
  if (options_.guest != nullptr) application_ = options_.guest->Begin(*this, *dependencies.seed);
  RegisterHandlers();
  world_.trace().Event(world_.Now(), "start", id_.value(), life_);
  raft_->JoinCluster([this, life = life_](error_code error) {
    if (life != life_) return;
    join_ended_ = true;
    join_error_ = error;
    world_.trace().Event(world_.Now(), "joined", id_.value(), life_,
                         static_cast<std::uint64_t>(error.value()));
  });
}

void SimNode::RegisterHandlers() {
  const bool is_slow = options_.coroutine_handlers;
  const std::uint64_t life = life_;
  ProcessRecord* process = &process_->record();
  const auto handler = [this, life, is_slow, process](bool restored) -> Handler<RaftLog> {
    if (is_slow) {
      return [this, restored, life, process](RaftLog log) {
        return ApplySlowly(std::move(log), restored, life, process);
      };
    }
    return [this, restored, life](const RaftLog& log) { return Apply(log, restored, life); };
  };
  if (options_.application != ApplicationKind::kForgetful) return UseState();
  if (options_.guest == nullptr) {
    // Checkpoints must not take it for one that keeps what it was handed.
    raft_->OnDurableIndex([](PartitionId) { return std::optional<LogIndex>(); });
    raft_->OnLogRestored(handler(true));
    raft_->OnReplicationReceived(handler(false));
    return;
  }
  runtime::Handlers& handlers = RaftNodeAccess::Of(*raft_)->handlers();
  raft_->OnLogRestored(WrapHandler(std::move(handlers.log_restored), true));
  raft_->OnReplicationReceived(WrapHandler(std::move(handlers.replication_received), false));
}

// One life's view of the node's state.
class SimNode::Machine final : public StateMachine {
 public:
  Machine(SimNode& node, ProcessRecord& process)
      : node_(node), process_(process), life_(node.life_) {}
  std::optional<LogIndex> AppliedIndex(PartitionId partition) override {
    return node_.state_.KeptUpTo(partition);
  }
  bool Apply(std::span<const RaftLog> logs) override {
    bool result = true;
    for (const RaftLog& log : logs) {
      try {
        result = node_.Apply(log, false, life_) && result;
      } catch (const std::runtime_error&) {
        result = false;  // after all of them
      }
    }
    return result;
  }
  std::shared_ptr<SnapshotImage> Capture(PartitionId partition) override {
    Count(node_.features_, Feature::kSnapshotsTaken);
    return node_.state_.Capture(partition);
  }
  asio::awaitable<bool> Import(PartitionId partition, SnapshotSource& source) override {
    return node_.Import(partition, source, life_, &process_);
  }

 private:
  SimNode& node_;
  ProcessRecord& process_;
  const std::uint64_t life_;
};

void SimNode::UseState() {
  raft_->UseStateMachine(std::make_shared<Machine>(*this, process_->record()));
  raft_->UseSnapshots(snapshots_);
}

asio::awaitable<bool> SimNode::Import(PartitionId partition, SnapshotSource& source,
                                      std::uint64_t life, ProcessRecord* process) {
  if (!applying_.insert(partition).second) {
    checker_.Report("handlers", "an import overlaps a handler of its partition");
  }
  std::vector<std::byte> image;
  for (Payload bytes = co_await source.Read(); bytes.size() != 0; bytes = co_await source.Read()) {
    image.insert(image.end(), bytes.bytes().begin(), bytes.bytes().end());
  }
  co_await Sleep(*process,
                 chance_.Between(std::chrono::milliseconds(1), std::chrono::milliseconds(50)),
                 asio::use_awaitable);
  if (life != life_) co_return false;
  applying_.erase(partition);
  const auto position = SimState::Read(image);
  if (!position) {
    checker_.Report("state machine safety", "a damaged image is imported");
    co_return false;
  }
  Count(features_, Feature::kSnapshotsImported);
  state_.Import(partition, *position, HasOwnDisk());
  world_.trace().Event(world_.Now(), "imported", id_.value(), partition.value(),
                       position->index.value(), position->count);
  checker_.StateReplaced(id_, partition, position->count);
  co_return true;
}

Handler<RaftLog> SimNode::WrapHandler(Handler<RaftLog> inner, bool restored) {
  const std::uint64_t life = life_;
  const auto shared = std::make_shared<Handler<RaftLog>>(std::move(inner));
  if (options_.coroutine_handlers || shared->IsCoroutine()) {
    ProcessRecord* process = &process_->record();
    return [this, shared, restored, life, process](RaftLog log) {
      return ApplyOfGuest(std::move(log), restored, life, process, shared);
    };
  }
  return [this, shared, restored, life](const RaftLog& log) {
    const bool result = Apply(log, restored, life);
    return OperationOf(log) || !*shared ? result : shared->Call(log);
  };
}

// The guest does not hear of what the simulation has written itself.
asio::awaitable<bool> SimNode::ApplyOfGuest(RaftLog log, bool restored, std::uint64_t life,
                                            ProcessRecord* process,
                                            std::shared_ptr<Handler<RaftLog>> inner) {
  const bool result = co_await ApplySlowly(log, restored, life, process);
  if (OperationOf(log) || !*inner) co_return result;
  if (!inner->IsCoroutine()) co_return inner->Call(log);
  co_return co_await inner->Spawn(std::move(log));
}

bool SimNode::Apply(const RaftLog& log, bool restored, std::uint64_t life) {
  world_.trace().Event(world_.Now(), restored ? "restored" : "applied", id_.value(),
                       log.partition().value(), log.index().value(), log.ordinal());
  if (!raft_ || life != life_) {
    checker_.Report("handlers", "a handler is called after the end of its manager");
    return true;
  }
  if (applying_.contains(log.partition())) {
    checker_.Report("handlers", "two handlers of one partition overlap");
  }
  checker_.Delivered(id_, log, restored);
  state_.Deliver(log, HasOwnDisk());
  return !DrawFailure();
}

// A handler that throws is one that returned false (the contract of Handler).
bool SimNode::DrawFailure() {
  if (!chance_.Permille(apply_.fail_permille)) return false;
  apply_.failed_by.Felt();
  if (chance_.OneIn(3)) throw std::runtime_error("the simulated application fails");
  return true;
}

asio::awaitable<bool> SimNode::ApplySlowly(RaftLog log, bool restored, std::uint64_t life,
                                           ProcessRecord* process) {
  const bool result = Apply(log, restored, life);
  if (chance_.Permille(apply_.slow_permille)) {
    apply_.slowed_by.Felt();
    applying_.insert(log.partition());
    const Duration length =
        chance_.Between(std::chrono::milliseconds(1), 2 * options_.election_timeout);
    co_await Sleep(*process, length, asio::use_awaitable);
    if (life == life_) applying_.erase(log.partition());
  }
  co_return result;
}

bool SimNode::HasLog() const {
  const DiskPartition* system = disk_->Find(kSystemPartition);
  return system != nullptr && (system->last().value() != 0 || system->hard_state != HardState());
}

void SimNode::EndLife() {
  raft_.reset();
  checker_.LifeEnded(id_);
  // The scheduler and the transport go with the node that shares them.
  io_.reset();
  transport_.reset();
  wal_.reset();
  paused_ = stopping_ = false;
  stopped_ = nullptr;
}

void SimNode::PowerLoss() {
  if (!raft_) return;
  world_.trace().Event(world_.Now(), "power-loss", id_.value(), life_);
  // Nothing of the process moves any more, not even what its destructors would do.
  io_->Kill();
  transport_->Kill();
  wal_->Detach();
  EndLife();
  EndProcess(std::move(process_), std::move(application_));
  disk_->Crash();
}

// The application goes last: what is dropped with the process may still hold on to it.
void SimNode::EndProcess(std::unique_ptr<Process> process, std::shared_ptr<void> application) {
  const ProcessRecord& record = process->record();
  process.reset();
  if (options_.guest != nullptr) options_.guest->ProcessEnded(record);
  application.reset();
}

void SimNode::Abandon() {
  if (!raft_ || stopping_) return;
  world_.trace().Event(world_.Now(), "abandon", id_.value(), life_);
  if (paused_) SetPaused(false);
  const std::shared_ptr<SimWal> wal = wal_;
  const std::shared_ptr<SimTransport> transport = transport_;
  EndLife();
  wal->Detach();
  disk_->Crash();
  remains_.push_back(Remains{std::move(application_), std::move(process_), transport});
}

void SimNode::Bury() {
  // The operating system closes what a process has open.
  for (Remains& remains : remains_) remains.transport->Kill();
  for (Remains& remains : remains_) {
    EndProcess(std::move(remains.process), std::move(remains.application));
  }
  remains_.clear();
}

void SimNode::Stop(std::function<void()> done) {
  if (!raft_ || stopping_) return;
  world_.trace().Event(world_.Now(), "stop", id_.value(), life_);
  stopping_ = true;
  stopped_ = std::move(done);
  raft_->Stop([this, life = life_](error_code) { OnStopped(life); });
}

// Runs on the process that it ends: the end comes from outside of it.
void SimNode::OnStopped(std::uint64_t life) {
  if (life != life_ || !raft_) return;
  world_.trace().Event(world_.Now(), "stopped", id_.value(), life_);
  std::function<void()> done = std::move(stopped_);
  const std::shared_ptr<SimTransport> transport = transport_;
  EndLife();
  disk_->Crash();
  remains_.push_back(Remains{std::move(application_), std::move(process_), transport});
  if (done) done();
}

void SimNode::SetPaused(bool paused) {
  if (!process_) return;
  world_.trace().Event(world_.Now(), paused ? "pause" : "resume", id_.value(), life_);
  paused_ = paused;
  if (!paused) running_since_ = world_.Now();
  world_.SetPaused(process_->record(), paused);
}

FeatureCounts SimNode::features() const {
  FeatureCounts counts = features_;
  Count(counts, Feature::kLogCuts, disk_->effects().logs_cut);
  Count(counts, Feature::kLogsReplaced, disk_->effects().logs_replaced);
  return counts;
}

bool SimNode::IsBroken() const {
  if (!raft_) return false;
  if (join_ended_ && join_error_) return true;
  if (disk_->IsFailed()) return true;
  for (std::uint32_t partition = 0; partition <= options_.partitions; ++partition) {
    if (raft_->Status(partition).failed) return true;
  }
  return false;
}

void SimNode::Look() {
  // What a new leader has not committed yet it has taken as a follower, unasked.
  const std::uint64_t inherited = std::uint64_t{options_.partitions} * (16 << 10);
  const std::uint64_t held = raft_->GetNodeStatistics().proposal_bytes;
  proposal_bytes_peak_ = std::max<std::size_t>(proposal_bytes_peak_, held);
  if (options_.tight_limits && held > kTightNodeBytes + kTightEntryBytes + inherited) {
    checker_.Report("bounded memory", "node " + std::to_string(id_.value()) + " holds " +
                                          std::to_string(held) + " bytes for its callers");
  }
  for (std::uint32_t partition = 0; partition <= options_.partitions; ++partition) {
    checker_.Look(id_, raft_->Status(partition));
  }
}

}  // namespace kommander::sim
