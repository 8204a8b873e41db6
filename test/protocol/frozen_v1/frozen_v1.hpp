// Version 1 of the protocol, as it was when it was frozen: what a node that speaks version 1 sends
// and understands, in code of its own that uses nothing of the library. Today's codec and transport
// are held against it, so that a node of today and one of any later day understand one another.
//
// THIS FILE IS NEVER CHANGED. What speaks version 1 is out there and will not change either: a test
// against this file that fails has found a mistake elsewhere. tools/tidy knows the file's checksum.
// A version 2 gets a file of its own beside it. The bytes are explained in docs/protocol.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace frozen_v1 {

enum Kind : std::uint16_t {
  kHello = 1,
  kHelloAck = 2,
  kReject = 3,
  kPing = 4,
  kPong = 5,
  kVotes = 6,
  kBeats = 7,
  kAppends = 8,
};

// Numbers of `size` bytes, the least significant byte first.
inline void Put(std::string& out, std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t Get(int size) {
    const std::string_view bytes = Take(static_cast<std::size_t>(size));
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i != 0; --i) {
      value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
    }
    return value;
  }
  std::uint8_t Get8() { return static_cast<std::uint8_t>(Get(1)); }
  std::uint16_t Get16() { return static_cast<std::uint16_t>(Get(2)); }
  std::uint32_t Get32() { return static_cast<std::uint32_t>(Get(4)); }
  std::uint64_t Get64() { return Get(8); }
  std::string_view Take(std::size_t count) {
    if (count > bytes_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  bool ok() const { return ok_; }
  bool AtEnd() const { return ok_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

// CRC-32C, bit by bit.
inline std::uint32_t Checksum(std::string_view bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
  }
  return crc ^ 0xffffffff;
}

// --- Frames ---

inline constexpr std::size_t kHeaderBytes = 32;

struct Frame {
  std::uint16_t kind = 0;
  std::uint16_t flags = 0;
  std::uint64_t sequence = 0;
  std::string payload;
  friend bool operator==(const Frame&, const Frame&) = default;
};

inline std::string EncodeFrame(const Frame& frame) {
  std::string out = "KMDR";
  Put(out, 1, 2);
  Put(out, frame.kind, 2);
  Put(out, frame.flags, 2);
  Put(out, kHeaderBytes, 2);
  Put(out, frame.payload.size(), 4);
  Put(out, frame.sequence, 8);
  Put(out, Checksum(frame.payload), 4);
  Put(out, Checksum(out), 4);
  return out + frame.payload;
}

// From a sound header, what the payload takes; nothing else is looked at before it is sound.
inline bool DecodeHeader(std::string_view header, Frame& frame, std::uint32_t& payload_bytes,
                         std::uint32_t& payload_checksum) {
  Reader reader(header);
  const bool magic = reader.Take(4) == "KMDR";
  const bool version = reader.Get16() == 1;
  frame.kind = reader.Get16();
  frame.flags = reader.Get16();
  const bool length = reader.Get16() == kHeaderBytes;
  payload_bytes = reader.Get32();
  frame.sequence = reader.Get64();
  payload_checksum = reader.Get32();
  const bool sound = reader.Get32() == Checksum(header.substr(0, kHeaderBytes - 4));
  static constexpr std::uint32_t kMost[] = {4096, 4096, 4096,     4096,     0,
                                            0,    4096, 1u << 20, 16u << 20};
  const bool known = frame.kind >= kHello && frame.kind <= kAppends;
  return reader.AtEnd() && magic && version && length && sound && frame.flags == (known ? 0 : 1) &&
         payload_bytes <= kMost[known ? frame.kind : 0];
}

// --- Hello, hello-ack and reject ---

struct Hello {
  std::uint32_t node = 0;
  std::uint32_t to = 0;
  std::uint64_t incarnation = 0;
  std::uint16_t version_min = 1;
  std::uint16_t version_max = 1;
  bool knows_roster = false;
  std::uint64_t digest = 0;
  std::uint64_t pin = 0;
  std::uint64_t nonce = 0;
  std::string cluster;
  friend bool operator==(const Hello&, const Hello&) = default;
};

inline std::string Encode(const Hello& hello) {
  std::string out;
  Put(out, hello.node, 4);
  Put(out, hello.to, 4);
  Put(out, hello.incarnation, 8);
  Put(out, hello.version_min, 2);
  Put(out, hello.version_max, 2);
  Put(out, hello.knows_roster ? 1 : 0, 1);
  Put(out, 0, 1);
  Put(out, hello.cluster.size(), 2);
  Put(out, hello.digest, 8);
  Put(out, hello.pin, 8);
  Put(out, hello.nonce, 8);
  return out + hello.cluster;
}

inline bool Decode(std::string_view payload, Hello& hello) {
  Reader reader(payload);
  hello.node = reader.Get32();
  hello.to = reader.Get32();
  hello.incarnation = reader.Get64();
  hello.version_min = reader.Get16();
  hello.version_max = reader.Get16();
  const std::uint8_t flags = reader.Get8();
  const std::uint8_t zero = reader.Get8();
  const std::uint16_t cluster_bytes = reader.Get16();
  hello.digest = reader.Get64();
  hello.pin = reader.Get64();
  hello.nonce = reader.Get64();
  hello.cluster = reader.Take(cluster_bytes);
  hello.knows_roster = flags == 1;
  return reader.AtEnd() && flags <= 1 && zero == 0 && cluster_bytes <= 256;
}

struct Reject {
  std::uint32_t reason = 0;
  std::string text;
  friend bool operator==(const Reject&, const Reject&) = default;
};

inline std::string Encode(const Reject& reject) {
  std::string out;
  Put(out, reject.reason, 4);
  Put(out, reject.text.size(), 2);
  return out + reject.text;
}

inline bool Decode(std::string_view payload, Reject& reject) {
  Reader reader(payload);
  reject.reason = reader.Get32();
  const std::uint16_t size = reader.Get16();
  reject.text = reader.Take(size);
  return reader.AtEnd() && size <= 512;
}

// --- Messages ---

struct Ticket {
  std::uint64_t milliseconds = 0;
  std::uint32_t counter = 0;
  std::uint32_t node = 0;
  friend bool operator==(const Ticket&, const Ticket&) = default;
};

struct Entry {
  std::uint64_t term = 0;
  std::uint64_t index = 0;
  Ticket ticket;
  std::uint8_t kind = 0;
  std::string body;
  friend bool operator==(const Entry&, const Entry&) = default;
};

enum Type : std::uint8_t {
  kVoteRequest = 1,
  kVoteReply = 2,
  kAppend = 3,
  kAppendReply = 4,
  kHeartbeat = 5,
  kHeartbeatReply = 6,
  kReadIndexRequest = 7,
  kReadIndexReply = 8,
  kTransfer = 9,
  kSnapshotOffer = 10,
  kSnapshotChunk = 11,
  kSnapshotReply = 12,
  kForward = 13,
  kForwardReply = 14,
};

// By type: the kind of frame, the flags that there are, and how many numbers of 64 bits follow the
// message's header. A forward reply has its numbers elsewhere.
struct Row {
  std::uint16_t kind;
  std::uint8_t flags_most;
  std::size_t numbers;
};
inline constexpr Row kRows[15] = {
    {0, 0, 0},      {kVotes, 3, 3},   {kVotes, 3, 0}, {kAppends, 0, 3}, {kBeats, 1, 4},
    {kBeats, 0, 2}, {kBeats, 0, 2},   {kBeats, 0, 1}, {kBeats, 1, 2},   {kVotes, 0, 0},
    {kVotes, 0, 3}, {kAppends, 0, 2}, {kVotes, 2, 2}, {kAppends, 1, 3}, {kBeats, 0, 0}};

struct Message {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t partition = 0;
  std::uint64_t term = 0;
  std::uint64_t stamp = 0;
  // The numbers of 64 bits of its row in the page, in order. Of a forward reply: number, index,
  // term.
  std::array<std::uint64_t, 4> numbers{};
  // Of a forward: the kind of entry. Of a forward reply: error, leader, count.
  std::array<std::uint32_t, 3> words{};
  Ticket ticket;               // of a forward reply
  std::vector<Entry> entries;  // of an append
  std::string bytes;           // SHA-256 of an offer, bytes of a chunk, body of a forward
  friend bool operator==(const Message&, const Message&) = default;
};

inline void PutTicket(std::string& out, const Ticket& ticket) {
  Put(out, ticket.milliseconds, 8);
  Put(out, ticket.counter, 4);
  Put(out, ticket.node, 4);
}

inline Ticket GetTicket(Reader& reader) {
  Ticket ticket;
  ticket.milliseconds = reader.Get64();
  ticket.counter = reader.Get32();
  ticket.node = reader.Get32();
  return ticket;
}

inline void PutEntries(std::string& out, const std::vector<Entry>& entries) {
  std::size_t bodies = 0;
  for (const Entry& entry : entries) bodies += entry.body.size();
  Put(out, entries.size(), 4);
  Put(out, bodies, 4);
  for (const Entry& entry : entries) {
    Put(out, entry.term, 8);
    Put(out, entry.index, 8);
    PutTicket(out, entry.ticket);
    Put(out, entry.kind, 4);  // one byte, and three that are zero
    Put(out, entry.body.size(), 4);
  }
  for (const Entry& entry : entries) out += entry.body;
}

inline bool GetEntries(Reader& reader, std::vector<Entry>& entries) {
  const std::uint32_t count = reader.Get32();
  std::uint64_t bodies = reader.Get32();
  std::vector<std::uint32_t> sizes;
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    Entry entry;
    entry.term = reader.Get64();
    entry.index = reader.Get64();
    entry.ticket = GetTicket(reader);
    const std::uint32_t kind = reader.Get32();
    sizes.push_back(reader.Get32());
    if (kind > 8) return false;
    entry.kind = static_cast<std::uint8_t>(kind);
    entries.push_back(entry);
  }
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    entries[i].body = reader.Take(sizes[i]);
    bodies -= sizes[i];
  }
  return reader.ok() && bodies == 0;
}

