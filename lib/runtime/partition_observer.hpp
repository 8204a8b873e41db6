// Tells a partition's meters and the node's log what has happened. Of the partition actor's strand.
#pragma once

#include <deque>
#include <utility>

#include <kommander/ids.hpp>
#include <kommander/time.hpp>
#include <kommander/write_unit.hpp>

#include "raft/core.hpp"
#include "runtime/node_services.hpp"
#include "runtime/partition_meters.hpp"

namespace kommander::runtime {

class PartitionObserver {
 public:
  // Both live longer.
  PartitionObserver(NodeServices& services, PartitionId partition, PartitionMeters& meters) noexcept
      : services_(services), partition_(partition), meters_(meters) {}

  // After a step; what differs from the one before it is told.
  void OnStep(const raft::CoreStatus& status, const raft::Ledger& ledger);
  void OnUnitSubmitted(UnitId unit, Instant now) { units_.emplace_back(unit, now); }
  // Every unit up to this one is synced.
  void OnUnitsWritten(UnitId unit, Instant now);
  // A call ended without an effect because a bound was met, which `bound`, a literal, names as
  // docs/operations.md does. From any thread.
  void OnPushedBack(std::string_view bound);
  // The same, where the core is who refused it; other errors are not told.
  void OnRefused(const raft::Completion& refusal, bool is_write);
  // Of this leader's decisions for others, so many in one step.
  void OnExpired(std::size_t tickets, std::size_t sessions);
  void OnStorageFailed(const error_code& error);
  void OnLogCut(LogIndex boundary);
  void OnSnapshotTaken(const error_code& error, LogIndex index);
  void OnSnapshotReceived(NodeId from, LogIndex index);
  void OnSnapshotSent(NodeId to, LogIndex index, bool succeeded);
  // A peer needs one, and this node keeps none: it cannot catch up.
  void OnSnapshotImpossible(NodeId peer);
  // One that was received whole does not fit.
  void OnSnapshotRefused();

 private:
  NodeServices& services_;
  const PartitionId partition_;
  PartitionMeters& meters_;
  raft::CoreStatus last_;
  std::deque<std::pair<UnitId, Instant>> units_;  // submitted and not answered, ascending
};

}  // namespace kommander::runtime
