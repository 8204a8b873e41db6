// Everything that can be set about a node. Defaults work for a cluster on a local network; each
// setter says what and why, and docs/configuration.md has unit, default and range of each in one
// table. Validate() names all problems at once.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <kommander/detail/export.hpp>
#include <kommander/discovery.hpp>
#include <kommander/ids.hpp>
#include <kommander/time.hpp>

namespace kommander {

// A value class: copy it, chain its setters, hand it to RaftManager. Not thread-safe while it
// changes.
class KOMMANDER_EXPORT RaftConfiguration {
 public:
  RaftConfiguration() = default;

  // This node's id, 1..2^32-1, unique in the cluster and for ever: never give it to a new disk.
  RaftConfiguration& Id(NodeId value) {
    id_ = value;
    return *this;
  }
  // The cluster that this node belongs to, 1..128 bytes. Nodes of other clusters are refused.
  RaftConfiguration& ClusterId(std::string value) {
    cluster_id_ = std::move(value);
    return *this;
  }
  // Where the transport listens; port 0 takes a free one.
  RaftConfiguration& Listen(Endpoint value) {
    listen_ = std::move(value);
    return *this;
  }
  // The nodes of a new cluster, the same list on each of them; needed on the first start only.
  // Later starts take no more than addresses from it. A node that is added to a running cluster
  // names the nodes that the cluster began with, not itself; it waits until it has been added. An
  // address may be empty, Endpoint(), if the manager gets a Discovery: that one knows.
  RaftConfiguration& InitialMembers(std::vector<NodeAddress> value) {
    initial_members_ = std::move(value);
    return *this;
  }
  // User partitions that the first leader creates, 1..65,535; they get the ids 1..N.
  RaftConfiguration& InitialPartitions(std::uint32_t value) {
    initial_partitions_ = value;
    return *this;
  }

  // T. A follower that hears no leader for a time drawn from [T, 2T) campaigns; 10 ms..5 min. At
  // least ten round trips plus a sync of a busy disk.
  RaftConfiguration& ElectionTimeout(Duration value) {
    election_timeout_ = value;
    return *this;
  }
  // Between a leader's signs of life; 0: T/6. Below T/2.
  RaftConfiguration& HeartbeatInterval(Duration value) {
    heartbeat_interval_ = value;
    return *this;
  }
  // A write that takes longer is a stall: the node neither campaigns nor votes until it is over; 0:
  // 2T.
  RaftConfiguration& StallMax(Duration value) {
    stall_max_ = value;
    return *this;
  }
  // How long ReplicateLogs waits when its options name no time; 1 ms..1 h.
  RaftConfiguration& ProposalTimeout(Duration value) {
    proposal_timeout_ = value;
    return *this;
  }
  // How long ReadBarrier waits when its options name no time; 1 ms..1 h.
  RaftConfiguration& ReadTimeout(Duration value) {
    read_timeout_ = value;
    return *this;
  }
  // How long AmILeader and WaitForLeader wait; 1 ms..1 h.
  RaftConfiguration& LeaderTimeout(Duration value) {
    leader_timeout_ = value;
    return *this;
  }
  // A prepared proposal that its partition's leader has seen undecided for so long is rolled back;
  // 1 ms..24 h, 0: never.
  RaftConfiguration& TicketTimeout(Duration value) {
    ticket_timeout_ = value;
    return *this;
  }
  // A session that its partition's leader has not seen used for so long is closed; 1 ms..30 days,
  // 0: never.
  RaftConfiguration& SessionTimeout(Duration value) {
    session_timeout_ = value;
    return *this;
  }
  // A message whose hybrid logical stamp is further ahead of this node's wall clock does not move
  // this node's hybrid clock; 0..1 h.
  RaftConfiguration& ClockAheadMax(Duration value) {
    clock_ahead_max_ = value;
    return *this;
  }
  // How long JoinCluster waits for the cluster; 0: for ever.
  RaftConfiguration& JoinTimeout(Duration value) {
    join_timeout_ = value;
    return *this;
  }

