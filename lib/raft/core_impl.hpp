// The state of one partition's Raft and the parts that work on it. One class, because every rule
// of Raft speaks about the same few variables; one file per concern, named above each group.
// A step has two halves: inputs change state and note what is owed, then Finish decides once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "mutants/mutants.hpp"
#include "raft/core.hpp"
#include "raft/ledger.hpp"
#include "raft/log.hpp"
#include "raft/membership.hpp"
#include "raft/quorum.hpp"
#include "raft/random.hpp"
#include "raft/roles.hpp"
#include "raft/units.hpp"
#include "raft/waiters.hpp"

namespace kommander::raft {

// No cluster lives that long: who speaks of later terms and indexes lies, and who believed it could
// not count on.
inline constexpr Term kTermMax{std::uint64_t{1} << 62};
inline constexpr LogIndex kIndexMax{std::uint64_t{1} << 62};

class Core::Impl {
 public:
  Impl(CoreOptions options, RecoveredPartition&& recovered, LogIndex applied_from, Instant now);

  void Step(std::span<Input> inputs, Instant now, Effects& effects);
  [[nodiscard]] Instant NextDeadline() const noexcept;
  [[nodiscard]] CoreStatus Status() const noexcept;
  [[nodiscard]] const ConfigurationHistory& configurations() const noexcept { return members_; }
  [[nodiscard]] LogIndex committed() const noexcept { return committed_; }
  [[nodiscard]] const Log& log() const noexcept { return log_; }
  [[nodiscard]] const Ledger& ledger() const noexcept { return ledger_; }
  void ReadPeers(std::vector<PeerStatus>& peers) const;
  [[nodiscard]] std::vector<std::string> DescribePeers() const;
  void CheckInvariants() const;

 private:
  // A message, or this node's own vote (`to` is this node), that waits for a unit.
  struct Deferred {
    UnitId unit;
    Message message;
  };
  // Reads of one step at a node that does not lead, asked for together.
  struct ReadBatch {
    std::uint64_t number = 0;
    Instant resend_at{};  // in the past: not asked yet
  };
  struct LocalRead {
    RequestId request;
    std::uint64_t number = 0;  // of its batch
    Instant deadline = kNever;
  };
  // A change of members, from its first entry to the commit of its last.
  struct PendingChange {
    RequestId request;
    LogIndex index;
    Term term;
    Instant deadline = kNever;
    bool found = false;  // its first entry is committed
  };
  struct PendingTransfer {
    RequestId request;
    NodeId target;
    Instant deadline{};
  };
  struct PendingFetch {
    std::uint64_t fetch = 0;
    LogIndex first;
    LogIndex last;
  };
  struct ByteMark {
    LogIndex last;
    std::size_t bytes = 0;
  };

  // --- core.cpp: inputs, time, the second half of a step ---
  void Take(Input& input);
  void On(Propose& input);
  void On(Withdraw& input);
  void On(Read& input);
  void On(Transfer& input);
  void On(StepDown& input);
  void On(Reconfigure& input);
  void On(Receive& input);
  void On(Persisted& input);
  void On(StorageFailure& input);
  void On(Applied& input);
  void On(Fetched& input);
  void On(SnapshotSent& input);
  void On(SnapshotStaged& input);
  void On(SuspendHeartbeats& input);
  void On(KeepApplication& input);
  void On(MarkLedger& input);
  void On(Compact& input);
  void On(Enable& input);
  void On(Tick& input);
  void On(Stop& input);
  void OnTime();
  void Finish();
  void IssueWrite();
  void CollectEntries(WriteUnit& unit);
  void SettleDeferred();
  void ReleaseDeferred();
  void Send(NodeId to, MessageBody body);
  void SendAs(Term term, NodeId to, MessageBody body);
  void Defer(NodeId to, MessageBody body);
  [[nodiscard]] bool IsStalled() const noexcept;
  [[nodiscard]] Progress::Moment Moment() const noexcept { return {round_, now_}; }
  [[nodiscard]] LogIndex SafeIndex() const noexcept {
    return committed_ < units_.durable() ? committed_ : units_.durable();
  }

