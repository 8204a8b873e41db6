// What the simulated seams tell about what passes through them, the moment it does. The checker of
// invariants listens; everything is a plain call on the world's thread.
#pragma once

#include <cstdint>
#include <string>

#include <kommander/messages.hpp>
#include <kommander/wal_recovery.hpp>
#include <kommander/write_unit.hpp>

namespace kommander::sim {

class Observer {
 public:
  virtual ~Observer() = default;
  // The node has handed the unit to its I/O scheduler; it is not on disk yet.
  virtual void OnSubmitted(NodeId /*node*/, const WriteUnit& /*unit*/) {}
  // The unit is on the node's disk for good, answered or not.
  virtual void OnSynced(NodeId /*node*/, const WriteUnit& /*unit*/) {}
  // The node has read a partition back after a restart.
  virtual void OnRecovered(NodeId /*node*/, PartitionId /*partition*/,
                           const RecoveredPartition& /*recovered*/) {}
  // The node has handed the message to its transport; it may be lost yet.
  virtual void OnSent(NodeId /*node*/, const Message& /*message*/) {}
  // Somebody used an interface against its contract.
  virtual void OnContractBroken(NodeId /*node*/, const std::string& /*what*/) {}
};

}  // namespace kommander::sim
