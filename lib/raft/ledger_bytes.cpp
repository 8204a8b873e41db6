// The ledger as bytes, in boundary records and snapshots (docs/formats.md), and back. What is read
// comes from a disk or a leader: nothing is believed that a ledger could not have written.
#include <algorithm>
#include <limits>
#include <utility>

#include "codec/little_endian.hpp"
#include "raft/ledger.hpp"

namespace kommander::raft {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kTicketBytes = 16;
constexpr std::size_t kHeadBytes = 1 + kTicketBytes + 12;         // and three counts
constexpr std::size_t kOpenBytes = kTicketBytes + 8 + 8 + 1 + 4;  // and the body
constexpr std::size_t kSettledBytes = kTicketBytes + 1 + 8 + 8 + 4;
constexpr std::size_t kSessionBytes = 8 + 8 + 8 + 4;  // and the results
constexpr std::size_t kResultBytes = 8 + 8 + 8 + kTicketBytes;

void PutTicket(codec::ByteWriter& writer, const Ticket& ticket) {
  writer.Put(ticket.physical_ms());
  writer.Put(ticket.counter());
  writer.Put(ticket.node().value());
}

Ticket GetTicket(codec::ByteReader& reader) {
  const auto physical_ms = reader.Get<std::uint64_t>();
  const auto counter = reader.Get<std::uint32_t>();
  return Ticket(physical_ms, counter, NodeId(reader.Get<std::uint32_t>()));
}

void PutCount(codec::ByteWriter& writer, std::size_t count) {
  writer.Put(static_cast<std::uint32_t>(count));
}

// A count that the bytes left can hold, and that no ledger exceeds; the reader fails otherwise.
std::size_t GetCount(codec::ByteReader& reader, std::size_t count_max, std::size_t bytes_each) {
  const std::size_t count = reader.Get<std::uint32_t>();
  if (count <= count_max && count <= reader.remaining() / bytes_each) return count;
  reader.Fail();
  return 0;
}

}  // namespace

class LedgerBytes {
 public:
  static std::size_t SizeOf(const Ledger& ledger) noexcept {
    std::size_t size = kHeadBytes + ledger.settled_.size() * kSettledBytes;
    for (const auto& open : ledger.open_) size += kOpenBytes + open.entry->body.size();
    for (const auto& session : ledger.sessions_) {
      size += kSessionBytes + session.results.size() * kResultBytes;
    }
    return size;
  }

  static void Put(const Ledger& ledger, codec::ByteWriter& writer) {
    writer.Put(kVersion);
    PutTicket(writer, ledger.greatest_);
    PutCount(writer, ledger.open_.size());
    for (const auto& open : ledger.open_) {
      const Entry& entry = *open.entry;
      PutTicket(writer, open.ticket);
      writer.Put(entry.index.value());
      writer.Put(entry.term.value());
      writer.Put(static_cast<std::uint8_t>(entry.kind));
      PutCount(writer, entry.body.size());
      writer.PutBytes(entry.body.bytes());
    }
    PutCount(writer, ledger.settled_.size());
    for (std::size_t i = 0; i < ledger.settled_.size(); ++i) {
      const auto& settled = ledger.settled_[i];
      PutTicket(writer, settled.ticket);
      writer.Put(static_cast<std::uint8_t>(settled.decision));
      writer.Put(settled.index.value());
      writer.Put(settled.term.value());
      writer.Put(settled.count);
    }
    PutCount(writer, ledger.sessions_.size());
    for (const auto& session : ledger.sessions_) PutSession(session, writer);
  }

  static void Get(codec::ByteReader& reader, Ledger& ledger) {
    if (reader.Get<std::uint8_t>() != kVersion) return reader.Fail();
    ledger.greatest_ = GetTicket(reader);
    for (std::size_t n = GetCount(reader, kOpenTicketsMax, kOpenBytes); n-- > 0 && reader.ok();) {
      GetOpen(reader, ledger);
    }
    if (ledger.open_bytes_ > kOpenTicketBytesMax) return reader.Fail();
    for (std::size_t n = GetCount(reader, kSettledTicketsMax, kSettledBytes); n-- > 0;) {
      GetSettled(reader, ledger);
    }
    for (std::size_t n = GetCount(reader, kSessionsMax, kSessionBytes); n-- > 0 && reader.ok();) {
      GetSession(reader, ledger);
    }
  }

