// The compiled side of RaftManager: the composition of one node. Partitions, store, transport and
// the system partition's state meet here; each file of this class is one of its concerns:
//   raft_node.cpp         life: join, stop, abandon
//   raft_node_peers.cpp   identity: hellos, pins, what counts
//   raft_node_system.cpp  the system partition: bootstrap, roster, partition map
//
// Shared by the manager and by what runs; nothing holds a raw pointer to it. Its own state belongs
// to `strand_`; what other threads read lies in tables of atomics.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <kommander/raft_manager.hpp>

#include "cluster/admission.hpp"
#include "cluster/bootstrap.hpp"
#include "cluster/system_state.hpp"
#include "manager/partition_table.hpp"
#include "manager/peer_table.hpp"
#include "manager/store.hpp"
#include "runtime/node_services.hpp"
#include "runtime/partition_actor.hpp"

namespace kommander {

class RaftNode final : public TransportHost,
                       public runtime::NodeSink,
                       public detail::CancelSink,
                       public Clock::Sink,
                       public std::enable_shared_from_this<RaftNode> {
 public:
  RaftNode(boost::asio::any_io_executor executor, RaftConfiguration configuration,
           std::shared_ptr<Wal> wal, std::shared_ptr<Transport> transport,
           std::shared_ptr<Discovery> discovery, RaftDependencies dependencies);
  ~RaftNode() override;

  // Throws boost::system::system_error(AlreadyJoined) after Join.
  [[nodiscard]] runtime::Handlers& handlers();
  // Likewise.
  void UseStateMachine(std::shared_ptr<StateMachine> machine);
  void UseSnapshots(std::shared_ptr<SnapshotStore> snapshots);
  void UseLogSink(LogSink sink, LogLevel least);

  // --- Thread-safe ---
  void Join(detail::PlainOperation operation);
  void Stop(detail::PlainOperation operation);
  // The manager is being destroyed: returns once no handler and no disk write runs.
  void Abandon() noexcept;

  // Null: not hosted here, or not yet.
  [[nodiscard]] runtime::PartitionActor* Find(PartitionId partition) const noexcept {
    return partitions_.Find(partition);
  }
  // Why Find answered null.
  [[nodiscard]] error_code Absence() const noexcept;
  [[nodiscard]] std::vector<PartitionId> Partitions() const { return partitions_.Ids(); }
  [[nodiscard]] bool IsInitialized() const noexcept { return is_initialized_.load(); }
  // As applied here; never null.
  [[nodiscard]] std::shared_ptr<const PartitionMap> map() const noexcept { return map_.load(); }
  [[nodiscard]] std::shared_ptr<const Membership> membership() const noexcept {
    return membership_.load();
  }
  [[nodiscard]] std::shared_ptr<const ClusterSettings> settings() const noexcept {
    return settings_.load();
  }
  [[nodiscard]] const runtime::NodeServices& services() const noexcept { return *services_; }
  [[nodiscard]] Instant Deadline(Duration timeout) const noexcept;
  [[nodiscard]] const std::shared_ptr<Wal>& wal() const noexcept { return wal_; }
  [[nodiscard]] NodeStatistics Statistics() const noexcept;
  // After a join has failed: one line for a person, possibly empty.
  [[nodiscard]] std::string join_detail() const {
    const auto detail = join_detail_.load();
    return detail ? *detail : std::string();
  }

  // Changes the members of one partition through its core; for tests, and for the membership to
  // come.
  void Reconfigure(PartitionId partition, Configuration target, Duration timeout,
                   std::function<void(error_code)> done);
  // Adds a node to the roster through the system partition, whose leader this must be; the same.
  void AddMember(NodeId node, Duration timeout, std::function<void(error_code)> done);
  // For tests: whether votes and acknowledgements of the peer count on this node.
  [[nodiscard]] bool Counts(NodeId peer) const noexcept { return peers_.Counts(peer); }
  // For tests: whether the calling code runs on a strand of the library.
  [[nodiscard]] bool RunningOnLibraryStrand() const noexcept;

  Hello LocalHello(NodeId peer) const override;
  void Judge(Hello hello, NodeId dialled, std::function<void(error_code)> verdict) override;
  void OnMessages(NodeId from, std::vector<Message> messages) override;
  void OnPeerDown(NodeId peer, error_code reason) override;
  void OnRefused(NodeId peer, error_code reason) override;
  void OnSystemCommand(LogIndex index, Payload command) override;
  void OnSystemApplied(LogIndex index) override;
  void OnSystemMark(runtime::CutPoint point) override;
  void OnSystemInstalled(Payload state) override;
  void OnPartitionRestored(PartitionId partition) override;
  void OnPartitionLeader(PartitionId partition, NodeId leader, bool is_ready_here) override;
  void OnStoreFailed(PartitionId partition, error_code error) override;
  void OnPartitionDamaged(PartitionId partition, error_code error) override;
  [[nodiscard]] Incarnation RosterPinOf(NodeId peer) const noexcept override;
  [[nodiscard]] Generation GenerationOf(PartitionId partition) const noexcept override {
    return map()->GenerationOf(partition);
  }
  void OnCancel(std::shared_ptr<detail::Operation> operation) noexcept override;
  void OnTimer() noexcept override;

 private:
  enum class Life : std::uint8_t { kNew, kOpening, kRunning, kStopping, kStopped };
  using Verdict = std::function<void(error_code)>;

  // Runs a member function on the strand, keeping the node alive until then.
  template <class Function>
  void Post(Function function) {
    boost::asio::post(strand_, [self = shared_from_this(),
                                function = std::move(function)]() mutable { function(*self); });
  }

  // raft_node.cpp
  void BeginJoin(detail::PlainOperation operation);
  [[nodiscard]] OpenedStore OpenOnIoThread(Wal& wal) const;
  void OnStoreOpened(OpenedStore opened);
  void StartPartition(OpenedStore::Partition partition, bool may_vote);
  void FinishJoin(error_code error, std::string detail = {});
  [[nodiscard]] std::string DescribeWait() const;
  void ConsiderInitialized();
  void BeginStop(detail::PlainOperation operation);
  void StopPartitions();
  void StopSeams();
  void OnSeamStopped();
  void Tick();
  void FailStore(PartitionId partition, error_code error, const std::string& where);
  [[nodiscard]] bool AwaitsFileSet(std::size_t file_set) const;
  [[nodiscard]] std::size_t FileSetOf(PartitionId partition) const noexcept {
    return partition.value() % file_sets_;
  }
  void ReportProblem(error_code error, std::string text);

  // raft_node_peers.cpp
  void UpdateAddresses();
  void JudgeOnStrand(Hello hello, NodeId dialled, Verdict verdict);
  void Pin(NodeId peer, Incarnation incarnation, Verdict verdict);
  void OnPinsWritten(error_code error);
  void RefreshCounts();
  void ConsiderGate();
  void OnAdmissionWritten(error_code error);
  void HearRefusal(NodeId peer, error_code reason);
  [[nodiscard]] bool IsMember(NodeId node) const;
  [[nodiscard]] cluster::AdmissionFacts Facts() const;

  // raft_node_system.cpp
  void ApplySystemCommand(LogIndex index, const Payload& command);
  void ConsiderSystem();
  void PublishSystem();
  void CreateMissingPartitions();
  void CreatePartitionsOf(std::size_t file_set,
                          std::vector<std::pair<PartitionId, Configuration>> missing);
  void OnPartitionsCreated(std::size_t file_set, OpenedStore created);
  void ConsiderSystemProposal();
  void ProposeSystem(Payload command);

  const std::shared_ptr<runtime::NodeServices> services_;
  const std::shared_ptr<Wal> wal_;
  const std::shared_ptr<Discovery> discovery_;
  const boost::asio::strand<boost::asio::any_io_executor> strand_;
  const Incarnation fresh_incarnation_;  // should the store turn out to be new
  const std::uint64_t nonce_;
  PartitionTable partitions_;
  PeerTable peers_;
  std::atomic<std::uint64_t> incarnation_{0};
  std::atomic<std::uint64_t> bootstrap_digest_{0};
  std::atomic<bool> knows_roster_{false};
  std::atomic<bool> has_joined_{false};
  std::atomic<bool> is_initialized_{false};
  std::atomic<bool> is_stopping_{false};
  std::atomic<std::uint64_t> uncounted_dropped_{0};
  std::atomic<std::shared_ptr<const std::string>> join_detail_;
  std::atomic<std::shared_ptr<const PartitionMap>> map_{std::make_shared<const PartitionMap>()};
  std::atomic<std::shared_ptr<const Membership>> membership_{std::make_shared<const Membership>()};
  std::atomic<std::shared_ptr<const ClusterSettings>> settings_{
      std::make_shared<const ClusterSettings>()};

  // Of the strand.
  Life life_ = Life::kNew;
  bool opening_ = false;  // a task of the join is under way
  detail::PlainOperation join_;
  std::vector<detail::PlainOperation> stops_;
  Instant join_deadline_ = kNever;
  std::unique_ptr<Clock::Timer> timer_;
  StoreIdentity identity_;
  std::optional<cluster::BootstrapGate> gate_;
  bool admitted_ = false;  // on disk: the gate has been open
  bool admission_writing_ = false;
  std::size_t file_sets_ = 1;          // of the store
  std::set<std::size_t> failed_sets_;  // what they hold has failed until a restart
  cluster::SystemState system_;
  std::vector<runtime::Refusal> refused_;  // what the system partition has not been told of yet
  std::set<PartitionId> restoring_;
  std::set<std::size_t> creating_;  // file sets for which a task that makes partitions is under way
  bool leads_system_ = false;
  bool system_proposal_open_ = false;
  Pins pins_;          // synced
  Pins pins_pending_;  // and those being written
  bool pins_writing_ = false;
  std::vector<std::pair<NodeId, Verdict>> pin_verdicts_next_;
  std::vector<std::pair<NodeId, Verdict>> pin_verdicts_writing_;
  std::set<NodeId> live_;  // peers whose last hello was accepted and whose link has not ended
  std::set<NodeId> refused_by_;
  std::set<std::pair<NodeId, int>> problems_told_;
  std::size_t seams_running_ = 0;
  std::size_t partitions_stopping_ = 0;
};

// The node behind a manager: for tests, and for tools inside the library.
struct RaftNodeAccess {
  [[nodiscard]] static const std::shared_ptr<RaftNode>& Of(const RaftManager& manager) noexcept {
    return manager.node_;
  }
};

}  // namespace kommander
