// What a store knows after a restart: values, without the store.
#pragma once

#include <string>
#include <vector>

#include <kommander/write_unit.hpp>

namespace kommander {

// Who a store belongs to. Drawn once, synced before the node sends its first message.
struct StoreIdentity {
  StoreIdentity() = default;
  std::string cluster_id;
  NodeId node;
  Incarnation incarnation;
  Configuration system_configuration;  // of the system partition at index 0
  friend bool operator==(const StoreIdentity&, const StoreIdentity&) = default;
};

// A run of entries of one term: from `first` up to the next run's first, or the last index.
struct TermRun {
  TermRun() = default;
  TermRun(LogIndex first_index, Term run_term) : first(first_index), term(run_term) {}
  LogIndex first;
  Term term;
  friend bool operator==(const TermRun&, const TermRun&) = default;
};

// What a partition looks like after a restart. Everything in it has been written and synced anew.
struct RecoveredPartition {
  RecoveredPartition() = default;
  BoundaryRecord boundary;
  HardState hard_state;
  LogIndex last_index;         // == boundary.index when there is no entry
  std::vector<TermRun> terms;  // ascending, covering (boundary.index, last_index]
  LogIndex commit_hint;        // 0 when none
  ApplicationRecord application;
  HlcTimestamp greatest_stamp;  // of the tickets of all entries after the boundary
  std::vector<Entry>
      configuration_entries;  // every kConfiguration entry after the boundary, in order
};

}  // namespace kommander
