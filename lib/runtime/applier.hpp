// Feeds what a partition has committed to the application, in order, on the application's executor.
// Owned by one partition actor; runs on a delivery strand of its own, so handlers of one partition
// never overlap and none ever runs on the partition's strand.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/strand.hpp>

#include "codec/entry_body.hpp"
#include "raft/effects.hpp"
#include "runtime/node_services.hpp"
#include "runtime/partition_view.hpp"

namespace kommander::runtime {

// Told how far the applier has come; only enqueues.
class AppliedSink {
 public:
  virtual ~AppliedSink() = default;
  virtual void OnApplied(LogIndex index) noexcept = 0;
};

class Applier : public std::enable_shared_from_this<Applier> {
 public:
  // Delivery begins after `applied`, whose digest is `digest`. Entries up to `restore_until` go to
  // OnLogRestored.
  Applier(std::shared_ptr<NodeServices> services, PartitionId partition, LogIndex applied,
          std::uint64_t digest, LogIndex restore_until, std::shared_ptr<PartitionView> view);

  // Before Start.
  void SetSink(std::weak_ptr<AppliedSink> sink) { sink_ = std::move(sink); }

  // Everything below is thread-safe: it only posts to the delivery strand, in order.
  void Start();
  void Submit(std::vector<raft::ApplyItem> items);
  void NotifyLeader(NodeId leader);
  void NotifyNodeError(error_code error, std::string text);
  // No handler starts afterwards; a running coroutine handler gets terminal cancellation and is
  // waited for. `done` is called on the delivery strand.
  void Stop(std::function<void()> done);

 private:
  struct LeaderChange {
    NodeId leader;
  };
  struct NodeProblem {
    error_code error;
    std::string text;
  };
  struct RestoreStart {};
  struct RestoreEnd {};
  struct Restored {};  // tells the node, after the handler of RestoreEnd
  using Batch = std::vector<raft::ApplyItem>;
  using Work = std::variant<Batch, LeaderChange, NodeProblem, RestoreStart, RestoreEnd, Restored>;

  // What became of one call of a handler.
  enum class Called : std::uint8_t { kTrue, kFalse, kSuspended, kClosed };

  // All of these run on the delivery strand.
  void Accept(Batch batch);
  void Pump();
  bool PumpBatch(const Batch& batch);  // false: suspended or closed
  bool DeliverEntry(const Entry& entry);
  bool DeliverLog(const RaftLog& log);
  void FinishEntry(const Entry& entry);
  void ReportApplied();
  // The completion of a coroutine handler.
  class Resumption;
  void Resumed(bool succeeded);
  Called CallOnce(const Work& work);
  static boost::asio::awaitable<bool> Guarded(std::shared_ptr<Applier> self,
                                              boost::asio::awaitable<bool> handler);
  template <class HandlerType, class... Arguments>
  Called Call(const HandlerType& handler, const Arguments&... arguments);

  const std::shared_ptr<NodeServices> services_;
  const PartitionId partition_;
  const std::shared_ptr<PartitionView> view_;
  std::weak_ptr<AppliedSink> sink_;
  const LogIndex restore_until_;
  boost::asio::strand<boost::asio::any_io_executor> strand_;

  std::deque<Work> queue_;
  LogIndex applied_;
  LogIndex reported_;
  std::uint64_t digest_;
  bool restore_end_queued_ = false;
  bool busy_ = false;  // a coroutine handler runs
  bool stopped_ = false;

  // How far the first batch of the queue has come.
  std::size_t entry_position_ = 0;
  bool entry_decoded_ = false;
  std::vector<codec::DecodedBodyItem> logs_;  // of the entry that is being delivered
  std::size_t log_position_ = 0;
  bool log_suspended_ = false;  // the running coroutine is the handler of logs_[log_position_]
  bool log_failed_ = false;     // logs_[log_position_] goes to OnReplicationError next

  boost::asio::cancellation_signal signal_;
  std::function<void()> stop_done_;
};

}  // namespace kommander::runtime
