// The library's front: one RaftManager per process, many partitions, each a Raft group of its own.
//
//   kommander::RaftManager raft(executor, configuration, wal, transport, discovery);
//   raft.OnReplicationReceived([&](const kommander::RaftLog& log) { state.Apply(log); });
//   co_await raft.JoinCluster();
//   co_await raft.ReplicateLogs(1, "Greeting", payload);   // on the leader of partition 1
//
// Threads. Every call may come from any thread. Completions are posted to the executor associated
// with the handler (default: the manager's), never run inside a call, and never on a strand of the
// library; a completion must not block on another one. Handlers: see handlers.hpp.
//
// Tokens. Every asynchronous call takes any completion token; its signature stands beside it.
//
// Errors. Beside those named with a call: NodeIsNotReady before JoinCluster is done,
// PartitionNotFound, NodeStopped, StorageFailed, and ProposalQueueFull where too much waits, reads
// and waits for a leader among it. What each means for a write: docs/guarantees.md.
//
// Cancellation. Not yet accepted by the partition: any type ends the call as operation_aborted,
// without effect. Accepted: `partial` and `terminal` end the wait at once, a read as
// operation_aborted, anything else as OutcomeUnknown, since it goes on; `total` is ignored.
// A wait for a leader ends by any type. JoinCluster: every type,
// the node then stays as far as it got and Stop must follow. Stop: `total` and the others end the
// wait, not the stop.
//
// Life. The context must outlive the manager. While joined the manager counts as outstanding work.
// After Stop has completed nothing of the library holds the executor. The destructor without Stop
// closes everything without waiting for more than a running handler or disk write.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <kommander/batch.hpp>
#include <kommander/cluster_settings.hpp>
#include <kommander/dependencies.hpp>
#include <kommander/detail/calls.hpp>
#include <kommander/detail/export.hpp>
#include <kommander/discovery.hpp>
#include <kommander/entry_batch.hpp>
#include <kommander/errors.hpp>
#include <kommander/handlers.hpp>
#include <kommander/ids.hpp>
#include <kommander/logging.hpp>
#include <kommander/membership.hpp>
#include <kommander/partition_map.hpp>
#include <kommander/raft_configuration.hpp>
#include <kommander/raft_log.hpp>
#include <kommander/replicate_options.hpp>
#include <kommander/retention_hold.hpp>
#include <kommander/session.hpp>
#include <kommander/snapshot_store.hpp>
#include <kommander/state_machine.hpp>
#include <kommander/statistics.hpp>
#include <kommander/status.hpp>
#include <kommander/transport.hpp>
#include <kommander/wal.hpp>

namespace kommander {

class RaftNode;

template <class Token, class Signature>
concept TokenFor = boost::asio::completion_token_for<Token, Signature>;

class KOMMANDER_EXPORT RaftManager {
 public:
  using executor_type = boost::asio::any_io_executor;
  using DefaultToken = boost::asio::use_awaitable_t<>;

  // `discovery` may be null: the addresses of InitialMembers, for ever. Throws
  // boost::system::system_error(InvalidConfiguration) whose text lists every problem.
  RaftManager(executor_type executor, RaftConfiguration configuration, std::shared_ptr<Wal> wal,
              std::shared_ptr<Transport> transport, std::shared_ptr<Discovery> discovery);
  // For simulation and tests: replaces time, blocking work and chance.
  RaftManager(executor_type executor, RaftConfiguration configuration, std::shared_ptr<Wal> wal,
              std::shared_ptr<Transport> transport, std::shared_ptr<Discovery> discovery,
              RaftDependencies dependencies);
  ~RaftManager();
  RaftManager(const RaftManager&) = delete;
  RaftManager& operator=(const RaftManager&) = delete;

