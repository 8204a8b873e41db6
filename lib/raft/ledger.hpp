// What every node must judge alike from the log alone: tickets of prepared proposals and sessions
// of clients. Stepped in log order when the core hands an entry to the applier, so a judgement
// depends on nothing but the entries before it; serialised at marks of that order, from which a
// boundary record or a snapshot is made. Its bounds are the protocol's: every node refuses the same
// entries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <kommander/entry.hpp>
#include <kommander/errc.hpp>
#include <kommander/ids.hpp>
#include <kommander/payload.hpp>
#include <kommander/session.hpp>
#include <kommander/time.hpp>

#include "raft/entry_bodies.hpp"
#include "raft/ring.hpp"

namespace kommander::raft {

inline constexpr std::size_t kOpenTicketsMax = 1024;
inline constexpr std::size_t kOpenTicketBytesMax = 64u << 20;  // of the entries' SizeBytes()
inline constexpr std::size_t kSettledTicketsMax = 4096;        // remembered, the newest
inline constexpr std::size_t kSessionsMax = 1024;

// What an entry comes to.
enum class Verdict : std::uint8_t {
  kSilent,   // the library's own, or without effect: moves the applied index only
  kHeld,     // would be delivered, but the application has it from an earlier life
  kDeliver,  // to the application's handlers
};
struct Judgement {
  Verdict verdict = Verdict::kSilent;
  // Why the entry has no effect; its writer is told.
  std::optional<RaftErrc> error;
  // Where the effect is, for the writer: this entry, or the first one that this one repeats.
  LogIndex index;
  Term term;
  Ticket ticket;
  std::uint32_t count = 0;  // payloads of the proposal that a decision speaks of
  // Of a commit that takes effect: what it delivers, in its own place.
  std::shared_ptr<const Entry> prepared;
};

class Ledger {
 public:
  // A proposal that waits for its decision.
  struct OpenTicket {
    Ticket ticket;
    std::shared_ptr<const Entry> entry;
  };

  // Judges `entry`, which follows the one before it.
  Judgement Step(const Entry& entry);

  // Ascending by ticket.
  [[nodiscard]] const std::vector<OpenTicket>& open_tickets() const noexcept { return open_; }
  [[nodiscard]] std::size_t open_bytes() const noexcept { return open_bytes_; }
  // Room for one more prepared entry beside `count` others of `bytes` that are on their way here.
  [[nodiscard]] bool HasRoomFor(std::size_t entry_bytes, std::size_t count,
                                std::size_t bytes) const noexcept;
  [[nodiscard]] bool IsOpen(const Ticket& ticket) const noexcept;
  // The first index of the oldest open ticket; 0: none is open.
  [[nodiscard]] LogIndex OldestOpen() const noexcept;

  // Where each session was used last; ascending by session.
  struct SessionUse {
    SessionId session;
    LogIndex used_to;
    friend bool operator==(const SessionUse&, const SessionUse&) = default;
  };
  [[nodiscard]] std::vector<SessionUse> SessionUses() const;
  [[nodiscard]] std::size_t session_count() const noexcept { return sessions_.size(); }

  // The greatest stamp of any entry so far.
  [[nodiscard]] const HlcTimestamp& greatest_stamp() const noexcept { return greatest_; }

  // The state after the last step, open proposals with their payloads (docs/formats.md). No byte at
  // all restores a new ledger.
  [[nodiscard]] Payload Serialize() const;
  // Replaces the state. False: not such bytes, and nothing has changed.
  [[nodiscard]] bool Restore(ByteSpan bytes);

 private:
  struct SettledTicket {
    Ticket ticket;
    Decision decision = Decision::kCommit;
    LogIndex index;  // of the decision
    Term term;
    std::uint32_t count = 0;  // payloads of the proposal
  };
  struct SessionResult {
    std::uint64_t sequence = 0;
    LogIndex index;
    Term term;
    Ticket ticket;
  };
  struct Session {
    SessionId id;
    std::uint64_t lowest = 1;  // results below it are forgotten
    LogIndex used_to;
    std::vector<SessionResult> results;  // ascending by sequence
  };

  static Judgement Refuse(const Entry& entry, RaftErrc error);
  static Judgement Cover(const Entry& entry);
  Judgement Prepare(const Entry& entry);
  Judgement Decide(const Entry& entry);
  Judgement ChangeSession(const Entry& entry);
  Judgement StepSession(const Entry& entry);
  [[nodiscard]] Session* FindSession(SessionId id) noexcept;
  [[nodiscard]] std::size_t PlaceOf(const Ticket& ticket) const noexcept;

  std::vector<OpenTicket> open_;  // ascending by ticket
  std::size_t open_bytes_ = 0;
  Ring<SettledTicket> settled_;    // in the order of the decisions
  std::vector<Session> sessions_;  // ascending by id
  HlcTimestamp greatest_;

  friend class LedgerBytes;
};

}  // namespace kommander::raft
