// What the partitions of one node share. Made once by the manager, handed around by shared pointer,
// never changed while partitions run.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>

#include <kommander/clock.hpp>
#include <kommander/handlers.hpp>
#include <kommander/io_scheduler.hpp>
#include <kommander/raft_configuration.hpp>
#include <kommander/raft_log.hpp>
#include <kommander/transport.hpp>

#include "runtime/handler_gate.hpp"
#include "runtime/hybrid_clock.hpp"

namespace kommander::runtime {

struct Handlers {
  Handler<RaftLog> log_restored;
  Handler<RaftLog> replication_received;
  Handler<RaftLog> replication_error;
  Handler<PartitionId, NodeId> leader_changed;
  Handler<PartitionId> restore_started;
  Handler<PartitionId> restore_finished;
  Handler<error_code, std::string> node_error;
};

// Told what concerns the whole node, from any thread; only enqueues.
class NodeSink {
 public:
  virtual ~NodeSink() = default;
  // A command of the library's own, committed in the system partition; in order.
  virtual void OnSystemCommand(LogIndex index, Payload command) = 0;
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
};

struct NodeServices {
  explicit NodeServices(NodeId self) : hybrid_clock(self) {}
  boost::asio::any_io_executor executor;
  RaftConfiguration configuration;
  Handlers handlers;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<IoScheduler> io;
  std::shared_ptr<Transport> transport;
  std::weak_ptr<NodeSink> node;
  HandlerGate gate;
  HybridClock hybrid_clock;
  Incarnation incarnation;  // of this node's store; set before the first partition starts
  std::uint64_t seed = 0;
  std::string_view
      system_type;  // payloads of this type in the system partition are the library's own
  std::atomic<std::uint64_t> messages_dropped{0};  // of peers, at a full mailbox
  std::atomic<std::uint64_t> appends_dropped{0};   // of peers, at a saturated lane of the disk
};

}  // namespace kommander::runtime
