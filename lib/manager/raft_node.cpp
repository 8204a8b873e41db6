#include "manager/raft_node.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <kommander/steady_clock.hpp>

#include "cluster/system_command.hpp"
#include "platform/entropy.hpp"
#include "raft/random.hpp"
#include "runtime/completions.hpp"
#include "runtime/io_scheduler.hpp"

namespace kommander {
namespace asio = boost::asio;
using runtime::PostCompletion;
namespace {

// Two numbers from one seed, never 0, for what is drawn before the store is known.
std::uint64_t Draw(std::uint64_t seed, std::uint64_t stream) noexcept {
  return std::max<std::uint64_t>(raft::Random(raft::Random::Mix(seed) ^ stream).Next(), 1);
}

runtime::IoSchedulerOptions IoOptionsOf(const RaftConfiguration& configuration) {
  runtime::IoSchedulerOptions options;
  options.lane_units_max = configuration.queued_writes_max();
  options.lane_bytes_max = configuration.queued_write_bytes_max();
  options.units_max = configuration.node_queued_writes_max();
  options.bytes_max = configuration.node_queued_write_bytes_max();
  options.free_bytes_min = configuration.free_bytes_min();
  return options;
}

std::shared_ptr<runtime::NodeServices> MakeServices(asio::any_io_executor executor,
                                                    RaftConfiguration configuration,
                                                    std::shared_ptr<Transport> transport,
                                                    RaftDependencies dependencies) {
  auto services = std::make_shared<runtime::NodeServices>(configuration.id());
  services->executor = std::move(executor);
  services->configuration = std::move(configuration);
  services->transport = std::move(transport);
  services->seed = dependencies.seed ? *dependencies.seed : platform::DrawEntropyBits();
  services->system_type = cluster::kSystemType;
  services->is_callers_command = &cluster::IsCallersCommand;
  services->clock = dependencies.clock ? std::move(dependencies.clock) : MakeSteadyClock();
  services->io = dependencies.io_scheduler
                     ? std::move(dependencies.io_scheduler)
                     : std::make_shared<runtime::FairIoScheduler>(
                           IoOptionsOf(services->configuration), services->clock);
  return services;
}

// What was registered and would have no effect, or lack what it needs; empty: nothing.
std::string FindMisuse(const runtime::NodeServices& services) {
  const bool has_machine = services.state_machine != nullptr;
  if (services.snapshots != nullptr && !has_machine) {
    return "UseSnapshots needs UseStateMachine: snapshots are of a state machine's state";
  }
  const runtime::Handlers& handlers = services.handlers;
  if (has_machine && (handlers.log_restored || handlers.replication_received)) {
    return "UseStateMachine takes the place of OnLogRestored and OnReplicationReceived: register "
           "one or the other";
  }
  return {};
}

}  // namespace

RaftNode::RaftNode(asio::any_io_executor executor, RaftConfiguration configuration,
                   std::shared_ptr<Wal> wal, std::shared_ptr<Transport> transport,
                   std::shared_ptr<Discovery> discovery, RaftDependencies dependencies)
    : services_(MakeServices(std::move(executor), std::move(configuration), std::move(transport),
                             std::move(dependencies))),
      wal_(std::move(wal)),
      discovery_(std::move(discovery)),
      strand_(asio::make_strand(services_->executor)),
      fresh_incarnation_(Draw(services_->seed, 1)),
      nonce_(Draw(services_->seed, 2)) {}

RaftNode::~RaftNode() = default;

// --- Join ---

runtime::Handlers& RaftNode::handlers() {
  if (!has_joined_.load()) return services_->handlers;
  throw boost::system::system_error(RaftErrc::AlreadyJoined,
                                    "handlers are registered before JoinCluster");
}

void RaftNode::UseStateMachine(std::shared_ptr<StateMachine> machine) {
  (void)handlers();
  services_->state_machine = std::move(machine);
}

void RaftNode::UseSnapshots(std::shared_ptr<SnapshotStore> snapshots) {
  (void)handlers();
  services_->snapshots = std::move(snapshots);
}

void RaftNode::UseLogSink(LogSink sink, LogLevel least) {
  (void)handlers();
  services_->logger.SetSink(std::move(sink), least, services_->configuration.log_interval(),
                            services_->clock);
}

NodeStatistics RaftNode::Statistics() const noexcept {
  NodeStatistics statistics;
  statistics.messages_dropped = services_->messages_dropped.load(std::memory_order_relaxed);
  statistics.appends_dropped = services_->appends_dropped.load(std::memory_order_relaxed);
  statistics.uncounted_dropped = uncounted_dropped_.load(std::memory_order_relaxed);
  statistics.proposal_bytes = services_->budget.held();
  statistics.stamps_ahead = services_->stamps_ahead.load(std::memory_order_relaxed);
  statistics.snapshot_transfers = services_->snapshot_transfers.load(std::memory_order_relaxed);
  return statistics;
}

void RaftNode::Join(detail::PlainOperation operation) {
  has_joined_.store(true);
  Post([operation = std::move(operation)](RaftNode& self) mutable {
    self.BeginJoin(std::move(operation));
  });
}

void RaftNode::BeginJoin(detail::PlainOperation operation) {
  if (operation->cancel_requested() != asio::cancellation_type::none) {
    return PostCompletion(std::move(operation), asio::error::operation_aborted);
  }
  if (life_ != Life::kNew) {
    return PostCompletion(std::move(operation), life_ == Life::kOpening || life_ == Life::kRunning
                                                    ? RaftErrc::AlreadyJoined
                                                    : RaftErrc::NodeStopped);
  }
  life_ = Life::kOpening;
  join_ = std::move(operation);
  services_->node = weak_from_this();
  if (std::string misuse = FindMisuse(*services_); !misuse.empty()) {
    ReportProblem(RaftErrc::InvalidConfiguration, misuse);
    return FinishJoin(RaftErrc::InvalidConfiguration, std::move(misuse));
  }
  timer_ = services_->clock->CreateTimer(strand_, weak_from_this());
  if (services_->configuration.join_timeout() != Duration::zero()) {
    join_deadline_ = Deadline(services_->configuration.join_timeout());
  }
  error_code error = services_->io->Start(wal_);
  if (!error) {
    opening_ = true;
    error = services_->io->SubmitTask(
        kSystemPartition, [self = shared_from_this()](Wal& wal, bool cancelled) {
          OpenedStore opened;
          if (cancelled) {
            opened.error = RaftErrc::NodeStopped;
          } else {
            opened = self->OpenOnIoThread(wal);
          }
          self->Post([opened = std::move(opened)](RaftNode& node) mutable {
            node.OnStoreOpened(std::move(opened));
          });
        });
    if (error) opening_ = false;
  }
  if (error) FinishJoin(error);
}

OpenedStore RaftNode::OpenOnIoThread(Wal& wal) const {
  OpenedStore opened =
      OpenStore(wal, services_->snapshots.get(), services_->configuration, fresh_incarnation_);
  if (opened.error) return opened;
  opened.error = services_->io->UseFileSets();
  if (opened.error) {
    opened.detail = "the file sets of the store cannot be served, " +
                    std::to_string(opened.file_sets) + " in number: " + opened.error.message();
  }
  return opened;
}

void RaftNode::OnStoreOpened(OpenedStore opened) {
  opening_ = false;
  if (life_ == Life::kStopping) return StopPartitions();
  if (opened.error) return FinishJoin(opened.error, std::move(opened.detail));
  identity_ = std::move(opened.identity);
  file_sets_ = opened.file_sets;
  pins_ = pins_pending_ = std::move(opened.pins);
  incarnation_.store(identity_.incarnation.value());
  services_->incarnation = identity_.incarnation;
  bootstrap_digest_.store(cluster::BootstrapDigest(identity_.system_configuration));
  const RecoveredPartition& system = opened.partitions.front().recovered;
  if (!system_.Restore(system.boundary.system.bytes())) {
    return FinishJoin(RaftErrc::WalCorrupted, "the system partition's state does not decode");
  }
  admitted_ = opened.admitted;
  gate_.emplace(identity_.node, identity_.incarnation, identity_.system_configuration,
                !admitted_ && !system.last_index);
  PublishSystem();
  RefreshCounts();
  std::string detail;
  if (const error_code error = services_->transport->Start(
          services_->executor, services_->configuration.listen(), weak_from_this(), detail)) {
    return FinishJoin(error, std::move(detail));
  }
  life_ = Life::kRunning;
  UpdateAddresses();
  for (OpenedStore::Partition& partition : opened.partitions) {
    const bool may_vote = partition.id != kSystemPartition || admitted_;
    StartPartition(std::move(partition), may_vote);
  }
  ConsiderGate();
  Tick();
}

void RaftNode::StartPartition(OpenedStore::Partition partition, bool may_vote) {
  auto actor = std::make_shared<runtime::PartitionActor>(services_, partition.id,
                                                         std::move(partition.recovered),
                                                         std::move(partition.snapshots), may_vote);
  restoring_.insert(partition.id);
  partitions_.Add(actor);
  actor->Start();
  // It may have been made just before another partition met the failure.
  if (failed_sets_.contains(FileSetOf(actor->partition()))) actor->FailStore();
}

void RaftNode::OnPartitionRestored(PartitionId partition) {
  Post([partition](RaftNode& self) {
    self.restoring_.erase(partition);
    self.ConsiderInitialized();
  });
}

// Initialised: the map is known, every partition of it exists here and has restored its log.
void RaftNode::ConsiderInitialized() {
  if (life_ != Life::kRunning || is_initialized_.load()) return;
  if (!system_.roster().IsKnown() || !creating_.empty() || !restoring_.empty()) return;
  for (const cluster::PartitionRecord& record : system_.partitions()) {
    if (partitions_.Find(record.id) == nullptr) return;
  }
  is_initialized_.store(true);
  FinishJoin({});
}

void RaftNode::FinishJoin(error_code error, std::string detail) {
  join_deadline_ = kNever;
  if (!join_) return;
  join_detail_.store(std::make_shared<const std::string>(std::move(detail)));
  PostCompletion(std::exchange(join_, nullptr), error);
}

// What a join that comes to no end waits for, for a person.
std::string RaftNode::DescribeWait() const {
  const std::string self = "node " + std::to_string(identity_.node.value());
  const std::vector<NodeId>& voters = identity_.system_configuration.voters;
  if (system_.roster().IsKnown()) return self + " knows its cluster and waits for its partitions";
  if (std::find(voters.begin(), voters.end(), identity_.node) == voters.end()) {
    return self +
           " is not among InitialMembers and nobody has added it to the cluster: is its id right?";
  }
  std::string reached;
  for (const NodeId peer : live_) {
    reached += (reached.empty() ? "" : ", ") + std::to_string(peer.value());
  }
  const std::string of_all = " of " + std::to_string(voters.size()) + " initial members";
  if (2 * (live_.size() + 1) > voters.size()) {
    const std::string seen = reached.empty() ? self : self + " and " + reached;
    return seen + of_all + " can elect a leader, but nobody leads partition 0 yet";
  }
  return self + " has reached " + (reached.empty() ? "no other node" : "only " + reached) + of_all +
         ": a majority has to run for the first start";
}

// --- Stop ---

void RaftNode::Stop(detail::PlainOperation operation) {
  is_stopping_.store(true);
  Post([operation = std::move(operation)](RaftNode& self) mutable {
    self.BeginStop(std::move(operation));
  });
}

void RaftNode::BeginStop(detail::PlainOperation operation) {
  if (life_ == Life::kStopped) return PostCompletion(std::move(operation), {});
  stops_.push_back(std::move(operation));
  if (life_ == Life::kStopping) return;
  const bool was_new = life_ == Life::kNew;
  life_ = Life::kStopping;
  FinishJoin(RaftErrc::NodeStopped);
  timer_.reset();
  if (was_new) return StopSeams();
  if (!opening_ && creating_.empty()) StopPartitions();
}

void RaftNode::StopPartitions() {
  partitions_stopping_ = partitions_.actors().size();
  if (partitions_stopping_ == 0) return StopSeams();
  for (const auto& actor : partitions_.actors()) {
    actor->Stop([self = shared_from_this()] {
      self->Post([](RaftNode& node) {
        if (--node.partitions_stopping_ == 0) node.StopSeams();
      });
    });
  }
}

void RaftNode::StopSeams() {
  seams_running_ = 2;
  const auto done = [self = shared_from_this()] {
    self->Post([](RaftNode& node) { node.OnSeamStopped(); });
  };
  services_->transport->Stop(done);
  services_->io->Stop(done);
}

void RaftNode::OnSeamStopped() {
  if (--seams_running_ != 0) return;
  life_ = Life::kStopped;
  if (services_->snapshots) services_->snapshots->Close();
  for (auto& [peer, verdict] : std::exchange(pin_verdicts_next_, {})) {
    verdict(RaftErrc::NodeStopped);
  }
  for (detail::PlainOperation& stop : std::exchange(stops_, {}))
    PostCompletion(std::move(stop), {});
}

void RaftNode::Abandon() noexcept {
  is_stopping_.store(true);
  services_->gate.Close();
  services_->io->Abort();
  if (services_->snapshots) services_->snapshots->Close();
  // Woken here, from this thread: a context that is destroyed without running again frees what lies
  // in its queues, and an actor that still waited would wait for ever.
  for (const PartitionId partition : partitions_.Ids()) partitions_.Find(partition)->Stop({});
  Post([](RaftNode& self) {
    // A task that ran has reported before this; one that did not was dropped by the scheduler, and
    // a stop that waits for it has to go on from here.
    const bool lost_task = std::exchange(self.opening_, false) || !self.creating_.empty();
    self.creating_.clear();
    if (self.life_ == Life::kStopped || (self.life_ == Life::kStopping && !lost_task)) return;
    self.life_ = Life::kStopping;
    self.FinishJoin(RaftErrc::NodeStopped);
    self.timer_.reset();
    self.StopPartitions();
  });
}

// Join and stop are waited for here; partitions see to their own.
void RaftNode::OnCancel(std::shared_ptr<detail::Operation> operation) noexcept {
  Post([operation = std::move(operation)](RaftNode& self) {
    if (self.join_ == operation) {
      self.FinishJoin(asio::error::operation_aborted);
      return;
    }
    const auto found = std::find(self.stops_.begin(), self.stops_.end(), operation);
    if (found == self.stops_.end()) return;
    PostCompletion(std::move(*found), asio::error::operation_aborted);
    self.stops_.erase(found);
  });
}

// --- Upkeep ---

void RaftNode::OnTimer() noexcept { Tick(); }

void RaftNode::Tick() {
  if (life_ != Life::kRunning) return;
  if (services_->clock->Now() >= join_deadline_)
    FinishJoin(RaftErrc::LeaderTimeout, DescribeWait());
  runtime::NoteDisk(*services_, services_->io->IsDiskFull());
  UpdateAddresses();
  CreateMissingPartitions();
  ConsiderGate();
  ConsiderSystemProposal();
  if (timer_) timer_->Arm(Deadline(services_->configuration.election_timeout()));
}

Instant RaftNode::Deadline(Duration timeout) const noexcept {
  const Instant now = services_->clock->Now();
  return timeout >= kNever - now ? kNever : now + timeout;
}

error_code RaftNode::Absence() const noexcept {
  if (is_stopping_.load()) return RaftErrc::NodeStopped;
  return is_initialized_.load() ? RaftErrc::PartitionNotFound : RaftErrc::NodeIsNotReady;
}

bool RaftNode::RunningOnLibraryStrand() const noexcept {
  if (strand_.running_in_this_thread()) return true;
  for (const PartitionId partition : partitions_.Ids()) {
    if (partitions_.Find(partition)->RunningOnStrand()) return true;
  }
  return false;
}

void RaftNode::ReportProblem(error_code error, std::string text) {
  services_->logger.Log(LogLevel::kError, "node_problem", std::nullopt,
                        {{"error", error.message()}, {"text", text}});
  if (runtime::PartitionActor* system = Find(kSystemPartition)) {
    system->NotifyNodeError(error, std::move(text));
  }
}

void RaftNode::OnStoreFailed(PartitionId partition, error_code error) {
  Post([partition, error](RaftNode& self) {
    self.FailStore(partition, error, "partition " + std::to_string(partition.value()));
  });
}

void RaftNode::OnPartitionDamaged(PartitionId partition, error_code error) {
  Post([partition, error](RaftNode& self) {
    const std::string text = "partition " + std::to_string(partition.value()) +
                             " cannot be read back: " + error.message();
    self.ReportProblem(error, text);
    if (self.restoring_.contains(partition)) self.FinishJoin(error, text);
  });
}

// Every partition that shares the file set with this one has failed, and no other. `where` was the
// first to know.
void RaftNode::FailStore(PartitionId partition, error_code error, const std::string& where) {
  const bool was_not_written =
      error == RaftErrc::NodeStopped || error == RaftErrc::ProposalQueueFull;
  const std::size_t file_set = FileSetOf(partition);
  if (was_not_written || !failed_sets_.insert(file_set).second) return;
  for (const auto& actor : partitions_.actors()) {
    if (FileSetOf(actor->partition()) == file_set) actor->FailStore();
  }
  std::string text = "storage failed";
  if (file_sets_ > 1) {
    text += " in file set " + std::to_string(file_set) + " of " + std::to_string(file_sets_);
  }
  text += ", seen first in " + where + ": " + error.message();
  ReportProblem(error, text);
  if (AwaitsFileSet(file_set)) FinishJoin(error, text);
}

// Whether a join waits for what can be stored in that file set alone: what the node knows of its
// cluster, in partition 0's, or a partition that is not there yet or has not restored its log.
bool RaftNode::AwaitsFileSet(std::size_t file_set) const {
  if (file_set == FileSetOf(kSystemPartition)) return true;
  const auto lies_there = [&](PartitionId partition) { return FileSetOf(partition) == file_set; };
  return std::any_of(restoring_.begin(), restoring_.end(), lies_there) ||
         std::any_of(system_.partitions().begin(), system_.partitions().end(),
                     [&](const cluster::PartitionRecord& record) {
                       return lies_there(record.id) && Find(record.id) == nullptr;
                     });
}

}  // namespace kommander
