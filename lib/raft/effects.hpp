// What the core wants done, as values, in the one order that the runtime executes:
//   completions, messages  ->  write  ->  fetches, snapshots  ->  apply
// The core itself holds back what depends on a sync (votes, vote requests, acknowledgements,
// success of writes) until the unit it depends on is answered, so nothing here ever waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <kommander/errc.hpp>
#include <kommander/ids.hpp>
#include <kommander/messages.hpp>
#include <kommander/write_unit.hpp>

#include "raft/inputs.hpp"
#include "raft/ledger.hpp"

namespace kommander::raft {

// The one answer to a request. `error` none: success.
struct Completion {
  RequestId request;
  std::optional<RaftErrc> error;
  bool withdrawn = false;  // ended by Withdraw before it had any effect; `error` is not set
  // Writes: where the effect is, which of a repetition is the first entry's place. Reads: the index
  // to wait for.
  LogIndex index;
  Term term;  // of the entry at `index`, for writes
  // Of writes whose entry was judged: of the proposal that took effect.
  Ticket ticket;
  std::uint32_t count = 0;  // decisions: payloads of that proposal
  NodeId leader;            // hint, 0: none known
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

struct ApplyItem {
  Entry entry;
  Verdict verdict = Verdict::kSilent;
  // Delivered in the place of `entry`, which commits it; null: the entry itself is delivered.
  std::shared_ptr<const Entry> prepared;
};

// The ledger right after `index`, which is handed off: where a log may be cut, or a snapshot taken,
// once the applier has come there.
struct LedgerMark {
  LogIndex index;
  Term term;
  Payload ledger;
  bool is_asked = false;  // by MarkLedger
};

struct Effects {
  std::vector<Completion> completions;
  std::vector<Message> messages;
  std::optional<WriteUnit> write;
  std::vector<Fetch> fetches;
  std::vector<SnapshotNeeded> snapshots;
  std::vector<ApplyItem> apply;   // contiguous; continues the previous hand-off
  std::vector<LedgerMark> marks;  // ascending; within `apply`, or what was handed off last
  // What this leader decided because nobody else did: tickets rolled back, sessions closed.
  std::size_t tickets_expired = 0;
  std::size_t sessions_expired = 0;
  bool role_changed = false;  // role, term or leader differ from before the step

  void Clear() {
    completions.clear();
    messages.clear();
    write.reset();
    fetches.clear();
    snapshots.clear();
    apply.clear();
    marks.clear();
    tickets_expired = sessions_expired = 0;
    role_changed = false;
  }
};

}  // namespace kommander::raft