  // Proposals that wait for a partition's actor; more are ProposalQueueFull. 1..1,000,000.
  RaftConfiguration& QueuedProposalsMax(std::size_t value) {
    queued_proposals_max_ = value;
    return *this;
  }
  // The bytes of them. At least entry_bytes_max.
  RaftConfiguration& QueuedProposalBytesMax(std::size_t value) {
    queued_proposal_bytes_max_ = value;
    return *this;
  }
  // Messages of peers that wait for a partition's actor; more are dropped, and Raft sends again.
  RaftConfiguration& QueuedMessagesMax(std::size_t value) {
    queued_messages_max_ = value;
    return *this;
  }
  // The bytes of them. At least entry_bytes_max.
  RaftConfiguration& QueuedMessageBytesMax(std::size_t value) {
    queued_message_bytes_max_ = value;
    return *this;
  }
  // Writes of a partition on their way to the disk, 1..1,000,000, and their bytes, at least
  // entry_bytes_max: at one of them new proposals are ProposalQueueFull, and entries of a leader
  // wait to be sent again.
  RaftConfiguration& QueuedWritesMax(std::size_t value) {
    queued_writes_max_ = value;
    return *this;
  }
  RaftConfiguration& QueuedWriteBytesMax(std::size_t value) {
    queued_write_bytes_max_ = value;
    return *this;
  }
  // The same of all partitions of the node together.
  RaftConfiguration& NodeQueuedWritesMax(std::size_t value) {
    node_queued_writes_max_ = value;
    return *this;
  }
  RaftConfiguration& NodeQueuedWriteBytesMax(std::size_t value) {
    node_queued_write_bytes_max_ = value;
    return *this;
  }
  // One entry, all payloads of a batch together; 1 KiB..15 MiB.
  RaftConfiguration& EntryBytesMax(std::size_t value) {
    entry_bytes_max_ = value;
    return *this;
  }
  // Sent to one peer for one partition and not yet answered. At least entry_bytes_max.
  RaftConfiguration& InflightBytesMax(std::size_t value) {
    inflight_bytes_max_ = value;
    return *this;
  }
  // Appended and not yet committed, per partition; more are ProposalQueueFull.
  RaftConfiguration& UncommittedBytesMax(std::size_t value) {
    uncommitted_bytes_max_ = value;
    return *this;
  }
  // Handed to a partition's handlers and not yet finished.
  RaftConfiguration& ApplyBytesMax(std::size_t value) {
    apply_bytes_max_ = value;
    return *this;
  }
  // Synced entries kept in memory for peers, per partition.
  RaftConfiguration& CacheBytesMax(std::size_t value) {
    cache_bytes_max_ = value;
    return *this;
  }

  // Entries that stay in the log although the application has them, for peers that lag; where no
  // snapshot can be sent, one that lags further cannot catch up any more.
  RaftConfiguration& RetainedEntries(std::uint64_t value) {
    retained_entries_ = value;
    return *this;
  }
  // A log is cut at a multiple of so many entries; 1..1,000,000.
  RaftConfiguration& CompactionStep(std::uint64_t value) {
    compaction_step_ = value;
    return *this;
  }
  // With a state machine and a store for snapshots: one is taken when so many entries were applied
  // since the last one, and a checkpoint of it is proposed by the leader; 0: only when a follower
  // needs one.
  RaftConfiguration& SnapshotEntries(std::uint64_t value) {
    snapshot_entries_ = value;
    return *this;
  }
  // Snapshots that this node sends at a time, over all partitions; 1..1,000.
  RaftConfiguration& SnapshotTransfersMax(std::size_t value) {
    snapshot_transfers_max_ = value;
    return *this;
  }
  // Bytes per second of one transfer; 0: as many as go.
  RaftConfiguration& SnapshotBytesPerSecond(std::uint64_t value) {
    snapshot_bytes_per_second_ = value;
    return *this;
  }
  // A transfer that gets no further for so long is given up and tried again later; 1 s..1 h.
  RaftConfiguration& SnapshotStepTimeout(Duration value) {
    snapshot_step_timeout_ = value;
    return *this;
  }
  // Removed in one go, at most, unless a single step has more; 1..1,000,000,000.
  RaftConfiguration& CompactionEntriesMax(std::uint64_t value) {
    compaction_entries_max_ = value;
    return *this;
  }
  // Bytes of proposals that all partitions together have queued, or appended and not committed;
  // beyond it they are refused with ProposalQueueFull. At least EntryBytesMax.
  RaftConfiguration& NodeBytesMax(std::size_t value) {
    node_bytes_max_ = value;
    return *this;
  }
  // Free bytes of the log's volume below which proposals are refused with DiskFull, until there are
  // as many again; 0..2^40, 0: never. A write that meets a full disk costs the node its storage
  // until a restart: leave room for what is on its way, and for a snapshot, which may take half of
  // it and is given up then.
  RaftConfiguration& FreeBytesMin(std::uint64_t value) {
    free_bytes_min_ = value;
    return *this;
  }
  // Entries that the leader's handlers may be behind before it refuses proposals, with the same
  // error; 0: any number.
  RaftConfiguration& ApplyLagMax(std::uint64_t value) {
    apply_lag_max_ = value;
    return *this;
  }
  // A handler, or a write of the log, that takes at least so long is told to the log sink; 0: none;
  // up to 1 h.
  RaftConfiguration& SlowHandler(Duration value) {
    slow_handler_ = value;
    return *this;
  }
  RaftConfiguration& SlowWrite(Duration value) {
    slow_write_ = value;
    return *this;
  }
  // Records of one event in one partition are told at most once in it; 0..1 h.
  RaftConfiguration& LogInterval(Duration value) {
    log_interval_ = value;
    return *this;
  }

