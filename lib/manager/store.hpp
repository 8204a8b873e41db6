// What a node does with its store besides writing units: blocking, run by the I/O scheduler.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <kommander/errors.hpp>
#include <kommander/raft_configuration.hpp>
#include <kommander/snapshot_store.hpp>
#include <kommander/wal.hpp>

#include "runtime/snapshot_streams.hpp"

namespace kommander {

using Pins = std::map<NodeId, Incarnation>;

struct OpenedStore {
  error_code error;
  std::string detail;  // one line for a person, when there is an error
  std::size_t file_sets = 1;
  StoreIdentity identity;
  Pins pins;
  bool admitted = false;  // the bootstrap gate was open in an earlier life
  struct Partition {
    PartitionId id;
    RecoveredPartition recovered;
    std::vector<runtime::StoredSnapshot> snapshots;  // in the order of their index
  };
  std::vector<Partition> partitions;
};

// Opens the store, or creates it for a node of `configuration` under `fresh`, and recovers every
// partition. Whose it is, is checked (WalForeign).
// `snapshots` may be null.
[[nodiscard]] OpenedStore OpenStore(Wal& wal, SnapshotStore* snapshots,
                                    const RaftConfiguration& configuration, Incarnation fresh);

// Creates those of one file set's partitions that do not exist yet, with one sync, and recovers all
// of them. Asks nothing of other sets, whose writers may be at work.
[[nodiscard]] OpenedStore CreatePartitions(
    Wal& wal, const std::vector<std::pair<PartitionId, Configuration>>& partitions);

// The bytes of all pins, as the store's metadata holds them.
[[nodiscard]] Payload EncodePins(const Pins& pins);
// Into an empty `pins`. False unless it is exactly that: what is accepted encodes to these bytes.
[[nodiscard]] bool DecodePins(ByteSpan bytes, Pins& pins);
[[nodiscard]] error_code WritePins(Wal& wal, const Pins& pins);
[[nodiscard]] error_code WriteAdmitted(Wal& wal);

}  // namespace kommander
