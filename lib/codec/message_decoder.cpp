// The decoder: reads what anybody may have sent. It believes no number before it was held against
// the bytes that are there, and accepts one spelling of each message only.
#include <algorithm>
#include <cstring>

#include "codec/little_endian.hpp"
#include "codec/message_format.hpp"
#include "codec/messages.hpp"

namespace kommander::codec {
namespace {

LogIndex GetIndex(ByteReader& reader) noexcept { return LogIndex(reader.Get<std::uint64_t>()); }
Term GetTerm(ByteReader& reader) noexcept { return Term(reader.Get<std::uint64_t>()); }

EntryKind GetKind(ByteReader& reader) noexcept {
  const auto kind = reader.Get<std::uint32_t>();
  if (kind > static_cast<std::uint32_t>(kEntryKindLast)) reader.Fail();
  return static_cast<EntryKind>(kind & 0xff);
}

Ticket GetTicket(ByteReader& reader) noexcept {
  const auto physical = reader.Get<std::uint64_t>();
  const auto counter = reader.Get<std::uint32_t>();
  const Ticket ticket(physical, counter, NodeId(reader.Get<std::uint32_t>()));
  if (!ticket.FitsWord()) reader.Fail();
  return ticket;
}

// One entry without its body, whose length is returned.
std::uint32_t GetEntryHeader(ByteReader& reader, Entry& entry) noexcept {
  entry.term = GetTerm(reader);
  entry.index = GetIndex(reader);
  entry.ticket = GetTicket(reader);
  entry.kind = GetKind(reader);
  return reader.Get<std::uint32_t>();
}

// All bodies of one message, as bytes that may be kept.
Payload Keep(ByteSpan bodies, ReceiveBuffer& buffer) {
  if (bodies.size() < buffer.bytes / 2) return Payload(bodies);
  buffer.shared = true;
  return Payload(std::shared_ptr<const void>(buffer.owner), bodies);
}

bool GetAppend(ByteReader& reader, ReceiveBuffer& buffer, AppendRequest& append) {
  append.previous_index = GetIndex(reader);
  append.previous_term = GetTerm(reader);
  append.commit = GetIndex(reader);
  const auto count = reader.Get<std::uint32_t>();
  const auto bodies_bytes = reader.Get<std::uint32_t>();
  if (!reader.ok() || count > reader.remaining() / kEntryHeaderBytes) return false;
  ByteReader headers(reader.GetBytes(count * kEntryHeaderBytes));
  const ByteSpan bodies = reader.GetBytes(bodies_bytes);
  if (!reader.ok()) return false;

  append.entries.resize(count);
  Payload kept;
  if (!bodies.empty()) kept = Keep(bodies, buffer);
  std::size_t offset = 0;
  for (auto& entry : append.entries) {
    const std::size_t size = GetEntryHeader(headers, entry);
    if (!headers.ok() || size > bodies.size() - offset) return false;
    if (size != 0) entry.body = kept.Slice(offset, size);
    offset += size;
  }
  return offset == bodies.size();
}

bool GetSnapshotBody(MessageType type, std::uint8_t flags, ByteReader& reader,
                     ReceiveBuffer& buffer, MessageBody& body) {
  if (type == MessageType::kSnapshotOffer) {
    auto& info = body.emplace<SnapshotOffer>().info;
    info.index = GetIndex(reader);
    info.term = GetTerm(reader);
    info.bytes = reader.Get<std::uint64_t>();
    const ByteSpan checksum = reader.GetBytes(info.sha256.size());
    std::copy(checksum.begin(), checksum.end(), info.sha256.begin());
  } else if (type == MessageType::kSnapshotChunk) {
    auto& m = body.emplace<SnapshotChunk>();
    m.index = GetIndex(reader);
    m.offset = reader.Get<std::uint64_t>();
    const ByteSpan bytes = reader.GetBytes(reader.Get<std::uint32_t>());
    if (!bytes.empty()) m.bytes = Keep(bytes, buffer);
  } else {
    if (flags > kSnapshotStateMax) return false;
    auto& m = body.emplace<SnapshotReply>();
    m.index = GetIndex(reader);
    m.received = reader.Get<std::uint64_t>();
    m.state = static_cast<SnapshotReply::State>(flags);
  }
  return reader.ok();
}

bool GetForward(std::uint8_t flags, ByteReader& reader, ReceiveBuffer& buffer,
                ForwardRequest& request) {
  request.number = reader.Get<std::uint64_t>();
  request.patience_ms = reader.Get<std::uint64_t>();
  request.expected_generation = Generation(reader.Get<std::uint64_t>());
  request.kind = GetKind(reader);
  request.await_apply = (flags & kFlagAwaitApply) != 0;
  const ByteSpan body = reader.GetBytes(reader.Get<std::uint32_t>());
  if (!body.empty()) request.body = Keep(body, buffer);
  return reader.ok();
}

bool GetForwardReply(ByteReader& reader, ForwardReply& reply) noexcept {
  reply.number = reader.Get<std::uint64_t>();
  reply.error = reader.Get<std::uint32_t>();
  reply.leader = NodeId(reader.Get<std::uint32_t>());
  reply.ticket = GetTicket(reader);
  reply.index = GetIndex(reader);
  reply.term = GetTerm(reader);
  reply.count = reader.Get<std::uint32_t>();
  if (reader.Get<std::uint32_t>() != 0) reader.Fail();
  return reader.ok();
}

bool GetBody(MessageType type, std::uint8_t flags, ByteReader& reader, ReceiveBuffer& buffer,
             MessageBody& body) {
  switch (type) {
    case MessageType::kVoteRequest: {
      auto& m = body.emplace<VoteRequest>();
      m.last_index = GetIndex(reader);
      m.last_term = GetTerm(reader);
      m.admits = Incarnation(reader.Get<std::uint64_t>());
      m.pre_vote = (flags & kFlagPreVote) != 0;
      m.transfer = (flags & kFlagTransfer) != 0;
      break;
    }
    case MessageType::kVoteReply: {
      auto& m = body.emplace<VoteReply>();
      m.pre_vote = (flags & kFlagPreVote) != 0;
      m.granted = (flags & kFlagGranted) != 0;
      break;
    }
    case MessageType::kAppendRequest:
      return GetAppend(reader, buffer, body.emplace<AppendRequest>());
    case MessageType::kAppendReply: {
      auto& m = body.emplace<AppendReply>();
      m.accepted = (flags & kFlagAccepted) != 0;
      m.matched = GetIndex(reader);
      m.rejected = GetIndex(reader);
      m.hint_index = GetIndex(reader);
      m.hint_term = GetTerm(reader);
      break;
    }
    case MessageType::kHeartbeat: {
      auto& m = body.emplace<Heartbeat>();
      m.commit = GetIndex(reader);
      m.round = reader.Get<std::uint64_t>();
      break;
    }
    case MessageType::kHeartbeatReply: {
      auto& m = body.emplace<HeartbeatReply>();
      m.round = reader.Get<std::uint64_t>();
      m.durable = GetIndex(reader);
      break;
    }
    case MessageType::kReadIndexRequest:
      body.emplace<ReadIndexRequest>().request = reader.Get<std::uint64_t>();
      break;
    case MessageType::kReadIndexReply: {
      auto& m = body.emplace<ReadIndexReply>();
      m.confirmed = (flags & kFlagConfirmed) != 0;
      m.request = reader.Get<std::uint64_t>();
      m.index = GetIndex(reader);
      break;
    }
    case MessageType::kTransferRequest: body.emplace<TransferRequest>(); break;
    case MessageType::kSnapshotOffer:
    case MessageType::kSnapshotChunk:
    case MessageType::kSnapshotReply: return GetSnapshotBody(type, flags, reader, buffer, body);
    case MessageType::kForwardRequest:
      return GetForward(flags, reader, buffer, body.emplace<ForwardRequest>());
    case MessageType::kForwardReply: return GetForwardReply(reader, body.emplace<ForwardReply>());
  }
  return reader.ok();
}

// `kind` is raised to what the message needs.
bool GetMessage(std::uint8_t last_type, ByteReader& reader, ReceiveBuffer& buffer, FrameKind& kind,
                Message& message) {
  const auto type = reader.Get<std::uint8_t>();
  const auto flags = reader.Get<std::uint8_t>();
  const auto reserved = reader.Get<std::uint16_t>();
  message.partition = PartitionId(reader.Get<std::uint32_t>());
  message.term = GetTerm(reader);
  message.stamp = HlcTimestamp::FromWord(reader.Get<std::uint64_t>(), message.from);
  if (!reader.ok() || type == 0 || type > last_type) return false;
  if (reserved != 0 || (flags & ~kFlagMask[type]) != 0) return false;
  kind = std::max(kind, kKindOfType[type]);
  return GetBody(static_cast<MessageType>(type), flags, reader, buffer, message.body);
}

}  // namespace

FrameError DecodeMessages(FrameKind kind, ByteSpan payload, Route route, ReceiveBuffer& buffer,
                          std::vector<Message>& messages) {
  ByteReader reader(payload);
  const NodeId from(reader.Get<std::uint32_t>());
  const NodeId to(reader.Get<std::uint32_t>());
  const auto count = reader.Get<std::uint32_t>();
  if (!reader.ok() || count == 0 || count > reader.remaining() / kMessageHeaderBytes) {
    return FrameError::kCorrupt;
  }
  if (from != route.from || to != route.to) return FrameError::kForeign;
  // In memory a small message takes several times what it takes here: many fill small frames only.
  if (kind == FrameKind::kAppends && payload.size() > kAppendsBytesSoft && count != 1) {
    return FrameError::kCorrupt;
  }
  const std::size_t before = messages.size();
  messages.reserve(before + count);
  FrameKind needed = FrameKind::kVotes;
  bool good = true;
  for (std::uint32_t i = 0; good && i < count; ++i) {
    Message& message = messages.emplace_back();
    message.from = from;
    message.to = to;
    good = GetMessage(LastTypeOf(route.version), reader, buffer, needed, message);
  }
  // A frame is of the smallest kind that may hold it, so that each batch has one spelling.
  if (good && reader.AtEnd() && needed == kind) return FrameError::kNone;
  messages.resize(before);
  return FrameError::kCorrupt;
}

}  // namespace kommander::codec