  [[nodiscard]] NodeId id() const noexcept { return id_; }
  [[nodiscard]] const std::string& cluster_id() const noexcept { return cluster_id_; }
  [[nodiscard]] const Endpoint& listen() const noexcept { return listen_; }
  [[nodiscard]] const std::vector<NodeAddress>& initial_members() const noexcept {
    return initial_members_;
  }
  [[nodiscard]] std::uint32_t initial_partitions() const noexcept { return initial_partitions_; }
  [[nodiscard]] Duration election_timeout() const noexcept { return election_timeout_; }
  [[nodiscard]] Duration heartbeat_interval() const noexcept {
    return heartbeat_interval_ == Duration::zero() ? election_timeout_ / 6 : heartbeat_interval_;
  }
  [[nodiscard]] Duration stall_max() const noexcept {
    if (stall_max_ != Duration::zero()) return stall_max_;
    // Clamped, for Validate asks before it has refused anything.
    return std::clamp(election_timeout_, Duration::min() / 2, Duration::max() / 2) * 2;
  }
  [[nodiscard]] Duration proposal_timeout() const noexcept { return proposal_timeout_; }
  [[nodiscard]] Duration read_timeout() const noexcept { return read_timeout_; }
  [[nodiscard]] Duration leader_timeout() const noexcept { return leader_timeout_; }
  [[nodiscard]] Duration ticket_timeout() const noexcept { return ticket_timeout_; }
  [[nodiscard]] Duration session_timeout() const noexcept { return session_timeout_; }
  [[nodiscard]] Duration clock_ahead_max() const noexcept { return clock_ahead_max_; }
  [[nodiscard]] Duration join_timeout() const noexcept { return join_timeout_; }
  [[nodiscard]] std::size_t queued_proposals_max() const noexcept { return queued_proposals_max_; }
  [[nodiscard]] std::size_t queued_proposal_bytes_max() const noexcept {
    return queued_proposal_bytes_max_;
  }
  [[nodiscard]] std::size_t queued_messages_max() const noexcept { return queued_messages_max_; }
  [[nodiscard]] std::size_t queued_message_bytes_max() const noexcept {
    return queued_message_bytes_max_;
  }
  [[nodiscard]] std::size_t queued_writes_max() const noexcept { return queued_writes_max_; }
  [[nodiscard]] std::size_t queued_write_bytes_max() const noexcept {
    return queued_write_bytes_max_;
  }
  [[nodiscard]] std::size_t node_queued_writes_max() const noexcept {
    return node_queued_writes_max_;
  }
  [[nodiscard]] std::size_t node_queued_write_bytes_max() const noexcept {
    return node_queued_write_bytes_max_;
  }
  [[nodiscard]] std::size_t entry_bytes_max() const noexcept { return entry_bytes_max_; }
  [[nodiscard]] std::size_t inflight_bytes_max() const noexcept { return inflight_bytes_max_; }
  [[nodiscard]] std::size_t uncommitted_bytes_max() const noexcept {
    return uncommitted_bytes_max_;
  }
  [[nodiscard]] std::size_t apply_bytes_max() const noexcept { return apply_bytes_max_; }
  [[nodiscard]] std::size_t cache_bytes_max() const noexcept { return cache_bytes_max_; }
  [[nodiscard]] std::uint64_t retained_entries() const noexcept { return retained_entries_; }
  [[nodiscard]] std::uint64_t compaction_step() const noexcept { return compaction_step_; }
  [[nodiscard]] std::uint64_t snapshot_entries() const noexcept { return snapshot_entries_; }
  [[nodiscard]] std::size_t snapshot_transfers_max() const noexcept {
    return snapshot_transfers_max_;
  }
  [[nodiscard]] std::uint64_t snapshot_bytes_per_second() const noexcept {
    return snapshot_bytes_per_second_;
  }
  [[nodiscard]] Duration snapshot_step_timeout() const noexcept { return snapshot_step_timeout_; }
  [[nodiscard]] std::size_t node_bytes_max() const noexcept { return node_bytes_max_; }
  [[nodiscard]] std::uint64_t free_bytes_min() const noexcept { return free_bytes_min_; }
  [[nodiscard]] std::uint64_t apply_lag_max() const noexcept { return apply_lag_max_; }
  [[nodiscard]] Duration slow_handler() const noexcept { return slow_handler_; }
  [[nodiscard]] Duration slow_write() const noexcept { return slow_write_; }
  [[nodiscard]] Duration log_interval() const noexcept { return log_interval_; }
  [[nodiscard]] std::uint64_t compaction_entries_max() const noexcept {
    return compaction_entries_max_;
  }

