// One entry of a partition's log. Immutable, and unique by (index, term) for ever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <kommander/ids.hpp>
#include <kommander/payload.hpp>
#include <kommander/time.hpp>

namespace kommander {

// What an entry is for. The numbers are on disk and on the wire (docs/protocol.md), never reused.
enum class EntryKind : std::uint8_t {
  kNoop = 0,                // opens a leader's term (thesis 6.4); empty body, never delivered
  kApplication = 1,         // one or more payloads of the application, delivered together
  kConfiguration = 2,       // the partition's voters and learners, effective when appended
  kPrepared = 3,            // a proposal whose payloads are delivered when its ticket is committed
  kDecision = 4,            // commits or rolls back a ticket
  kCheckpoint = 5,          // how far the application of the proposing node had kept its state
  kSession = 6,             // opens or closes a client's session
  kSessionApplication = 7,  // kApplication and kPrepared, numbered by a session: a header, then
  kSessionPrepared = 8,     // the payloads
};
// The greatest number of a kind that this version knows.
inline constexpr EntryKind kEntryKindLast = EntryKind::kSessionPrepared;

// The fixed part that every entry costs on the wire and in byte budgets.
inline constexpr std::size_t kEntryOverheadBytes = 40;

struct Entry {
  Entry() = default;
  Entry(Term entry_term, LogIndex entry_index, EntryKind entry_kind, Ticket entry_ticket,
        Payload entry_body)
      : term(entry_term),
        index(entry_index),
        ticket(entry_ticket),
        kind(entry_kind),
        body(std::move(entry_body)) {}

  // What the entry counts for in every byte budget.
  [[nodiscard]] std::size_t SizeBytes() const noexcept { return kEntryOverheadBytes + body.size(); }
  friend bool operator==(const Entry&, const Entry&) = default;

  Term term;
  LogIndex index;
  Ticket ticket;
  EntryKind kind = EntryKind::kNoop;
  Payload body;  // kApplication: payloads as docs/protocol.md lays them out, encoded once by the
                 // proposer
};

}  // namespace kommander
