// One partition of this node: a coroutine on a strand that takes everything in its mailbox, steps
// the pure core for all of it, and executes the merged effects once (effects.cpp).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
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
#include "runtime/mailbox.hpp"
#include "runtime/node_services.hpp"
#include "runtime/partition_view.hpp"
#include "runtime/waiters.hpp"

namespace kommander::runtime {

// Public members are thread-safe unless they say otherwise: they enqueue or read the atomic view.
class PartitionActor final : public IoSink,
                             public Clock::Sink,
                             public detail::CancelSink,
                             public AppliedSink,
                             public std::enable_shared_from_this<PartitionActor> {
 public:
  // `may_vote`: false keeps the partition from voting and campaigning on its own word until Enable.
  PartitionActor(std::shared_ptr<NodeServices> services, PartitionId partition,
                 RecoveredPartition recovered, bool may_vote);
  ~PartitionActor() override;

  // Once. The actor then keeps itself alive until it has stopped or its context is destroyed.
  void Start();
  // Answers every caller, ends the handlers, then calls `done` (from the delivery strand).
  void Stop(std::function<void()> done);
  void Enable();
  // The file set of this partition has failed under another one's write.
  void FailStore();
  // Tells the application, in this partition's order of handlers, of a problem of the whole node.
  void NotifyNodeError(error_code error, std::string text);

  // Callers' operations. One that finds no place is answered at once, with the reason.
  void Submit(ProposeEvent event);
  void Submit(ReadEvent event);
  void Submit(LeaderEvent event);
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
  // For tests: whether the calling code runs on this partition's strand.
  [[nodiscard]] bool RunningOnStrand() const noexcept { return strand_.running_in_this_thread(); }

  void OnWritten(PartitionId partition, UnitId unit, error_code error) noexcept override;
  void OnRead(ReadResult result) noexcept override;
  void OnTimer() noexcept override;
  void OnCancel(std::shared_ptr<detail::Operation> operation) noexcept override;
  void OnApplied(LogIndex index) noexcept override;

 private:
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
  void Take(ReadEvent& event);
  void Take(LeaderEvent& event);
  void Take(TransferEvent& event);
  void Take(StepDownEvent& event);
  void Take(ReconfigureEvent& event);
  void Take(CancelEvent& event);
  void Take(WrittenEvent& event);
  void Take(StoreFailedEvent& event);
  void Take(ReadResult& event);
  void Take(AppliedEvent& event);
  void Take(TimerEvent& event);
  void Take(SnapshotRefusedEvent& event);
  void Take(EnableEvent& event);
  void Take(StopEvent& event);
  void Take(Message& event);
  // Registers a caller; false, and answered, when it has cancelled already.
  bool Accept(Waiter waiter, raft::RequestId& request);
  [[nodiscard]] error_code Admission() const noexcept;
  [[nodiscard]] bool FindsNoPlace(const Message& message) noexcept;

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
  const std::shared_ptr<Applier> applier_;

  // Of the strand.
  raft::Core core_;
  raft::Effects effects_;
  Waiters waiters_;
  std::unique_ptr<Clock::Timer> timer_;
  Instant armed_ = kNever;
  LogIndex applied_;
  NodeId announced_leader_;
  bool announced_ready_ = false;
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
