// The compiled side of RaftManager's templates: every call ends in one of these functions.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>

#include <kommander/batch.hpp>
#include <kommander/detail/export.hpp>
#include <kommander/detail/operation.hpp>
#include <kommander/errors.hpp>
#include <kommander/ids.hpp>
#include <kommander/payload.hpp>
#include <kommander/replicate_options.hpp>
#include <kommander/retention_hold.hpp>
#include <kommander/session.hpp>

namespace kommander {

class RaftNode;

namespace detail {

using ReplicateOperation = std::shared_ptr<TypedOperation<ReplicateResult>>;
using EntriesOperation = std::shared_ptr<TypedOperation<ReplicateEntriesResult>>;
using SessionOperation = std::shared_ptr<TypedOperation<ClientSession>>;
using TicketsOperation = std::shared_ptr<TypedOperation<std::vector<OpenTicket>>>;
using HoldOperation = std::shared_ptr<TypedOperation<RetentionHold>>;
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
KOMMANDER_EXPORT EncodedBody EncodeBody(std::string_view type, const Payload& payload,
                                        const SessionRequest& session = {});
KOMMANDER_EXPORT EncodedBody EncodeBody(const Batch& batch, const SessionRequest& session = {});

// A change of a setting as the body of an entry; `value` null: it is removed.
KOMMANDER_EXPORT EncodedBody EncodeSetting(std::string_view name, const Payload* value,
                                           std::optional<LogIndex> expected);

KOMMANDER_EXPORT std::weak_ptr<CancelSink> SinkOf(const std::shared_ptr<RaftNode>& node,
                                                  PartitionId partition);
KOMMANDER_EXPORT void StartReplicate(RaftNode& node, ReplicateOperation operation,
                                     PartitionId partition, EncodedBody body,
                                     ReplicateOptions options);
KOMMANDER_EXPORT void StartEntries(RaftNode& node, EntriesOperation operation,
                                   PartitionId partition, EncodedBody committed, EncodedBody manual,
                                   bool is_ordered, ReplicateOptions options);
KOMMANDER_EXPORT void StartDecision(RaftNode& node, ReplicateOperation operation,
                                    PartitionId partition, Ticket ticket, bool commits,
                                    ReplicateOptions options);
KOMMANDER_EXPORT void StartListTickets(RaftNode& node, TicketsOperation operation,
                                       PartitionId partition);
KOMMANDER_EXPORT void StartCheckpoint(RaftNode& node, ReplicateOperation operation,
                                      PartitionId partition, std::optional<LogIndex> covered,
                                      ReplicateOptions options);
KOMMANDER_EXPORT void StartSetting(RaftNode& node, ReplicateOperation operation, EncodedBody body,
                                   ReplicateOptions options);
KOMMANDER_EXPORT void StartHold(RaftNode& node, HoldOperation operation, PartitionId partition,
                                LogIndex first);
KOMMANDER_EXPORT void StartOpenSession(RaftNode& node, SessionOperation operation,
                                       PartitionId partition, ReplicateOptions options);
KOMMANDER_EXPORT void StartCloseSession(RaftNode& node, PlainOperation operation,
                                        PartitionId partition, SessionId session,
                                        ReplicateOptions options);
KOMMANDER_EXPORT void StartRead(RaftNode& node, ReadOperation operation, PartitionId partition,
                                ReadOptions options);
KOMMANDER_EXPORT void StartWaitForLeader(RaftNode& node, LeaderOperation operation,
                                         PartitionId partition);
KOMMANDER_EXPORT void StartConfirm(RaftNode& node, BoolOperation operation, PartitionId partition,
                                   ReadOptions options);
KOMMANDER_EXPORT void StartWaitForStableLeader(RaftNode& node, LeaderOperation operation,
                                               PartitionId partition, Duration stable_for,
                                               Duration timeout);
KOMMANDER_EXPORT void StartSuspendHeartbeats(RaftNode& node, PlainOperation operation,
                                             PartitionId partition, bool suspended);
KOMMANDER_EXPORT void StartAmILeader(RaftNode& node, BoolOperation operation,
                                     PartitionId partition);
KOMMANDER_EXPORT void StartTransfer(RaftNode& node, PlainOperation operation, PartitionId partition,
                                    NodeId target);
KOMMANDER_EXPORT void StartStepDown(RaftNode& node, PlainOperation operation,
                                    PartitionId partition);
KOMMANDER_EXPORT void StartJoin(const std::shared_ptr<RaftNode>& node, PlainOperation operation);
KOMMANDER_EXPORT void StartStop(const std::shared_ptr<RaftNode>& node, PlainOperation operation);

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

}  // namespace kommander
