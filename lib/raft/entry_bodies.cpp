// Bytes of the library's own entries, and back.
#include "raft/entry_bodies.hpp"

#include <limits>
#include <vector>

#include "codec/little_endian.hpp"

namespace kommander::raft {
namespace {

constexpr std::size_t kDecisionBytes = 17;
constexpr std::size_t kCheckpointBytes = 8;
constexpr std::size_t kSessionBytes = 16;

template <std::size_t kSize, class Fill>
Payload Filled(Fill fill) {
  std::vector<std::byte> bytes(kSize);
  codec::ByteWriter writer(bytes.data());
  fill(writer);
  return Payload(std::move(bytes));
}

}  // namespace

Payload Encode(const DecisionBody& body) {
  return Filled<kDecisionBytes>([&](codec::ByteWriter& writer) {
    writer.Put(body.ticket.physical_ms());
    writer.Put(body.ticket.counter());
    writer.Put(body.ticket.node().value());
    writer.Put(static_cast<std::uint8_t>(body.decision));
  });
}

std::optional<DecisionBody> DecodeDecision(ByteSpan bytes) {
  codec::ByteReader reader(bytes);
  DecisionBody body;
  const auto physical_ms = reader.Get<std::uint64_t>();
  const auto counter = reader.Get<std::uint32_t>();
  body.ticket = Ticket(physical_ms, counter, NodeId(reader.Get<std::uint32_t>()));
  const auto decision = reader.Get<std::uint8_t>();
  if (!reader.AtEnd() || decision < 1 || decision > 2) return std::nullopt;
  body.decision = static_cast<Decision>(decision);
  return body;
}

Payload Encode(const CheckpointBody& body) {
  return Filled<kCheckpointBytes>(
      [&](codec::ByteWriter& writer) { writer.Put(body.covered.value()); });
}

std::optional<CheckpointBody> DecodeCheckpoint(ByteSpan bytes) {
  codec::ByteReader reader(bytes);
  const CheckpointBody body{LogIndex(reader.Get<std::uint64_t>())};
  return reader.AtEnd() ? std::optional(body) : std::nullopt;
}

Payload Encode(const SessionBody& body) {
  return Filled<kSessionBytes>([&](codec::ByteWriter& writer) {
    writer.Put(body.closed.value());
    writer.Put(body.used_to.value());
  });
}

std::optional<SessionBody> DecodeSession(ByteSpan bytes) {
  codec::ByteReader reader(bytes);
  SessionBody body;
  body.closed = SessionId(reader.Get<std::uint64_t>());
  body.used_to = LogIndex(reader.Get<std::uint64_t>());
  return reader.AtEnd() ? std::optional(body) : std::nullopt;
}

void EncodeSessionHeader(const SessionHeader& header, std::byte* out) noexcept {
  codec::ByteWriter writer(out);
  writer.Put(header.session.value());
  writer.Put(header.sequence);
  writer.Put(header.lowest_unanswered);
}

std::optional<SessionHeader> DecodeSessionHeader(ByteSpan bytes) {
  codec::ByteReader reader(bytes);
  SessionHeader header;
  header.session = SessionId(reader.Get<std::uint64_t>());
  header.sequence = reader.Get<std::uint64_t>();
  header.lowest_unanswered = reader.Get<std::uint64_t>();
  const bool is_good = reader.ok() && header.session && header.lowest_unanswered != 0 &&
                       header.sequence >= header.lowest_unanswered;
  return is_good ? std::optional(header) : std::nullopt;
}

Payload PayloadsOf(const Entry& entry) {
  if (!HasSessionHeader(entry.kind)) return entry.body;
  if (entry.body.size() < kSessionHeaderBytes) return Payload();
  return entry.body.Slice(kSessionHeaderBytes, entry.body.size() - kSessionHeaderBytes);
}

std::uint32_t PayloadCountOf(const Entry& entry) noexcept {
  codec::ByteReader reader(entry.body.bytes());
  if (HasSessionHeader(entry.kind)) (void)reader.GetBytes(kSessionHeaderBytes);
  return reader.Get<std::uint32_t>();
}

}  // namespace kommander::raft