 private:
  static void PutSession(const Ledger::Session& session, codec::ByteWriter& writer) {
    writer.Put(session.id.value());
    writer.Put(session.lowest);
    writer.Put(session.used_to.value());
    PutCount(writer, session.results.size());
    for (const auto& result : session.results) {
      writer.Put(result.sequence);
      writer.Put(result.index.value());
      writer.Put(result.term.value());
      PutTicket(writer, result.ticket);
    }
  }

  static void GetOpen(codec::ByteReader& reader, Ledger& ledger) {
    const Ticket ticket = GetTicket(reader);
    const LogIndex index(reader.Get<std::uint64_t>());
    const Term term(reader.Get<std::uint64_t>());
    const auto kind = static_cast<EntryKind>(reader.Get<std::uint8_t>());
    const std::size_t size = GetCount(reader, std::numeric_limits<std::uint32_t>::max(), 1);
    const ByteSpan body = reader.GetBytes(size);
    const bool ascends = ledger.open_.empty() || ledger.open_.back().ticket < ticket;
    if (!reader.ok() || !ticket || !ascends || !IsPrepared(kind)) return reader.Fail();
    auto entry = std::make_shared<const Entry>(term, index, kind, ticket, Payload(body));
    ledger.open_bytes_ += entry->SizeBytes();
    ledger.open_.push_back({ticket, std::move(entry)});
  }

  static void GetSettled(codec::ByteReader& reader, Ledger& ledger) {
    Ledger::SettledTicket settled;
    settled.ticket = GetTicket(reader);
    const auto decision = reader.Get<std::uint8_t>();
    settled.index = LogIndex(reader.Get<std::uint64_t>());
    settled.term = Term(reader.Get<std::uint64_t>());
    settled.count = reader.Get<std::uint32_t>();
    const bool follows = ledger.settled_.empty() || ledger.settled_.back().index < settled.index;
    if (!follows || decision < 1 || decision > 2) return reader.Fail();
    settled.decision = static_cast<Decision>(decision);
    ledger.settled_.push_back(settled);
  }

  static void GetSession(codec::ByteReader& reader, Ledger& ledger) {
    Ledger::Session session;
    session.id = SessionId(reader.Get<std::uint64_t>());
    session.lowest = reader.Get<std::uint64_t>();
    session.used_to = LogIndex(reader.Get<std::uint64_t>());
    const std::size_t count = GetCount(reader, kSessionWindow, kResultBytes);
    session.results.reserve(count);
    std::uint64_t next = session.lowest;
    for (std::size_t i = 0; i < count; ++i) {
      Ledger::SessionResult result;
      result.sequence = reader.Get<std::uint64_t>();
      result.index = LogIndex(reader.Get<std::uint64_t>());
      result.term = Term(reader.Get<std::uint64_t>());
      result.ticket = GetTicket(reader);
      if (result.sequence < next || result.sequence - session.lowest >= kSessionWindow) {
        return reader.Fail();
      }
      next = result.sequence + 1;
      session.results.push_back(result);
    }
    const bool ascends = ledger.sessions_.empty() || ledger.sessions_.back().id < session.id;
    if (!session.id || session.lowest == 0 || !ascends) return reader.Fail();
    ledger.sessions_.push_back(std::move(session));
  }
};

Payload Ledger::Serialize() const {
  std::vector<std::byte> bytes(LedgerBytes::SizeOf(*this));
  codec::ByteWriter writer(bytes.data());
  LedgerBytes::Put(*this, writer);
  return Payload(std::move(bytes));
}

bool Ledger::Restore(ByteSpan bytes) {
  Ledger restored;
  if (!bytes.empty()) {
    codec::ByteReader reader(bytes);
    LedgerBytes::Get(reader, restored);
    if (!reader.AtEnd()) return false;
  }
  *this = std::move(restored);
  return true;
}

}  // namespace kommander::raft