  // --- election.cpp ---
  void Dispatch(Message& message);
  [[nodiscard]] bool Admits(const VoteRequest& request) const noexcept;
  void HearAdmission(const Message& message, const VoteRequest& request, bool heard_leader);
  void EnterTerm(Term term, NodeId vote);
  void AdoptTerm(Term term);
  void BecomeFollower(NodeId leader);
  void FollowLeader(NodeId leader);
  void LeaveLeadership(const Leader& leader);
  void DrawElectionDeadline(Duration extra = {});
  void OnElectionDeadline();
  [[nodiscard]] bool MayVote(const VoteRequest& request) const noexcept;
  [[nodiscard]] bool IsActiveVoter() const noexcept {
    return members_.active().IsVoter(options_.self);
  }
  [[nodiscard]] bool MayCampaign() const noexcept;
  [[nodiscard]] bool HearsLeader() const noexcept;
  [[nodiscard]] NodeId LeaderHint() const noexcept;
  void StartPreVote();
  void StartCampaign(bool transfer);
  void AskForVotes(bool pre_vote, bool transfer);
  void OnVoteRequest(const Message& message, const VoteRequest& request, bool heard_leader);
  void OnVoteReply(const Message& message, const VoteReply& reply);
  void CountVote(NodeId voter, bool granted);
  void OnTransferRequest(const Message& message);
  void BecomeLeader();

  // --- replicate.cpp: the leader's side ---
  [[nodiscard]] Leader* AsLeader() noexcept { return std::get_if<Leader>(&role_); }
  [[nodiscard]] const Leader* AsLeader() const noexcept { return std::get_if<Leader>(&role_); }
  void AppendEntry(EntryKind kind, Ticket ticket, Payload body);
  void OnLeaderReply(const Message& message);
  void OnAppendReply(Peer& peer, const AppendReply& reply);
  void OnHeartbeatReply(Peer& peer, const HeartbeatReply& reply);
  void AdvanceCommit();
  void SendAppends(Leader& leader);
  bool SendOneAppend(Peer& peer);
  std::size_t CollectForPeer(const Peer& peer, std::vector<Entry>& entries) const;
  // False: they are suspended, and no round has begun.
  bool SendHeartbeats(Leader& leader);
  void SendHeartbeat(Peer& peer);
  void OnHeartbeatDue(Leader& leader);
  [[nodiscard]] bool HasQuorumContact(const Leader& leader) const;
  [[nodiscard]] bool OthersOutrunDisk(const Leader& leader) const;
  [[nodiscard]] Instant NextHeartbeat() const noexcept;
  [[nodiscard]] bool IsReady() const noexcept;

  // --- follow.cpp: the follower's side ---
  void OnAppendRequest(const Message& message, AppendRequest& request);
  void RejectAppend(NodeId to, LogIndex previous, Term previous_term);
  [[nodiscard]] bool IsWellFormed(const Message& message, const AppendRequest& request) const;
  [[nodiscard]] bool Contradicts(const AppendRequest& request) const;
  void AcceptEntries(AppendRequest& request);
  void TruncateLog(LogIndex from);
  void OnHeartbeat(const Message& message, const Heartbeat& heartbeat);
  void SendAck();

  // --- propose.cpp: requests and their answers ---
  void Complete(RequestId request, std::optional<RaftErrc> error);
  void CompleteJudged();
  void CompleteWrite(const Waiter& waiter, std::optional<RaftErrc> error);
  [[nodiscard]] std::optional<RaftErrc> RefuseProposal(const Propose& input) const;
  void CompleteWrites();
  void ExpireRequests();
  void WithdrawRequests();
  void FreeQuota();
  void EndAll(RaftErrc not_appended);
  void EndTransfer(std::optional<RaftErrc> error);
  void StartTransfer(const Transfer& input);
  void PursueTransfer(Leader& leader);
  [[nodiscard]] NodeId MostAdvancedVoter(const Leader& leader) const;
  [[nodiscard]] std::size_t RequestCount() const noexcept;

  // --- expiry.cpp: what nobody decided ---
  void BeginWatches(Leader& leader);
  void WatchTicket(Leader& leader, const Ticket& ticket);
  void ExpireForOthers(Leader& leader);
  void CloseSilentSessions(Leader& leader);
  [[nodiscard]] Instant NextExpiry(const Leader& leader) const noexcept;

  // --- read.cpp ---
  void OnReadIndexRequest(const Message& message, const ReadIndexRequest& request);
  void OnReadIndexReply(const ReadIndexReply& reply);
  void CloseReadBatch();
  void SettleReads(Leader& leader);
  void AssignReads(Leader& leader);
  void AskForReads();
  void CompleteReads(std::uint64_t number, LogIndex index);
  [[nodiscard]] bool IsRead(std::uint64_t number) const noexcept;
  void DropUnreadBatches();
  void FailLocalReads(RaftErrc error);