inline void PutMessage(std::string& out, const Message& m) {
  Put(out, m.type, 1);
  Put(out, m.flags, 1);
  Put(out, 0, 2);
  Put(out, m.partition, 4);
  Put(out, m.term, 8);
  Put(out, m.stamp, 8);
  for (std::size_t i = 0; i < kRows[m.type].numbers; ++i) Put(out, m.numbers[i], 8);
  if (m.type == kAppend) PutEntries(out, m.entries);
  if (m.type == kSnapshotOffer) out += m.bytes;
  if (m.type == kForward) Put(out, m.words[0], 4);
  if (m.type == kSnapshotChunk || m.type == kForward) {
    Put(out, m.bytes.size(), 4);
    out += m.bytes;
  }
  if (m.type == kForwardReply) {
    Put(out, m.numbers[0], 8);
    Put(out, m.words[0], 4);
    Put(out, m.words[1], 4);
    PutTicket(out, m.ticket);
    Put(out, m.numbers[1], 8);
    Put(out, m.numbers[2], 8);
    Put(out, m.words[2], 4);
    Put(out, 0, 4);
  }
}

inline bool GetMessage(Reader& reader, Message& m) {
  m.type = reader.Get8();
  m.flags = reader.Get8();
  const std::uint16_t zero = reader.Get16();
  m.partition = reader.Get32();
  m.term = reader.Get64();
  m.stamp = reader.Get64();
  if (m.type == 0 || m.type > kForwardReply) return false;
  if (zero != 0 || m.flags > kRows[m.type].flags_most) return false;
  for (std::size_t i = 0; i < kRows[m.type].numbers; ++i) m.numbers[i] = reader.Get64();
  if (m.type == kAppend && !GetEntries(reader, m.entries)) return false;
  if (m.type == kSnapshotOffer) m.bytes = reader.Take(32);
  if (m.type == kForward) m.words[0] = reader.Get32();
  if (m.type == kSnapshotChunk || m.type == kForward) m.bytes = reader.Take(reader.Get32());
  if (m.type == kForwardReply) {
    m.numbers[0] = reader.Get64();
    m.words[0] = reader.Get32();
    m.words[1] = reader.Get32();
    m.ticket = GetTicket(reader);
    m.numbers[1] = reader.Get64();
    m.numbers[2] = reader.Get64();
    m.words[2] = reader.Get32();
    if (reader.Get32() != 0) return false;
  }
  return reader.ok();
}

// The kind of the frame that these messages make together.
inline std::uint16_t KindOf(const std::vector<Message>& messages) {
  std::uint16_t kind = kVotes;
  for (const Message& message : messages) {
    if (kRows[message.type].kind > kind) kind = kRows[message.type].kind;
  }
  return kind;
}

struct Batch {
  std::uint32_t sender = 0;
  std::uint32_t receiver = 0;
  std::vector<Message> messages;
  friend bool operator==(const Batch&, const Batch&) = default;
};

inline std::string Encode(const Batch& batch) {
  std::string out;
  Put(out, batch.sender, 4);
  Put(out, batch.receiver, 4);
  Put(out, batch.messages.size(), 4);
  for (const Message& message : batch.messages) PutMessage(out, message);
  return out;
}

inline bool Decode(std::string_view payload, Batch& batch) {
  Reader reader(payload);
  batch.sender = reader.Get32();
  batch.receiver = reader.Get32();
  const std::uint32_t count = reader.Get32();
  batch.messages.clear();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    batch.messages.emplace_back();
    if (!GetMessage(reader, batch.messages.back())) return false;
  }
  return reader.AtEnd() && count != 0;
}

}  // namespace frozen_v1