  // Every problem, one line each that names the field, its value and what is allowed. Empty: valid.
  [[nodiscard]] std::vector<std::string> Validate() const;

 private:
  NodeId id_;
  std::string cluster_id_ = "kommander";
  Endpoint listen_{"127.0.0.1", 0};
  std::vector<NodeAddress> initial_members_;
  std::uint32_t initial_partitions_ = 1;
  Duration election_timeout_ = std::chrono::milliseconds(1000);
  Duration heartbeat_interval_{};
  Duration stall_max_{};
  Duration proposal_timeout_ = std::chrono::seconds(10);
  Duration read_timeout_ = std::chrono::seconds(2);
  Duration leader_timeout_ = std::chrono::seconds(10);
  Duration ticket_timeout_ = std::chrono::seconds(60);
  Duration session_timeout_ = std::chrono::hours(1);
  Duration clock_ahead_max_ = std::chrono::milliseconds(500);
  Duration join_timeout_ = std::chrono::seconds(60);
  std::size_t queued_proposals_max_ = 4096;
  std::size_t queued_proposal_bytes_max_ = 64u << 20;
  std::size_t queued_messages_max_ = 4096;
  std::size_t queued_message_bytes_max_ = 64u << 20;
  std::size_t queued_writes_max_ = 1024;
  std::size_t queued_write_bytes_max_ = 32u << 20;
  std::size_t node_queued_writes_max_ = 65536;
  std::size_t node_queued_write_bytes_max_ = 256u << 20;
  std::size_t entry_bytes_max_ = 8u << 20;
  std::size_t inflight_bytes_max_ = 8u << 20;
  std::size_t uncommitted_bytes_max_ = 64u << 20;
  std::size_t apply_bytes_max_ = 16u << 20;
  std::size_t cache_bytes_max_ = 4u << 20;
  std::uint64_t retained_entries_ = 8192;
  std::uint64_t compaction_step_ = 1024;
  std::uint64_t snapshot_entries_ = 100'000;
  std::size_t snapshot_transfers_max_ = 2;
  std::uint64_t snapshot_bytes_per_second_ = 0;
  Duration snapshot_step_timeout_ = std::chrono::minutes(2);
  std::size_t node_bytes_max_ = 512u << 20;
  std::uint64_t free_bytes_min_ = 64u << 20;
  std::uint64_t apply_lag_max_ = 1'000'000;
  Duration slow_handler_ = std::chrono::milliseconds(50);
  Duration slow_write_ = std::chrono::milliseconds(250);
  Duration log_interval_ = std::chrono::seconds(1);
  std::uint64_t compaction_entries_max_ = 65536;
};

}  // namespace kommander
