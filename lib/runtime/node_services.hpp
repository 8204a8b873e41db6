// What the partitions of one node share. Made once by the manager, handed around by shared pointer,
// never changed while partitions run.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>

#include <kommander/clock.hpp>
#include <kommander/cluster_settings.hpp>
#include <kommander/handlers.hpp>
#include <kommander/io_scheduler.hpp>
#include <kommander/membership.hpp>
#include <kommander/partition_map.hpp>
#include <kommander/raft_configuration.hpp>
#include <kommander/raft_log.hpp>
#include <kommander/snapshot_store.hpp>
#include <kommander/state_machine.hpp>
#include <kommander/transport.hpp>

#include "runtime/byte_budget.hpp"
#include "runtime/handler_gate.hpp"
#include "runtime/hybrid_clock.hpp"
#include "runtime/logger.hpp"
#include "runtime/retention.hpp"

namespace kommander::runtime {

struct Handlers {
  Handler<RaftLog> log_restored;
  Handler<RaftLog> replication_received;
  Handler<RaftLog> replication_error;
  Handler<PartitionId, NodeId> leader_changed;
  Handler<PartitionId> restore_started;
  Handler<PartitionId> restore_finished;
  Handler<error_code, std::string> node_error;
  Handler<PartitionMap> partition_map_changed;
  Handler<Membership> membership_changed;
  Handler<ClusterSettings> settings_changed;
  // Up to where the application has its state of a partition on disk by itself; none: no opinion,
  // nothing may go. Called on the partition's delivery strand.
  std::function<std::optional<LogIndex>(PartitionId)> durable_index;
};

// Told what concerns the whole node, from any thread; only enqueues.
class NodeSink {
 public:
  virtual ~NodeSink() = default;
  // A command of the library's own, committed in the system partition; in order.
  virtual void OnSystemCommand(LogIndex index, Payload command) = 0;
  // The system partition has been applied up to `index`: the commands up to there came before. The
  // partition is told by the node, once that has made of them what they mean.
  virtual void OnSystemApplied(LogIndex index) = 0;
  // A mark of the system partition was passed, after the commands before it.
  virtual void OnSystemMark(CutPoint point) = 0;
  // A snapshot took the place of the commands so far.
  virtual void OnSystemInstalled(Payload state) = 0;
  // Every entry that was committed before this start has been delivered.
  virtual void OnPartitionRestored(PartitionId partition) = 0;
  virtual void OnPartitionLeader(PartitionId partition, NodeId leader, bool is_ready_here) = 0;
  // A write failed: its whole file set is done for.
  virtual void OnStoreFailed(PartitionId partition, error_code error) = 0;
  // What was read back is damaged, or cannot be read: this partition alone is done for.
  virtual void OnPartitionDamaged(PartitionId partition, error_code error) = 0;
  // The incarnation that the roster, as applied here, has of the peer; 0: none. An answer, from
  // any thread, that waits for nothing.
  [[nodiscard]] virtual Incarnation RosterPinOf(NodeId peer) const noexcept = 0;
  // The partition's generation in the map as applied here; 0: none. The same.
  [[nodiscard]] virtual Generation GenerationOf(PartitionId partition) const noexcept = 0;
};

struct NodeServices {
  explicit NodeServices(NodeId self) : hybrid_clock(self), logger(self) {}
  boost::asio::any_io_executor executor;
  RaftConfiguration configuration;
  Handlers handlers;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<IoScheduler> io;
  std::shared_ptr<Transport> transport;
  std::shared_ptr<SnapshotStore> snapshots;     // null: none are kept
  std::shared_ptr<StateMachine> state_machine;  // null: the handlers get the entries
  std::weak_ptr<NodeSink> node;
  HandlerGate gate;
  ByteBudget budget;  // of proposals: queued ones, and what is appended and not committed
  HybridClock hybrid_clock;
  Logger logger;
  Incarnation incarnation;  // of this node's store; set before the first partition starts
  std::uint64_t seed = 0;
  std::string_view
      system_type;  // payloads of this type in the system partition are the library's own
  // Whether such a payload is one that another node's caller may ask for; null: none is.
  bool (*is_callers_command)(ByteSpan) = nullptr;
  std::atomic<std::uint64_t> messages_dropped{0};  // of peers, at a full mailbox
  std::atomic<std::uint64_t> appends_dropped{0};   // of peers, at a saturated lane of the disk
  std::atomic<std::size_t> snapshot_transfers{0};  // that this node sends now
  std::atomic<std::uint64_t> stamps_ahead{0};      // of messages, not merged into hybrid_clock
  std::atomic<bool> disk_full{false};              // as told last
};

// Tells once when the disk runs full, and once when it has room again. From any thread.
void NoteDisk(NodeServices& services, bool is_full) noexcept;
// Counts and tells a message whose sender's clock is too far ahead of this node's.
void NoteStampAhead(NodeServices& services, const Message& message, std::uint64_t wall_ms) noexcept;

// What the application says of its own state: of its state machine, and of OnDurableIndex. None
// while it may not be called, or when it throws.
[[nodiscard]] std::optional<LogIndex> AskAppliedIndex(NodeServices& services,
                                                      PartitionId partition) noexcept;
[[nodiscard]] std::optional<LogIndex> AskDurableIndex(NodeServices& services,
                                                      PartitionId partition) noexcept;

}  // namespace kommander::runtime
