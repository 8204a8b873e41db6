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

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <kommander/batch.hpp>
#include <kommander/dependencies.hpp>
#include <kommander/detail/operation.hpp>
#include <kommander/discovery.hpp>
#include <kommander/errors.hpp>
#include <kommander/handlers.hpp>
#include <kommander/ids.hpp>
#include <kommander/raft_configuration.hpp>
#include <kommander/raft_log.hpp>
#include <kommander/replicate_options.hpp>
#include <kommander/status.hpp>
#include <kommander/transport.hpp>
#include <kommander/wal.hpp>

namespace kommander {

class RaftNode;

namespace detail {

using ReplicateOperation = std::shared_ptr<TypedOperation<ReplicateResult>>;
using ReadOperation = std::shared_ptr<TypedOperation<ReadBarrierResult>>;
using LeaderOperation = std::shared_ptr<TypedOperation<NodeId>>;
using BoolOperation = std::shared_ptr<TypedOperation<bool>>;
using PlainOperation = std::shared_ptr<TypedOperation<NoResult>>;

// The encoded body of an entry, or why there is none.
struct EncodedBody {
  EncodedBody() = default;
  error_code error;
  Payload body;
  std::uint32_t count = 0;
  bool is_reserved = false;  // a type that is the library's own
};
EncodedBody EncodeBody(std::string_view type, const Payload& payload);
EncodedBody EncodeBody(const Batch& batch);

// The compiled side of the thin templates below.
std::weak_ptr<CancelSink> SinkOf(const std::shared_ptr<RaftNode>& node, PartitionId partition);
void StartReplicate(RaftNode& node, ReplicateOperation operation, PartitionId partition,
                    EncodedBody body, ReplicateOptions options);
void StartRead(RaftNode& node, ReadOperation operation, PartitionId partition, ReadOptions options);
void StartWaitForLeader(RaftNode& node, LeaderOperation operation, PartitionId partition);
void StartAmILeader(RaftNode& node, BoolOperation operation, PartitionId partition);
void StartTransfer(RaftNode& node, PlainOperation operation, PartitionId partition, NodeId target);
void StartStepDown(RaftNode& node, PlainOperation operation, PartitionId partition);
void StartJoin(const std::shared_ptr<RaftNode>& node, PlainOperation operation);
void StartStop(const std::shared_ptr<RaftNode>& node, PlainOperation operation);

// Begins an operation; `Function` is called with it once it exists. Carries the executor that outer
// tokens look for.
template <class Result, class Function>
class Initiation {
 public:
  using executor_type = boost::asio::any_io_executor;
  Initiation(executor_type executor, std::weak_ptr<CancelSink> sink, Function function)
      : executor_(std::move(executor)), sink_(std::move(sink)), function_(std::move(function)) {}
  [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }
  template <class CompletionHandler>
  void operator()(CompletionHandler&& handler) {
    // Moved out, for a coroutine keeps its initiation until it goes on: it would keep the node, and
    // the node keeps the coroutine that waits, so that neither would go with its context.
    Function function(std::move(function_));
    std::move(function)(MakeOperation<Result>(std::forward<CompletionHandler>(handler), executor_,
                                              std::move(sink_)));
  }

 private:
  executor_type executor_;
  std::weak_ptr<CancelSink> sink_;
  Function function_;
};

template <class Result, class Token, class Function>
auto Initiate(const boost::asio::any_io_executor& executor, std::weak_ptr<CancelSink> sink,
              Token&& token, Function function) {
  return boost::asio::async_initiate<Token, typename SignatureOf<Result>::Type>(
      Initiation<Result, Function>(executor, std::move(sink), std::move(function)), token);
}

}  // namespace detail

template <class Token, class Signature>
concept TokenFor = boost::asio::completion_token_for<Token, Signature>;

class RaftManager {
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

  // --- Life ---

  // void(error_code). Opens the store, starts the system partition and completes once the partition
  // map is known and every partition of this node has restored its log. Errors: the Wal* ones,
  // AddressInUse, IdentityReplaced, ClusterIdMismatch, BootstrapMismatch, LeaderTimeout,
  // StorageFailed, AlreadyJoined, NodeStopped.
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
    return Replicate(partition, detail::EncodeBody(type, payload), options,
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
    return Replicate(partition, detail::EncodeBody(batch), options, std::forward<Token>(token));
  }
  template <TokenFor<void(error_code, ReplicateResult)> Token>
  auto ReplicateLogs(PartitionId partition, const Batch& batch, Token&& token) {
    return Replicate(partition, detail::EncodeBody(batch), ReplicateOptions(),
                     std::forward<Token>(token));
  }

  // --- Reads and leadership, on any node ---

  // void(error_code, ReadBarrierResult). Afterwards a read of this node's application state sees
  // every write acknowledged, anywhere, before the call (thesis 6.4). Errors: NodeIsNotLeader,
  // ReadTimeout, NodeStopped, PartitionNotFound.
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

  // --- Views; they wait for nothing ---

  [[nodiscard]] NodeId id() const noexcept;
  [[nodiscard]] bool IsInitialized() const noexcept;  // JoinCluster has done its work
  // After JoinCluster has failed: one line for a person that says what to look at; else empty.
  [[nodiscard]] std::string JoinDetail() const;
  // Partitions this node hosts, ascending, the system partition (0) first.
  [[nodiscard]] std::vector<PartitionId> Partitions() const;
  // none of the fields but `partition` is set for a partition that this node does not host.
  [[nodiscard]] PartitionStatus Status(PartitionId partition) const noexcept;
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
