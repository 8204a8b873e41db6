// What one partition asks of its disk in one go. Value types; the core makes them, a Wal stores
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <kommander/configuration.hpp>
#include <kommander/entry.hpp>
#include <kommander/ids.hpp>

namespace kommander {

// Numbers the write units of one partition and process life, from 1, without gaps.
class UnitId : public StrongId<struct UnitIdTag> {
 public:
  using StrongId::StrongId;
  [[nodiscard]] constexpr UnitId Next() const noexcept { return UnitId(value() + 1); }
};

// The two facts that a node must never forget (thesis 3.4), always written together.
struct HardState {
  HardState() = default;
  HardState(Term current_term, NodeId voted_for) : term(current_term), vote(voted_for) {}
  Term term;
  NodeId vote;  // none: not voted in `term`
  friend bool operator==(const HardState&, const HardState&) = default;
};

// The library's own state exactly at the last removed index. Recovery starts from it and folds the
// log forward. Written at creation (index 0) and with every removal of a prefix.
struct BoundaryRecord {
  BoundaryRecord() = default;
  LogIndex index;
  Term term;
  Configuration configuration;
  std::uint64_t digest = 0;  // of every entry up to `index`; see PartitionStatus
  Payload ledger;            // tickets and sessions at `index`, serialised by the ledger
  Payload system;            // of the system partition: roster, partition map, settings at `index`
  friend bool operator==(const BoundaryRecord&, const BoundaryRecord&) = default;
};

// What of the log the application holds by itself, so that this node need not deliver it again.
struct ApplicationRecord {
  ApplicationRecord() = default;
  ApplicationRecord(LogIndex delivered_floor, LogIndex pending_import)
      : floor(delivered_floor), import_pending(pending_import) {}
  LogIndex floor;  // delivery after a restart begins after it
  LogIndex
      import_pending;  // the index of a snapshot that is installed and not imported yet; 0: none
  friend bool operator==(const ApplicationRecord&, const ApplicationRecord&) = default;
};

// Applied as one atomic step, in the order of the members. A store that reports the unit as written
// has synced all of it.
struct WriteUnit {
  WriteUnit() = default;
  PartitionId partition;
  UnitId unit;
  std::optional<BoundaryRecord> boundary;  // replaces the record; entries up to its index may go
  bool drop_log = false;                   // with `boundary`: no entry survives
  std::optional<LogIndex> truncate_from;   // this entry and all after it go
  std::vector<Entry> entries;              // contiguous, following what is left
  std::optional<HardState> hard_state;
  std::optional<LogIndex> commit_hint;  // known committed
  std::optional<ApplicationRecord> application;

  [[nodiscard]] std::size_t SizeBytes() const noexcept {
    std::size_t bytes = 64;
    for (const Entry& entry : entries) bytes += entry.SizeBytes();
    return bytes;
  }
};

}  // namespace kommander
