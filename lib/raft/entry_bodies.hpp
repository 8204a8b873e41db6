// The bodies of the entries that the library itself reads: decisions on tickets, checkpoints, the
// life of sessions, and the header that a write of a session carries before its payloads.
// Little-endian, fixed sizes (docs/protocol.md); what has another size decodes to nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <kommander/entry.hpp>
#include <kommander/ids.hpp>
#include <kommander/payload.hpp>
#include <kommander/session.hpp>
#include <kommander/time.hpp>

namespace kommander::raft {

// kDecision: what becomes of a prepared proposal.
enum class Decision : std::uint8_t { kCommit = 1, kRollback = 2 };
struct DecisionBody {
  Ticket ticket;
  Decision decision = Decision::kCommit;
  friend bool operator==(const DecisionBody&, const DecisionBody&) = default;
};
// u64 milliseconds | u32 counter | u32 node | u8 decision
[[nodiscard]] Payload Encode(const DecisionBody& body);
[[nodiscard]] std::optional<DecisionBody> DecodeDecision(ByteSpan bytes);

// kCheckpoint: the application of the node that proposed it holds everything up to `covered`.
struct CheckpointBody {
  LogIndex covered;
  friend bool operator==(const CheckpointBody&, const CheckpointBody&) = default;
};
// u64 covered
[[nodiscard]] Payload Encode(const CheckpointBody& body);
[[nodiscard]] std::optional<CheckpointBody> DecodeCheckpoint(ByteSpan bytes);

// kSession: one is opened, its id being the index of this entry, or one is closed, unless it was
// used after `used_to`.
struct SessionBody {
  static constexpr LogIndex kWhenever{~std::uint64_t{0}};
  SessionId closed;  // 0: one is opened
  LogIndex used_to;  // kWhenever: it is closed in any case
  friend bool operator==(const SessionBody&, const SessionBody&) = default;
};
// u64 closed | u64 used to
[[nodiscard]] Payload Encode(const SessionBody& body);
[[nodiscard]] std::optional<SessionBody> DecodeSession(ByteSpan bytes);

// Before the payloads of kSessionApplication and kSessionPrepared:
// u64 session | u64 sequence | u64 lowest unanswered
inline constexpr std::size_t kSessionHeaderBytes = 24;
struct SessionHeader {
  SessionId session;
  std::uint64_t sequence = 0;           // from 1
  std::uint64_t lowest_unanswered = 0;  // of the client's, not above it
};
void EncodeSessionHeader(const SessionHeader& header, std::byte* out) noexcept;
// None: too short, or what no client sends (a zero, or a sequence below the lowest unanswered one).
[[nodiscard]] std::optional<SessionHeader> DecodeSessionHeader(ByteSpan bytes);

[[nodiscard]] constexpr bool HasSessionHeader(EntryKind kind) noexcept {
  return kind == EntryKind::kSessionApplication || kind == EntryKind::kSessionPrepared;
}
[[nodiscard]] constexpr bool IsPrepared(EntryKind kind) noexcept {
  return kind == EntryKind::kPrepared || kind == EntryKind::kSessionPrepared;
}
// Whether the ledger decides what such an entry comes to; any other has its effect once committed.
[[nodiscard]] constexpr bool IsJudged(EntryKind kind) noexcept {
  return kind >= EntryKind::kPrepared;
}
// The application's part of a body. Empty where the header is missing.
[[nodiscard]] Payload PayloadsOf(const Entry& entry);
// How many there are: the number that such a body begins with.
[[nodiscard]] std::uint32_t PayloadCountOf(const Entry& entry) noexcept;

}  // namespace kommander::raft
