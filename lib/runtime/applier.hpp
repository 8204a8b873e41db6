// Feeds what a partition has committed to the application, in order, on the application's executor.
// Owned by one partition actor; runs on a delivery strand of its own, so handlers of one partition
// never overlap and none ever runs on the partition's strand.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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
#include "runtime/retention.hpp"

namespace kommander::runtime {

// Told how far the applier has come; only enqueues.
class AppliedSink {
 public:
  virtual ~AppliedSink() = default;
  // Not of the system partition, where the node says it (NodeSink::OnSystemApplied).
  virtual void OnApplied(LogIndex index) noexcept = 0;
  // A mark was passed: the log may be cut there. Not of the system partition, whose node adds its
  // own state (NodeSink::OnSystemMark).
  virtual void OnCutPoint(CutPoint point) noexcept = 0;
  // A checkpoint entry was met: the application keeps everything up to `floor` by itself.
  virtual void OnCheckpoint(LogIndex index, LogIndex floor) noexcept = 0;
  // What became of Applier::WriteSnapshot.
  virtual void OnSnapshotTaken(error_code error, SnapshotInfo info) noexcept = 0;
  // The application's state is that of the snapshot at `index`; or it could not be imported, and
  // nothing more is applied.
  virtual void OnImported(LogIndex index) noexcept = 0;
  virtual void OnImportFailed() noexcept = 0;
};

// A complete snapshot of the store, to be imported.
struct SnapshotToImport {
  LogIndex index;
  std::uint64_t digest = 0;
  std::uint64_t offset = 0;  // of the application's bytes
  Payload system;            // of the system partition
  bool is_old = false;       // from an earlier life: its checksum is looked at first
};

class Applier : public std::enable_shared_from_this<Applier> {
 public:
  // Entries come after `applied`, whose digest is `digest`. Those up to `restore_until` go to
  // OnLogRestored. `import`: at its index, which is not before `applied`, the state is imported.
  Applier(std::shared_ptr<NodeServices> services, PartitionId partition, LogIndex applied,
          std::uint64_t digest, LogIndex restore_until, std::optional<SnapshotToImport> import,
          std::shared_ptr<PartitionView> view);

  // Before Start.
  void SetSink(std::weak_ptr<AppliedSink> sink) { sink_ = std::move(sink); }

  // Everything below is thread-safe: it only posts to the delivery strand, in order.
  void Start();
  // `marks` lie within `items`, or at the last entry submitted before them.
  void Submit(std::vector<raft::ApplyItem> items, std::vector<raft::LedgerMark> marks);
  // A snapshot took the place of the log: the state is imported before anything after it comes.
  void Install(SnapshotToImport snapshot);
  // `newest` is synced on this node's own disk; checkpoints rest on it.
  void NoteSnapshot(LogIndex newest) noexcept {
    snapshot_index_.store(newest.value(), std::memory_order_release);
  }
  // Writes the image to the store, after the head that `boundary` makes, and publishes it. One at a
  // time.
  void WriteSnapshot(std::shared_ptr<SnapshotImage> image, BoundaryRecord boundary);
  void NotifyLeader(NodeId leader);
  void NotifyNodeError(error_code error, std::string text);
  // Of the system partition.
  void NotifyMap(PartitionMap map);
  void NotifyMembership(Membership membership);
  void NotifySettings(std::shared_ptr<const ClusterSettings> settings);
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
  struct Batch {
    std::vector<raft::ApplyItem> items;
    std::vector<raft::LedgerMark> marks;
    // How far it has come.
    std::size_t next_item = 0;
    std::size_t next_mark = 0;
  };
  struct Failed {
    RaftLog log;
  };
  using SharedSettings = std::shared_ptr<const ClusterSettings>;
  using Work =
      std::variant<Batch, SnapshotToImport, Failed, LeaderChange, NodeProblem, PartitionMap,
                   Membership, SharedSettings, RestoreStart, RestoreEnd, Restored>;

  // What became of one call of a handler.
  enum class Called : std::uint8_t { kTrue, kFalse, kSuspended, kClosed };