  [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

  // --- Handlers; register before JoinCluster: later, system_error(AlreadyJoined) is thrown ---

  // An entry that was committed before this start, in order, exactly once per process life.
  RaftManager& OnLogRestored(Handler<RaftLog> handler);
  // Every later committed entry, on every node, the leader too, continuing the same order.
  RaftManager& OnReplicationReceived(Handler<RaftLog> handler);
  // A handler returned false or threw for this payload; the order goes on.
  RaftManager& OnReplicationError(Handler<RaftLog> handler);
  // The leader known to this node changed; NodeId 0: none is known. Comes for the system partition
  // too. It may come before a new leader is ready, or long after it in line behind a slow handler:
  // ReadBarrier tells a leader that it leads, and that it has applied what came before it.
  RaftManager& OnLeaderChanged(Handler<PartitionId, NodeId> handler);
  RaftManager& OnRestoreStarted(Handler<PartitionId> handler);
  RaftManager& OnRestoreFinished(Handler<PartitionId> handler);
  // The node as a whole has a problem: failed storage, a refused identity. One line for a person.
  RaftManager& OnNodeError(Handler<error_code, std::string> handler);
  // The map of partitions, the cluster's roster or its settings are others: the newest ones, in the
  // order of the system partition's handlers. The first map and the first roster come with the
  // first start of the cluster, the first settings with the first that is set; after a restart what
  // is known then is there at once (GetPartitionMap), and only changes come here.
  RaftManager& OnPartitionMapChanged(Handler<PartitionMap> handler);
  RaftManager& OnMembershipChanged(Handler<Membership> handler);
  RaftManager& OnClusterSettingsChanged(Handler<ClusterSettings> handler);
  // Up to which index the application has its state of a partition on disk by itself; none: nothing
  // is there, and nothing may be removed. Asked at the start, on the node's executor, when delivery
  // begins after what it says; and at each checkpoint, on the partition's delivery strand. A plain
  // function that returns at once; an exception counts as none. Where the log begins after what it
  // says at the start, the partition fails (SnapshotMissing).
  RaftManager& OnDurableIndex(std::function<std::optional<LogIndex>(PartitionId)> provider);

  // Entries go to the state machine, in spans, instead of OnLogRestored and OnReplicationReceived,
  // those of the application's own types in partition 0 among them: beside either of the two
  // JoinCluster ends with InvalidConfiguration.
  RaftManager& UseStateMachine(std::shared_ptr<StateMachine> machine);
  // Where snapshots are kept. They are then taken of the state machine, without which JoinCluster
  // ends with InvalidConfiguration, and sent by themselves (RaftConfiguration::SnapshotEntries);
  // each one taken lets the log be shortened.
  RaftManager& UseSnapshots(std::shared_ptr<SnapshotStore> snapshots);
  // Where records go that tell what happens (logging.hpp), from `least` on.
  RaftManager& UseLogSink(LogSink sink, LogLevel least = LogLevel::kInfo);

  // --- Life ---

  // void(error_code). Opens the store, starts the system partition and completes once the partition
  // map is known and every partition of this node has restored its log. Errors: the Wal* ones,
  // AddressInUse, IdentityReplaced, DuplicateNodeId, ClusterIdMismatch, BootstrapMismatch,
  // VersionMismatch, InvalidConfiguration, LeaderTimeout, StorageFailed, AlreadyJoined,
  // NodeStopped. After one of them Stop must follow, and another manager for another try; with
  // JoinTimeout 0 it waits for the cluster however long that takes.
  template <TokenFor<void(error_code)> Token = DefaultToken>
  auto JoinCluster(Token&& token = {}) {
    return detail::Initiate<detail::NoResult>(executor_, LifeSink(), std::forward<Token>(token),
                                              [node = node_](detail::PlainOperation operation) {
                                                detail::StartJoin(node, std::move(operation));
                                              });
  }

  // void(error_code). Ends this process's part; the membership stays as it is. Completes when
  // nothing of the library runs any more. May be called at any moment, more than once.
  template <TokenFor<void(error_code)> Token = DefaultToken>
  auto Stop(Token&& token = {}) {
    return detail::Initiate<detail::NoResult>(executor_, LifeSink(), std::forward<Token>(token),
                                              [node = node_](detail::PlainOperation operation) {
                                                detail::StartStop(node, std::move(operation));
                                              });
  }

  // --- Replication, on the partition's leader ---

  // void(error_code, ReplicateResult). Success: a majority, this node included, has the payload on
  // disk, and every node will deliver it at this place of the order. `type` is the application's
  // word for what the payload is, up to 65,535 bytes. Errors: docs/guarantees.md.
  template <TokenFor<void(error_code, ReplicateResult)> Token = DefaultToken>
  auto ReplicateLogs(PartitionId partition, std::string_view type, Payload payload,
                     ReplicateOptions options = {}, Token&& token = {}) {
    return Replicate(partition, detail::EncodeBody(type, payload, options.session()), options,
                     std::forward<Token>(token));
  }
  template <TokenFor<void(error_code, ReplicateResult)> Token>
  auto ReplicateLogs(PartitionId partition, std::string_view type, Payload payload, Token&& token) {
    return Replicate(partition, detail::EncodeBody(type, payload), ReplicateOptions(),
                     std::forward<Token>(token));
  }
  // All payloads of the batch, atomically, in its order.
  template <TokenFor<void(error_code, ReplicateResult)> Token = DefaultToken>
  auto ReplicateLogs(PartitionId partition, const Batch& batch, ReplicateOptions options = {},
                     Token&& token = {}) {
    return Replicate(partition, detail::EncodeBody(batch, options.session()), options,
                     std::forward<Token>(token));
  }
  template <TokenFor<void(error_code, ReplicateResult)> Token>
  auto ReplicateLogs(PartitionId partition, const Batch& batch, Token&& token) {
    return Replicate(partition, detail::EncodeBody(batch), ReplicateOptions(),
                     std::forward<Token>(token));
  }

  // void(error_code, ReplicateEntriesResult). Payloads of both kinds (entry_batch.hpp), appended
  // together: when the manual part is answered, the other one is committed. Errors: those of
  // ReplicateLogs; InvalidArgument for a batch that is empty or not ordered, and for a session with
  // both kinds.
  template <TokenFor<void(error_code, ReplicateEntriesResult)> Token = DefaultToken>
  auto ReplicateEntries(PartitionId partition, const EntryBatch& batch,
                        ReplicateOptions options = {}, Token&& token = {}) {
    return Entries(partition, batch, options, std::forward<Token>(token));
  }
  template <TokenFor<void(error_code, ReplicateEntriesResult)> Token>
  auto ReplicateEntries(PartitionId partition, const EntryBatch& batch, Token&& token) {
    return Entries(partition, batch, ReplicateOptions(), std::forward<Token>(token));
  }

  // --- Manual proposals: ReplicateOptions::Manual prepares, one of these decides ---

  // void(error_code, ReplicateResult). The proposal of `ticket` is delivered, whole, on every node,
  // at the place that the result names. A decision is replicated like a write: it survives a change
  // of leader, and the first one in the log counts. The same decision again is success and names
  // the first place. Errors: those of ReplicateLogs; AlreadySettled, the other way;
  // ProposalNotFound, no such ticket, or settled more than 4,096 decisions ago. Slow handlers delay
  // the answer: it comes once all before it has been handed to them.
  template <TokenFor<void(error_code, ReplicateResult)> Token = DefaultToken>
  auto CommitLogs(PartitionId partition, Ticket ticket, ReplicateOptions options = {},
                  Token&& token = {}) {
    return Decide(partition, ticket, true, options, std::forward<Token>(token));
  }
  template <TokenFor<void(error_code, ReplicateResult)> Token>
  auto CommitLogs(PartitionId partition, Ticket ticket, Token&& token) {
    return Decide(partition, ticket, true, ReplicateOptions(), std::forward<Token>(token));
  }
  // The same; nothing of the proposal is delivered anywhere. Undecided tickets are rolled back
  // after RaftConfiguration::TicketTimeout.
  template <TokenFor<void(error_code, ReplicateResult)> Token = DefaultToken>
  auto RollbackLogs(PartitionId partition, Ticket ticket, ReplicateOptions options = {},
                    Token&& token = {}) {
    return Decide(partition, ticket, false, options, std::forward<Token>(token));
  }
  template <TokenFor<void(error_code, ReplicateResult)> Token>
  auto RollbackLogs(PartitionId partition, Ticket ticket, Token&& token) {
    return Decide(partition, ticket, false, ReplicateOptions(), std::forward<Token>(token));
  }
  // void(error_code, std::vector<OpenTicket>). The proposals that wait for a decision, ascending by
  // ticket, as far as this node has come; on any node.
  template <TokenFor<void(error_code, std::vector<OpenTicket>)> Token = DefaultToken>
  auto ListOpenTickets(PartitionId partition, Token&& token = {}) {
    return detail::Initiate<std::vector<OpenTicket>>(
        executor_, SinkOf(partition), std::forward<Token>(token),
        [node = node_, partition](detail::TicketsOperation operation) {
          detail::StartListTickets(*node, std::move(operation), partition);
        });
  }

  // --- Checkpoints: a log that gets shorter ---

  // void(error_code, ReplicateResult). Says that the application keeps everything up to `covered`
  // by itself; none: up to what this node's handlers have returned for. On each node that meets it,
  // its own application answers for as much as OnDurableIndex says, or as its handlers have
  // returned for, which then promises that it is on disk (never call it with state in memory alone
  // and no OnDurableIndex), or, of a StateMachine, as its newest snapshot goes: nowhere, without
  // snapshots. What all of them keep is removed from the log, but for RetainedEntries, holds,
  // SetMinRetainIndex and open tickets; a restart delivers only what comes after. Errors: those of
  // ReplicateLogs; InvalidArgument: `covered` is not committed yet.
  template <TokenFor<void(error_code, ReplicateResult)> Token = DefaultToken>
  auto ReplicateCheckpoint(PartitionId partition, std::optional<LogIndex> covered = std::nullopt,
                           ReplicateOptions options = {}, Token&& token = {}) {
    return Checkpoint(partition, covered, options, std::forward<Token>(token));
  }
  template <TokenFor<void(error_code, ReplicateResult)> Token>
  auto ReplicateCheckpoint(PartitionId partition, Token&& token) {
    return Checkpoint(partition, std::nullopt, ReplicateOptions(), std::forward<Token>(token));
  }
  // void(error_code, RetentionHold). Keeps the entries from `first` on in this node's log while the
  // hold lives. LogCompacted: they are gone already.
  template <TokenFor<void(error_code, RetentionHold)> Token = DefaultToken>
  auto AcquireRetentionHold(PartitionId partition, LogIndex first, Token&& token = {}) {
    return detail::Initiate<RetentionHold>(
        executor_, SinkOf(partition), std::forward<Token>(token),
        [node = node_, partition, first](detail::HoldOperation operation) {
          detail::StartHold(*node, std::move(operation), partition, first);
        });
  }
  // The same as a lasting wish: the last call counts, 0 takes it back, a restart forgets it.
  // Nothing happens for a partition that is not hosted here, or not yet: call it once JoinCluster
  // is done.
  void SetMinRetainIndex(PartitionId partition, LogIndex first);

  // --- Sessions: exactly once (session.hpp) ---

  // void(error_code, ClientSession). On the partition's leader, or with Forward on any node.
  // Errors: those of ReplicateLogs; TooManySessions. After OutcomeUnknown or ProposalTimeout a
  // session may exist that nobody uses; it goes after RaftConfiguration::SessionTimeout.
  template <TokenFor<void(error_code, ClientSession)> Token = DefaultToken>
  auto OpenSession(PartitionId partition, ReplicateOptions options = {}, Token&& token = {}) {
    return Open(partition, options, std::forward<Token>(token));
  }
  template <TokenFor<void(error_code, ClientSession)> Token>
  auto OpenSession(PartitionId partition, Token&& token) {
    return Open(partition, ReplicateOptions(), std::forward<Token>(token));
  }
  // void(error_code). Its results are forgotten, and writes of it end as SessionExpired. The same
  // errors; SessionExpired: there was none.
  template <TokenFor<void(error_code)> Token = DefaultToken>
  auto CloseSession(PartitionId partition, SessionId session, ReplicateOptions options = {},
                    Token&& token = {}) {
    return CloseOne(partition, session, options, std::forward<Token>(token));
  }
  template <TokenFor<void(error_code)> Token>
  auto CloseSession(PartitionId partition, SessionId session, Token&& token) {
    return CloseOne(partition, session, ReplicateOptions(), std::forward<Token>(token));
  }

  // --- Settings of the cluster (cluster_settings.hpp): on the leader of the system partition, or
  //     with Forward on any node ---

  // void(error_code, ReplicateResult). Success: the setting is committed, every node will have it,
  // and the leader has; the result's index is its version. Errors: those of ReplicateLogs;
  // InvalidArgument: no IsClusterSettingName, or more than kClusterSettingValueBytesMax;
  // TooManySettings: it would be one more than kClusterSettingsMax; SettingChanged: it has another
  // version than ExpectedVersion. Which of these two it is, the order of the log says, so slow
  // handlers of the system partition delay the answer.
  template <TokenFor<void(error_code, ReplicateResult)> Token = DefaultToken>
  auto SetClusterSetting(std::string_view name, const Payload& value, ReplicateOptions options = {},
                         Token&& token = {}) {
    return Setting(name, &value, options, std::forward<Token>(token));
  }
  template <TokenFor<void(error_code, ReplicateResult)> Token>
  auto SetClusterSetting(std::string_view name, const Payload& value, Token&& token) {
    return Setting(name, &value, ReplicateOptions(), std::forward<Token>(token));
  }
  // The same, success also when there is none of that name; never TooManySettings.
  template <TokenFor<void(error_code, ReplicateResult)> Token = DefaultToken>
  auto RemoveClusterSetting(std::string_view name, ReplicateOptions options = {},
                            Token&& token = {}) {
    return Setting(name, nullptr, options, std::forward<Token>(token));
  }
  template <TokenFor<void(error_code, ReplicateResult)> Token>
  auto RemoveClusterSetting(std::string_view name, Token&& token) {
    return Setting(name, nullptr, ReplicateOptions(), std::forward<Token>(token));
  }

  // --- Reads and leadership, on any node ---

  // void(error_code, ReadBarrierResult). Afterwards a read of this node's application state sees
  // every write acknowledged, anywhere, before the call (thesis 6.4); of the system partition, so
  // do map, roster and settings. Errors: NodeIsNotLeader, ReadTimeout, NodeStopped,
  // PartitionNotFound.
  template <TokenFor<void(error_code, ReadBarrierResult)> Token = DefaultToken>
  auto ReadBarrier(PartitionId partition, ReadOptions options = {}, Token&& token = {}) {
    return Barrier(partition, options, std::forward<Token>(token));
  }
  template <TokenFor<void(error_code, ReadBarrierResult)> Token>
  auto ReadBarrier(PartitionId partition, Token&& token) {
    return Barrier(partition, ReadOptions(), std::forward<Token>(token));
  }

  // What this node believes now, without waiting: true while it leads and is ready to.
  [[nodiscard]] bool AmILeaderQuick(PartitionId partition) const noexcept;
  // void(error_code, bool). Waits until a leader is known and answers whether it is this node.
  // LeaderTimeout after RaftConfiguration::LeaderTimeout.
  template <TokenFor<void(error_code, bool)> Token = DefaultToken>
  auto AmILeader(PartitionId partition, Token&& token = {}) {
    return detail::Initiate<bool>(executor_, SinkOf(partition), std::forward<Token>(token),
                                  [node = node_, partition](detail::BoolOperation operation) {
                                    detail::StartAmILeader(*node, std::move(operation), partition);
                                  });
  }
  // void(error_code, NodeId). Waits until a leader is known; LeaderTimeout as above.
  template <TokenFor<void(error_code, NodeId)> Token = DefaultToken>
  auto WaitForLeader(PartitionId partition, Token&& token = {}) {
    return detail::Initiate<NodeId>(executor_, SinkOf(partition), std::forward<Token>(token),
                                    [node = node_, partition](detail::LeaderOperation operation) {
                                      detail::StartWaitForLeader(*node, std::move(operation),
                                                                 partition);
                                    });
  }
  // void(error_code, NodeId). Waits until the leader has been the same, and has served, for
  // `stable_for`, as far as this node knows; LeaderTimeout when that does not come about within
  // `timeout` (0: RaftConfiguration::LeaderTimeout).
  template <TokenFor<void(error_code, NodeId)> Token = DefaultToken>
  auto WaitForStableLeader(PartitionId partition, Duration stable_for, Duration timeout = {},
                           Token&& token = {}) {
    return detail::Initiate<NodeId>(
        executor_, SinkOf(partition), std::forward<Token>(token),
        [node = node_, partition, stable_for, timeout](detail::LeaderOperation operation) {
          detail::StartWaitForStableLeader(*node, std::move(operation), partition, stable_for,
                                           timeout);
        });
  }
  // void(error_code, bool). True: after the call a majority has said that this node still leads, so
  // whatever was acknowledged before, it was acknowledged here. False: it does not lead, or nobody
  // said so in time (ReadTimeout). Unlike ReadBarrier it does not wait for the application.
  template <TokenFor<void(error_code, bool)> Token = DefaultToken>
  auto ConfirmLeadership(PartitionId partition, ReadOptions options = {}, Token&& token = {}) {
    return Confirm(partition, options, std::forward<Token>(token));
  }
  template <TokenFor<void(error_code, bool)> Token>
  auto ConfirmLeadership(PartitionId partition, Token&& token) {
    return Confirm(partition, ReadOptions(), std::forward<Token>(token));
  }
  // The last leader heard of, 0: none. May be stale.
  [[nodiscard]] NodeId GetPartitionLeaderHint(PartitionId partition) const noexcept;

  // void(error_code). Hands leadership of the partition from this node to `target` (0: the most
  // advanced voter). Success: this node has seen the new leader. Errors: NodeIsNotLeader,
  // UnknownNode, ChangeInProgress, TransferTimeout.
  template <TokenFor<void(error_code)> Token = DefaultToken>
  auto TransferLeadership(PartitionId partition, NodeId target, Token&& token = {}) {
    return detail::Initiate<detail::NoResult>(
        executor_, SinkOf(partition), std::forward<Token>(token),
        [node = node_, partition, target](detail::PlainOperation operation) {
          detail::StartTransfer(*node, std::move(operation), partition, target);
        });
  }
  // void(error_code). Gives leadership up without naming a successor.
  template <TokenFor<void(error_code)> Token = DefaultToken>
  auto StepDown(PartitionId partition, Token&& token = {}) {
    return detail::Initiate<detail::NoResult>(
        executor_, SinkOf(partition), std::forward<Token>(token),
        [node = node_, partition](detail::PlainOperation operation) {
          detail::StartStepDown(*node, std::move(operation), partition);
        });
  }

  // void(error_code). For tests: while this node leads the partition it sends no heartbeats, until
  // they are resumed.
  template <TokenFor<void(error_code)> Token = DefaultToken>
  auto SuspendHeartbeats(PartitionId partition, Token&& token = {}) {
    return Heartbeats(partition, true, std::forward<Token>(token));
  }
  template <TokenFor<void(error_code)> Token = DefaultToken>
  auto ResumeHeartbeats(PartitionId partition, Token&& token = {}) {
    return Heartbeats(partition, false, std::forward<Token>(token));
  }

  // --- Views; they wait for nothing ---

  [[nodiscard]] NodeId id() const noexcept;
  [[nodiscard]] const std::string& cluster_id() const noexcept;
  [[nodiscard]] bool IsInitialized() const noexcept;  // JoinCluster has done its work
  // After JoinCluster has failed: one line for a person that says what to look at; else empty.
  [[nodiscard]] std::string JoinDetail() const;
  // Partitions this node hosts, ascending, the system partition (0) first.
  [[nodiscard]] std::vector<PartitionId> Partitions() const;
  // The partition of a key: by the part up to its last '/' (PartitionPrefix), or by all of it.
  // None: the map is not known yet, before JoinCluster has done its work.
  [[nodiscard]] std::optional<PartitionId> GetPartitionKey(std::string_view key) const noexcept;
  [[nodiscard]] std::optional<PartitionId> GetPrefixPartitionKey(
      std::string_view prefix) const noexcept;
  // The map as this node has applied it; a copy.
  [[nodiscard]] PartitionMap GetPartitionMap() const;
  // The roster, likewise.
  [[nodiscard]] Membership GetMembership() const;
  // The settings, likewise; one of them, or none of that name.
  [[nodiscard]] ClusterSettings GetClusterSettings() const;
  [[nodiscard]] std::optional<ClusterSetting> GetClusterSetting(std::string_view name) const;
  // none of the fields but `partition` is set for a partition that this node does not host.
  [[nodiscard]] PartitionStatus Status(PartitionId partition) const noexcept;
  // Of every other member that this node sends to, ascending; empty unless it leads.
  [[nodiscard]] std::vector<PeerStatus> GetPeers(PartitionId partition) const;
  // Nothing but `partition` is set for one that is not hosted here.
  [[nodiscard]] PartitionStatistics GetPartitionStatistics(PartitionId partition) const noexcept;
  [[nodiscard]] NodeStatistics GetNodeStatistics() const noexcept;
  [[nodiscard]] IoStatistics GetIoStatistics() const noexcept;
  [[nodiscard]] WalStatistics GetWalStatistics() const noexcept;
  [[nodiscard]] TransportStatistics GetTransportStatistics() const noexcept;

 private:
  friend struct RaftNodeAccess;
  template <class Token>
  auto Replicate(PartitionId partition, detail::EncodedBody body, ReplicateOptions options,
                 Token&& token) {
    if (body.is_reserved) body.error = RaftErrc::InvalidArgument;
    return detail::Initiate<ReplicateResult>(
        executor_, SinkOf(partition), std::forward<Token>(token),
        [node = node_, partition, body = std::move(body),
         options](detail::ReplicateOperation operation) mutable {
          detail::StartReplicate(*node, std::move(operation), partition, std::move(body), options);
        });
  }
  template <class Token>
  auto Entries(PartitionId partition, const EntryBatch& batch, ReplicateOptions options,
               Token&& token) {
    return detail::Initiate<ReplicateEntriesResult>(
        executor_, SinkOf(partition), std::forward<Token>(token),
        [node = node_, partition, options, is_ordered = batch.is_ordered(),
         committed = detail::EncodeBody(batch.committed(), options.session()),
         manual = detail::EncodeBody(batch.manual(), options.session())](
            detail::EntriesOperation operation) mutable {
          detail::StartEntries(*node, std::move(operation), partition, std::move(committed),
                               std::move(manual), is_ordered, options);
        });
  }
  template <class Token>
  auto Decide(PartitionId partition, Ticket ticket, bool commits, ReplicateOptions options,
              Token&& token) {
    return detail::Initiate<ReplicateResult>(
        executor_, SinkOf(partition), std::forward<Token>(token),
        [node = node_, partition, ticket, commits, options](detail::ReplicateOperation operation) {
          detail::StartDecision(*node, std::move(operation), partition, ticket, commits, options);
        });
  }
  template <class Token>
  auto Checkpoint(PartitionId partition, std::optional<LogIndex> covered, ReplicateOptions options,
                  Token&& token) {
    return detail::Initiate<ReplicateResult>(
        executor_, SinkOf(partition), std::forward<Token>(token),
        [node = node_, partition, covered, options](detail::ReplicateOperation operation) {
          detail::StartCheckpoint(*node, std::move(operation), partition, covered, options);
        });
  }
  template <class Token>
  auto Setting(std::string_view name, const Payload* value, ReplicateOptions options,
               Token&& token) {
    return detail::Initiate<ReplicateResult>(
        executor_, SinkOf(kSystemPartition), std::forward<Token>(token),
        [node = node_, options,
         body = detail::EncodeSetting(name, value, options.expected_version())](
            detail::ReplicateOperation operation) mutable {
          detail::StartSetting(*node, std::move(operation), std::move(body), options);
        });
  }
  template <class Token>
  auto Open(PartitionId partition, ReplicateOptions options, Token&& token) {
    return detail::Initiate<ClientSession>(
        executor_, SinkOf(partition), std::forward<Token>(token),
        [node = node_, partition, options](detail::SessionOperation operation) {
          detail::StartOpenSession(*node, std::move(operation), partition, options);
        });
  }
  template <class Token>
  auto CloseOne(PartitionId partition, SessionId session, ReplicateOptions options, Token&& token) {
    return detail::Initiate<detail::NoResult>(
        executor_, SinkOf(partition), std::forward<Token>(token),
        [node = node_, partition, session, options](detail::PlainOperation operation) {
          detail::StartCloseSession(*node, std::move(operation), partition, session, options);
        });
  }
  template <class Token>
  auto Confirm(PartitionId partition, ReadOptions options, Token&& token) {
    return detail::Initiate<bool>(
        executor_, SinkOf(partition), std::forward<Token>(token),
        [node = node_, partition, options](detail::BoolOperation operation) {
          detail::StartConfirm(*node, std::move(operation), partition, options);
        });
  }
  template <class Token>
  auto Heartbeats(PartitionId partition, bool suspended, Token&& token) {
    return detail::Initiate<detail::NoResult>(
        executor_, SinkOf(partition), std::forward<Token>(token),
        [node = node_, partition, suspended](detail::PlainOperation operation) {
          detail::StartSuspendHeartbeats(*node, std::move(operation), partition, suspended);
        });
  }
  template <class Token>
  auto Barrier(PartitionId partition, ReadOptions options, Token&& token) {
    return detail::Initiate<ReadBarrierResult>(
        executor_, SinkOf(partition), std::forward<Token>(token),
        [node = node_, partition, options](detail::ReadOperation operation) {
          detail::StartRead(*node, std::move(operation), partition, options);
        });
  }
  [[nodiscard]] std::weak_ptr<detail::CancelSink> SinkOf(PartitionId partition) const {
    return detail::SinkOf(node_, partition);
  }
  [[nodiscard]] std::weak_ptr<detail::CancelSink> LifeSink() const;

  executor_type executor_;
  std::shared_ptr<RaftNode> node_;
};

}  // namespace kommander
