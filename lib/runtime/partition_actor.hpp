// One partition of this node: a coroutine on a strand that takes everything in its mailbox, steps
// the pure core for all of it, and executes the merged effects once (effects.cpp).
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/strand.hpp>

#include <kommander/clock.hpp>
#include <kommander/io_scheduler.hpp>
#include <kommander/wal_recovery.hpp>

#include "codec/messages.hpp"
#include "raft/core.hpp"
#include "runtime/applier.hpp"
#include "runtime/events.hpp"
#include "runtime/forward_numbers.hpp"
#include "runtime/mailbox.hpp"
#include "runtime/node_services.hpp"
#include "runtime/partition_observer.hpp"
#include "runtime/partition_view.hpp"
#include "runtime/peers_view.hpp"
#include "runtime/retention.hpp"
#include "runtime/snapshot_desk.hpp"
#include "runtime/snapshot_streams.hpp"
#include "runtime/waiters.hpp"

namespace kommander::runtime {

// Public members are thread-safe unless they say otherwise: they enqueue or read the atomic view.
class PartitionActor final : public IoSink,
                             public Clock::Sink,
                             public detail::CancelSink,
                             public detail::HoldSink,
                             public AppliedSink,
                             public std::enable_shared_from_this<PartitionActor> {
 public:
  // `may_vote`: false keeps the partition from voting and campaigning on its own word until Enable.
  // `snapshot`: what the store for snapshots has of the partition.
  PartitionActor(std::shared_ptr<NodeServices> services, PartitionId partition,
                 RecoveredPartition recovered, std::vector<StoredSnapshot> snapshots,
                 bool may_vote);
  ~PartitionActor() override;

  // Once. The actor then keeps itself alive until it has stopped or its context is destroyed.
  void Start();
  // Answers every caller, ends the handlers, then calls `done` (from the delivery strand).
  void Stop(std::function<void()> done);
  void Enable();
  // The file set of this partition has failed under another one's write.
  void FailStore();
  // Retention: see Retention::Release and KeepFrom.
  void Release(std::uint64_t hold) noexcept override;
  void KeepFrom(LogIndex first);
  // Tells the application, in this partition's order of handlers, of a problem of the whole node.
  void NotifyNodeError(error_code error, std::string text);
  // The system partition's news for the application, in the same order.
  void NotifyMap(PartitionMap map);
  void NotifyMembership(Membership membership);
  void NotifySettings(std::shared_ptr<const ClusterSettings> settings);
  // The system partition has been applied here up to `index`, by the node too, which refused these.
  void OnSystemApplied(LogIndex index, std::vector<Refusal> refused) noexcept;

  // Callers' operations. One that finds no place is answered at once, with the reason.
  void Submit(ProposeEvent event);
  void Submit(CheckpointEvent event);
  void Submit(ListTicketsEvent event);
  void Submit(HoldEvent event);
  void Submit(ReadEvent event);
  void Submit(LeaderEvent event);
  void Submit(HeartbeatsEvent event);
  void Submit(TransferEvent event);
  void Submit(StepDownEvent event);
  void Submit(ReconfigureEvent event);
  // Messages of one peer for this partition; what finds no place is dropped and counted.
  template <class Iterator>
  void SubmitMessages(Iterator first, Iterator last) {
    const std::size_t dropped = mailbox_.PushMessages(first, last, codec::EncodedBytes);
    if (dropped != 0) services_->messages_dropped.fetch_add(dropped, std::memory_order_relaxed);
  }

  [[nodiscard]] PartitionId partition() const noexcept { return partition_; }
  [[nodiscard]] PartitionStatus Status() const noexcept { return view_->Read(partition_); }
  [[nodiscard]] std::vector<PeerStatus> Peers() const { return peers_view_.Read(); }
  [[nodiscard]] PartitionStatistics Statistics() const noexcept {
    return view_->meters.Get(partition_);
  }
  // The link to the peer has ended.
  void NotePeerDown(NodeId peer);
  // For tests: whether the calling code runs on this partition's strand.
  [[nodiscard]] bool RunningOnStrand() const noexcept { return strand_.running_in_this_thread(); }

  void OnWritten(PartitionId partition, UnitId unit, error_code error) noexcept override;
  void OnRead(ReadResult result) noexcept override;
  void OnTimer() noexcept override;
  void OnCancel(std::shared_ptr<detail::Operation> operation) noexcept override;
  void OnApplied(LogIndex index) noexcept override;
  void OnCutPoint(CutPoint point) noexcept override;
  void OnCheckpoint(LogIndex index, LogIndex floor) noexcept override;
  void OnSnapshotTaken(error_code error, SnapshotInfo info) noexcept override;
  void OnImported(LogIndex index) noexcept override;
  void OnImportFailed() noexcept override;

 private:
  struct Beginning;
  PartitionActor(std::shared_ptr<NodeServices> services, PartitionId partition,
                 const RecoveredPartition& recovered, bool may_vote, const Beginning& beginning);
  static boost::asio::awaitable<void> Run(std::shared_ptr<PartitionActor> self);
  void RunBurst();
  void Finish();
  // The frame of Run may be freed with its context instead of ending. What waits for this actor
  // keeps it alive, so it is let go then, unanswered.
  struct Farewell {
    PartitionActor& actor;
    ~Farewell() { actor.Forget(); }
  };
  void Forget() noexcept;

  // Events to inputs (partition_actor.cpp).
  void Take(ProposeEvent& event);
  void Take(CheckpointEvent& event);
  void Take(ListTicketsEvent& event);
  void Take(ReadEvent& event);
  void Take(LeaderEvent& event);
  void Take(HeartbeatsEvent& event);
  void Take(TransferEvent& event);
  void Take(StepDownEvent& event);
  void Take(ReconfigureEvent& event);
  void Take(CancelEvent& event);
  void Take(WrittenEvent& event);
  void Take(StoreFailedEvent& event);
  void Take(ReadResult& event);
  void Take(AppliedEvent& event);
  void Take(CutPoint& event);
  void Take(CheckpointedEvent& event);
  void Take(HoldEvent& event);
  void Take(ReleaseEvent& event);
  void Take(KeepFromEvent& event);
  void Take(TimerEvent& event);
  void Take(PeerDownEvent& event);
  void Take(SnapshotEvent& event);
  void Take(ImportedEvent& event);
  void Take(EnableEvent& event);
  void Take(StopEvent& event);
  void Take(Message& event);
  // Registers a caller; false, and answered, when it has cancelled already.
  bool Accept(Waiter waiter, raft::RequestId& request);
  // True: answered already.
  [[nodiscard]] bool IsRefused(const std::shared_ptr<detail::Operation>& operation);
  // Who leads and serves, as announced; 0: nobody.
  [[nodiscard]] NodeId ServingLeader() const noexcept;
  [[nodiscard]] error_code Admission(const ProposeEvent& event) noexcept;
  [[nodiscard]] bool FindsNoPlace(const Message& message) noexcept;
  void ConsiderCut();
  // Writes for the leader, and of others for this node.
  [[nodiscard]] bool Forward(ProposeEvent& event);
  void SendForward(raft::RequestId request, const ProposeEvent& event, NodeId leader);
  void TakeForwarded(const Message& message);
  void TakeForwardReply(const ForwardReply& reply);
  void LoseForwards(NodeId peer);
  void ResendSoon(Waiter& waiter);
  void ResendAfter(Waiter& waiter, Duration pause);
  void ResendForwards(bool all);
  // This partition ends on this node: nobody has its state.
  void LoseState(RaftErrc error);
  void ProceedSnapshots();
  void ProposeOwnCheckpoint(LogIndex covered);

  // Effects, in the one documented order (effects.cpp).
  void ExecuteEffects();
  void Send(Message message);
  void Complete(const raft::Completion& completion);
  void EndWait(raft::RequestId request);
  void SubmitUnit(WriteUnit unit);
  void SubmitFetches();
  void PublishState();
  void ArmTimer();
  // True: it had not failed before.
  bool FailStorage();

  const std::shared_ptr<NodeServices> services_;
  const PartitionId partition_;
  const boost::asio::strand<boost::asio::any_io_executor> strand_;
  Mailbox<Event> mailbox_;
  const std::shared_ptr<PartitionView> view_;
  PeersView peers_view_;
  const std::shared_ptr<Applier> applier_;

  // Of the strand.
  raft::Core core_;
  raft::Effects effects_;
  std::vector<PeerStatus> peers_;  // for the view
  Waiters waiters_;
  PartitionObserver observer_;
  // Of sessions, which may be sent again.
  bool resend_due_ = false;     // another leader is known
  Instant resend_at_ = kNever;  // the earliest of forwarded writes
  ForwardNumbers forward_numbers_;
  ForwardWindows forward_windows_;
  std::atomic<bool> has_forwarded_{false};  // in this life
  // The application's lasting wish, and whether the strand has to be told of it; from any thread.
  std::atomic<std::uint64_t> keep_from_{0};
  std::atomic<bool> has_keep_from_{false};
  Retention retention_;
  SnapshotDesk desk_;
  const bool is_state_lost_;
  std::vector<Message> snapshot_messages_;   // of this burst
  std::optional<SnapshotToImport> install_;  // waits for install_unit_
  UnitId install_unit_;
  LogIndex checkpoint_;  // the newest checkpoint entry that was met in this life
  UnitId cut_unit_;      // carries the newest boundary
  UnitId written_;       // the newest that is answered
  std::unique_ptr<Clock::Timer> timer_;
  Instant armed_ = kNever;
  LogIndex applied_;
  NodeId announced_leader_;
  bool announced_ready_ = false;
  Instant leader_since_{};            // the leader is the same, and serves, as far as is known here
  std::size_t uncommitted_held_ = 0;  // of the node's budget
  bool storage_failed_ = false;
  int reads_failed_ = 0;        // in a row
  int terms_without_room_ = 0;  // of peers, since the disk was last seen with room
  bool stopping_ = false;
  std::vector<Event> control_;
  std::vector<Event> data_;
  std::vector<raft::Input> inputs_;
  std::vector<std::function<void()>> stopped_;
};

}  // namespace kommander::runtime