  // --- change.cpp: members ---
  [[nodiscard]] std::optional<RaftErrc> RefuseChange(const Reconfigure& input) const;
  void AppendConfiguration(Configuration configuration);
  void ConfigurationChanged();
  void OnConfigurationsCommitted();
  void SettleChanges();
  void RetireWhenRemoved();

  // --- snapshot.cpp: boundary, hand-off, cache ---
  void InstallSnapshot(SnapshotStaged& input);
  void HandOff();
  std::size_t Judge(const Entry& entry);
  // Answers its bytes.
  std::size_t Mark(bool is_asked);
  [[nodiscard]] const Entry* FindEntry(LogIndex index) const noexcept;
  void WantFetch(LogIndex first, LogIndex last, std::size_t bytes_max, std::size_t places);
  void TrimCache();

  const CoreOptions options_;
  Random random_;
  Instant now_;
  Effects* effects_ = nullptr;  // during a step

  Term term_;
  NodeId vote_;
  Role role_;
  Log log_;
  ConfigurationHistory members_;
  Units units_;
  Ledger ledger_;
  HlcTimestamp stamp_;  // the greatest of the log and of what went before it
  LogIndex committed_;

  bool enabled_ = false;
  bool admitted_ = false;  // by a candidate, in this life
  bool heartbeats_suspended_ = false;
  bool failed_ = false;
  bool stopped_ = false;
  RaftErrc failure_ = RaftErrc::StorageFailed;
  Instant election_deadline_{};
  std::uint64_t round_ = 0;  // heartbeat rounds begun, never reset

  // What this step's unit will carry.
  bool hard_state_dirty_ = false;
  std::optional<BoundaryRecord> new_boundary_;
  bool drop_log_ = false;
  std::optional<LogIndex> truncate_from_;
  std::optional<ApplicationRecord> application_;  // to be written
  LogIndex application_floor_;                    // the greatest that was
  LogIndex written_to_;                           // the log up to here is on disk or on its way
  LogIndex hinted_;                               // the newest commit hint on disk or on its way
  UnitId hard_state_unit_;                        // carries the newest hard state
  std::vector<Deferred> step_deferred_;
  Ring<Deferred> deferred_;  // of this term; at most one of a kind per node

  // Follower.
  LogIndex matched_;  // equal to the current term's leader's log up to here
  LogIndex acked_;    // told to that leader
  bool ack_owed_ = false;

  // Requests. Waiters, changes and reads together: requests_max; batches: no more than reads.
  Waiters waiters_;            // of entries that have their effect once committed
  Waiters judged_;             // of those that the ledger judges, when it comes to them
  std::vector<Waiter> taken_;  // scratch
  std::vector<std::pair<LogIndex, Judgement>> judgements_;  // of this step, ascending
  std::vector<RequestId> withdrawn_;                        // of this step
  Ring<ByteMark> quota_;  // uncommitted_bytes_max, two marks per 64 KiB
  std::size_t quota_bytes_ = 0;
  std::vector<PendingChange> changes_;
  std::optional<PendingTransfer> transfer_;
  std::vector<LocalRead> reads_;  // ascending by number
  std::vector<ReadBatch> read_batches_;
  std::uint64_t read_number_ = 0;
  bool read_batch_open_ = false;  // reads of this step wait under read_number_
  Instant earliest_read_deadline_ = kNever;

  // Hand-off.
  LogIndex start_floor_;  // nothing at or below it is delivered
  LogIndex handed_off_;
  LogIndex applied_;
  bool mark_wanted_ = false;
  Ring<ByteMark> handing_;  // apply_bytes_max, a mark per entry at worst
  std::size_t handing_bytes_ = 0;
  std::size_t since_mark_bytes_ = 0;  // handed off since the last mark that nobody asked for
  std::size_t last_mark_bytes_ = 0;
  std::vector<Fetched> fetched_;       // of this step
  std::vector<PendingFetch> fetches_;  // fetches_max + 1
  std::uint64_t fetch_number_ = 0;
  Instant fetch_retry_at_{};
  bool fetch_wanted_ = false;  // something waits for fetch_retry_at_
  Instant shrink_at_{};
};

}  // namespace kommander::raft
