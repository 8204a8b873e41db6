// The clients of a simulated cluster: a seeded stream of calls to its nodes, and the record of how
// each ended.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include <boost/asio/cancellation_signal.hpp>

#include <kommander/raft_manager.hpp>

#include "chance.hpp"
#include "checker.hpp"
#include "cluster_options.hpp"
#include "features.hpp"
#include "history.hpp"
#include "sim_node.hpp"
#include "world.hpp"

namespace kommander::sim {

// Shares of a thousand calls; the rest are plain writes.
struct WorkloadOptions {
  Duration pause_min = std::chrono::milliseconds(1);  // between two calls
  Duration pause_max = std::chrono::milliseconds(60);
  std::uint32_t batch_permille = 80;
  std::uint32_t read_permille = 200;
  std::uint32_t transfer_permille = 8;
  std::uint32_t step_down_permille = 4;
  std::uint32_t wait_permille = 10;
  std::uint32_t proposal_permille = 90;  // prepare or decide
  std::uint32_t session_permille = 120;
  std::uint32_t checkpoint_permille = 10;
  std::uint32_t mixed_permille = 40;
  std::uint32_t hold_permille = 8;
  std::uint32_t forward_permille = 400;     // of the writes, wherever they are sent
  std::uint32_t generation_permille = 100;  // of the writes expect one
  std::uint32_t cancel_permille = 40;
  std::size_t payload_bytes_max = 200;
};

struct WorkloadCounters {
  std::uint64_t began = 0;
  std::uint64_t writes_acked = 0;
  std::uint64_t reads_confirmed = 0;
  std::uint64_t failed = 0;
  std::uint64_t died = 0;
};

struct AnswerPlace;

class Workload {
 public:
  Workload(World& world, Checker& checker, std::vector<std::unique_ptr<SimNode>>& nodes,
           const ClusterOptions& cluster, const WorkloadOptions& options);

  void Begin();
  void End() noexcept { running_ = false; }

  // One call each, also used by the liveness phase. They return the operation's number.
  std::uint64_t Write(SimNode& node, PartitionId partition, std::uint32_t count);
  std::uint64_t Read(SimNode& node, PartitionId partition);
  std::uint64_t Transfer(SimNode& node, PartitionId partition, NodeId target);
  std::uint64_t StepDown(SimNode& node, PartitionId partition);
  std::uint64_t WaitForLeader(SimNode& node, PartitionId partition);
  std::uint64_t Reconfigure(SimNode& node, PartitionId partition, Configuration target,
                            Duration timeout);
  // workload_contract.cpp
  std::uint64_t Prepare(SimNode& node, PartitionId partition, std::uint32_t count);
  // About a ticket that the clients know of; 0: they know of none in the partition.
  std::uint64_t Decide(SimNode& node, PartitionId partition);
  std::uint64_t OpenSession(SimNode& node, PartitionId partition);
  // A new write of one of the partition's sessions, or an earlier one again; 0: it has none.
  std::uint64_t WriteInSession(SimNode& node, PartitionId partition);
  std::uint64_t CloseSession(SimNode& node, PartitionId partition);
  std::uint64_t Checkpoint(SimNode& node, PartitionId partition);
  // Payloads that are committed at once and such that wait for a decision, or those of one kind: an
  // operation each, of which the first one's number is returned.
  std::uint64_t WriteMixed(SimNode& node, PartitionId partition);
  // Of an entry of the node's log, or just before it, for some seconds.
  std::uint64_t Hold(SimNode& node, PartitionId partition);

  // The node's process has ended without a word.
  void OnNodeDied(NodeId node, std::uint64_t life);
  // The node's manager has ended in an orderly way: every call of it is answered, now or very soon.
  void OnNodeLeft(NodeId node, std::uint64_t life);
  // Whether a change of members may yet begin or is under way.
  [[nodiscard]] bool IsReconfiguring() const noexcept;
  // Reports whatever should have been answered by now.
  void CheckOverdue();
  // None while it is open or has died.
  [[nodiscard]] const ClientOperation* Answer(std::uint64_t operation) const;
  [[nodiscard]] std::size_t open() const noexcept { return open_.size(); }
  [[nodiscard]] const std::vector<ClientOperation>& acked_writes() const noexcept { return acked_; }
  [[nodiscard]] const WorkloadCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] const FeatureCounts& features() const noexcept { return features_; }
  [[nodiscard]] Process& process() noexcept { return process_; }

 private:
  struct Open {
    ClientOperation operation;
    std::unique_ptr<boost::asio::cancellation_signal> cancel;
  };
  void Next();
  void CallOne();
  SimNode* PickNode(PartitionId partition);
  Open& Add(SimNode& node, PartitionId partition, OperationKind kind, Duration allowed,
            std::uint32_t count = 0);
  // The completion token of an operation: runs on the clients' process, perhaps cancelled on the
  // way.
  template <class Result>
  auto Token(Open& open);
  template <class Result>
  void Finish(std::uint64_t id, error_code error, const Result& result);
  void CallForProposal(SimNode& node, PartitionId partition);
  void CallInSession(SimNode& node, PartitionId partition);
  void ExpectGeneration(ClientOperation& operation, SimNode& node, ReplicateOptions& options);
  void CountWrite(const ClientOperation& operation);
  void CheckGeneration(const ClientOperation& operation);
  void KeepHold(std::uint64_t id, LogIndex first, error_code error, RetentionHold hold);
  void LetGo(std::uint64_t id);
  void LearnOfTicket(const ClientOperation& operation);
  void LearnOfSession(const ClientOperation& operation);
  void LearnOfSessionWrite(const ClientOperation& operation);
  void Close(std::uint64_t id, error_code error, const AnswerPlace& place);
  void PlanCancel(Open& open);
  void Cancel(std::uint64_t id, boost::asio::cancellation_type type);
  [[nodiscard]] Payload MakePayload(std::uint64_t id, std::uint32_t ordinal);

  World& world_;
  Checker& checker_;
  std::vector<std::unique_ptr<SimNode>>& nodes_;
  const ClusterOptions cluster_;
  const WorkloadOptions options_;
  Chance chance_;
  Chance contract_chance_;
  Process process_;
  bool running_ = false;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Open> open_;
  std::map<std::uint64_t, ClientOperation> died_;
  // A prepared write that was answered.
  struct Prepared {
    std::uint64_t operation = 0;
    PartitionId partition;
    Ticket ticket;
    bool is_mixed = false;
  };
  struct Held {
    ClientOperation operation;
    RetentionHold hold;
  };
  // A write of a session, until its client is done with it.
  struct SessionWrite {
    SessionRequest request;
    Payload payload;
    std::uint32_t open = 0;  // attempts
    bool is_answered = false;
  };
  struct Session {
    ClientSession numbers;
    std::map<std::uint64_t, SessionWrite> writes;  // by the first attempt
  };
  std::vector<Prepared> prepared_;  // the newest ones, decided or not
  std::vector<Session> sessions_;
  std::map<std::uint64_t, Held> holds_;
  std::unordered_map<std::uint64_t, ClientOperation> answered_;
  std::vector<ClientOperation> acked_;
  WorkloadCounters counters_;
  FeatureCounts features_{};
};

}  // namespace kommander::sim