  // All of these run on the delivery strand.
  void Accept(Batch batch);
  // Says of those that were asked for, and have not been passed, that they will not be.
  void DropMarks(const Batch& batch);
  void SendCutPoint(CutPoint point);
  void Pump();
  void PumpOn();
  bool PumpBatch(Batch& batch);  // false: suspended, closed, or not all of it in this turn
  bool DeliverEntry(const raft::ApplyItem& applied);
  bool DeliverLog(const RaftLog& log);
  bool PumpSpan(Batch& batch);
  std::size_t CollectSpan(const Batch& batch);
  void CollectLogs(const raft::ApplyItem& item);
  bool ApplySpan();
  void TellFailed();
  void SplitOff(Batch& batch, LogIndex index);
  Called StartImport(const SnapshotToImport& snapshot);
  void FinishImport(bool succeeded);
  [[nodiscard]] std::shared_ptr<SnapshotImage> CaptureImage() noexcept;
  static boost::asio::awaitable<bool> Import(std::shared_ptr<Applier> self,
                                             SnapshotToImport snapshot);
  static boost::asio::awaitable<SnapshotInfo> WriteOut(std::shared_ptr<Applier> self,
                                                       std::shared_ptr<SnapshotImage> image,
                                                       BoundaryRecord boundary);
  static boost::asio::awaitable<SnapshotInfo> WriteDraft(std::shared_ptr<Applier> self,
                                                         std::shared_ptr<SnapshotImage> image,
                                                         BoundaryRecord boundary);
  void FinishSnapshot(error_code error, const SnapshotInfo& info);
  void ConsiderStopped();
  void FinishEntry(const Entry& entry);
  void NoteFailure(LogIndex index);
  void NoteHandlerTime();
  void PassMarks(Batch& batch);
  void MeetCheckpoint(const Entry& entry);
  void ReportApplied();
  // What a coroutine's completion holds.
  class Ending;
  void Resumed(bool succeeded);
  Called CallOnce(const Work& work);
  static boost::asio::awaitable<bool> Guarded(std::shared_ptr<Applier> self,
                                              boost::asio::awaitable<bool> handler);
  void Spawn(boost::asio::awaitable<bool> handler);
  template <class HandlerType, class... Arguments>
  Called Call(std::string_view name, const HandlerType& handler, const Arguments&... arguments);

  const std::shared_ptr<NodeServices> services_;
  const PartitionId partition_;
  const std::shared_ptr<PartitionView> view_;
  std::weak_ptr<AppliedSink> sink_;
  const LogIndex restore_until_;
  boost::asio::strand<boost::asio::any_io_executor> strand_;

  std::deque<Work> queue_;
  LogIndex accepted_;  // the last entry that was queued
  LogIndex applied_;
  LogIndex reported_;
  std::uint64_t digest_;
  std::optional<SnapshotToImport> import_;     // still to be queued
  std::optional<SnapshotToImport> importing_;  // its coroutine runs
  bool restore_end_queued_ = false;
  bool busy_ = false;        // a coroutine handler runs
  std::string_view called_;  // the handler that runs, or ran last
  Instant called_at_{};
  bool stopped_ = false;

  // Within the next item of the first batch of the queue.
  bool entry_decoded_ = false;
  std::vector<codec::DecodedBodyItem> logs_;  // of the entry that is being delivered
  std::size_t log_position_ = 0;
  bool log_suspended_ = false;  // the running coroutine is the handler of logs_[log_position_]
  bool log_failed_ = false;     // logs_[log_position_] goes to OnReplicationError next

  // For a state machine.
  std::vector<RaftLog> span_;
  std::vector<RaftLog> failed_;  // of this batch; told right after it
  std::atomic<std::uint64_t> snapshot_index_{0};
  bool writing_ = false;  // a snapshot
  std::atomic<bool> takes_turns_{false};
  bool turn_posted_ = false;

  boost::asio::cancellation_signal signal_;
  boost::asio::cancellation_signal write_signal_;
  std::function<void()> stop_done_;
};

}  // namespace kommander::runtime
