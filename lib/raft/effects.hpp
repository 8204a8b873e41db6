// What the core wants done, as values, in the one order that the runtime executes:
//   completions, messages  ->  write  ->  fetches, snapshots  ->  apply
// The core itself holds back what depends on a sync (votes, vote requests, acknowledgements,
// success of writes) until the unit it depends on is answered, so nothing here ever waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <kommander/errc.hpp>
#include <kommander/ids.hpp>
#include <kommander/messages.hpp>
#include <kommander/write_unit.hpp>

#include "raft/inputs.hpp"

namespace kommander::raft {

// The one answer to a request. `error` none: success.
struct Completion {
  RequestId request;
  std::optional<RaftErrc> error;
  bool withdrawn = false;  // ended by Withdraw before it had any effect; `error` is not set
  LogIndex index;          // writes: the entry's; reads: the index to wait for
  Term term;               // writes: the entry's
  NodeId leader;           // hint, 0: none known
  friend bool operator==(const Completion&, const Completion&) = default;
};

// Entries that left memory and are needed: for a peer that lags, or for the applier.
struct Fetch {
  std::uint64_t fetch = 0;
  LogIndex first;
  LogIndex last;
  std::size_t bytes_max = 0;
  friend bool operator==(const Fetch&, const Fetch&) = default;
};

// The peer needs entries that are gone; answered by SnapshotSent.
struct SnapshotNeeded {
  NodeId peer;
  friend bool operator==(const SnapshotNeeded&, const SnapshotNeeded&) = default;
};

// What the ledger says of an entry that is handed to the applier.
enum class Verdict : std::uint8_t {
  kSilent,   // the library's own: moves the applied index only
  kDeliver,  // to the application's handlers
};
struct ApplyItem {
  Entry entry;
  Verdict verdict = Verdict::kSilent;
};

struct Effects {
  std::vector<Completion> completions;
  std::vector<Message> messages;
  std::optional<WriteUnit> write;
  std::vector<Fetch> fetches;
  std::vector<SnapshotNeeded> snapshots;
  std::vector<ApplyItem> apply;  // contiguous; continues the previous hand-off
  bool role_changed = false;     // role, term or leader differ from before the step

  void Clear() {
    completions.clear();
    messages.clear();
    write.reset();
    fetches.clear();
    snapshots.clear();
    apply.clear();
    role_changed = false;
  }
};

}  // namespace kommander::raft
