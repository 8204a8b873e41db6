// The encoder. Its memory is one growing block for everything small and a list of pieces, so a
// burst of a thousand heartbeats is one block, one checksum and one buffer of the write.
#include "codec/messages.hpp"

#include <algorithm>
#include <cstring>
#include <variant>

#include "codec/crc32c.hpp"
#include "codec/little_endian.hpp"
#include "codec/message_format.hpp"

namespace kommander::codec {
namespace {

// The variant's alternatives stand in the order of the types, which begin at 1.
static_assert(std::variant_size_v<MessageBody> == kMessageTypeMax);
MessageType TypeOf(const MessageBody& body) noexcept {
  return static_cast<MessageType>(body.index() + 1);
}

std::size_t BodiesBytes(const AppendRequest& append) noexcept {
  std::size_t bytes = 0;
  for (const auto& entry : append.entries) bytes += entry.body.size();
  return bytes;
}

std::uint8_t Flag(bool set, std::uint8_t flag) noexcept { return set ? flag : std::uint8_t{0}; }

struct FlagsOf {
  std::uint8_t operator()(const VoteRequest& m) const noexcept {
    return Flag(m.pre_vote, kFlagPreVote) | Flag(m.transfer, kFlagTransfer);
  }
  std::uint8_t operator()(const VoteReply& m) const noexcept {
    return Flag(m.pre_vote, kFlagPreVote) | Flag(m.granted, kFlagGranted);
  }
  std::uint8_t operator()(const AppendReply& m) const noexcept {
    return Flag(m.accepted, kFlagAccepted);
  }
  std::uint8_t operator()(const ReadIndexReply& m) const noexcept {
    return Flag(m.confirmed, kFlagConfirmed);
  }
  std::uint8_t operator()(const ForwardRequest& m) const noexcept {
    return Flag(m.await_apply, kFlagAwaitApply);
  }
  std::uint8_t operator()(const SnapshotReply& m) const noexcept {
    return static_cast<std::uint8_t>(m.state);
  }
  template <class Other>
  std::uint8_t operator()(const Other&) const noexcept {
    return 0;
  }
};

// Writes the fixed part after a message's header.
struct PutFixed {
  ByteWriter& writer;
  void operator()(const VoteRequest& m) const noexcept {
    writer.Put(m.last_index.value());
    writer.Put(m.last_term.value());
    writer.Put(m.admits.value());
  }
  void operator()(const VoteReply&) const noexcept {}
  void operator()(const AppendRequest& m) const noexcept {
    writer.Put(m.previous_index.value());
    writer.Put(m.previous_term.value());
    writer.Put(m.commit.value());
    writer.Put(static_cast<std::uint32_t>(m.entries.size()));
    writer.Put(static_cast<std::uint32_t>(BodiesBytes(m)));
  }
  void operator()(const AppendReply& m) const noexcept {
    writer.Put(m.matched.value());
    writer.Put(m.rejected.value());
    writer.Put(m.hint_index.value());
    writer.Put(m.hint_term.value());
  }
  void operator()(const Heartbeat& m) const noexcept {
    writer.Put(m.commit.value());
    writer.Put(m.round);
  }
  void operator()(const HeartbeatReply& m) const noexcept {
    writer.Put(m.round);
    writer.Put(m.durable.value());
  }
  void operator()(const ReadIndexRequest& m) const noexcept { writer.Put(m.request); }
  void operator()(const ReadIndexReply& m) const noexcept {
    writer.Put(m.request);
    writer.Put(m.index.value());
  }
  void operator()(const TransferRequest&) const noexcept {}
  void operator()(const SnapshotOffer& m) const noexcept {
    writer.Put(m.info.index.value());
    writer.Put(m.info.term.value());
    writer.Put(m.info.bytes);
    writer.PutBytes(m.info.sha256);
  }
  void operator()(const SnapshotChunk& m) const noexcept {
    writer.Put(m.index.value());
    writer.Put(m.offset);
    writer.Put(static_cast<std::uint32_t>(m.bytes.size()));
  }
  void operator()(const SnapshotReply& m) const noexcept {
    writer.Put(m.index.value());
    writer.Put(m.received);
  }
  void operator()(const ForwardRequest& m) const noexcept {
    writer.Put(m.number);
    writer.Put(m.patience_ms);
    writer.Put(m.expected_generation.value());
    writer.Put(static_cast<std::uint32_t>(m.kind));
    writer.Put(static_cast<std::uint32_t>(m.body.size()));
  }
  void operator()(const ForwardReply& m) const noexcept {
    writer.Put(m.number);
    writer.Put(m.error);
    writer.Put(m.leader.value());
    writer.Put(m.ticket.physical_ms());
    writer.Put(m.ticket.counter());
    writer.Put(m.ticket.node().value());
    writer.Put(m.index.value());
    writer.Put(m.term.value());
    writer.Put(m.count);
    writer.Put(std::uint32_t{0});
  }
};

}  // namespace

FrameKind KindOf(const MessageBody& body) noexcept {
  return kKindOfType[static_cast<std::size_t>(TypeOf(body))];
}

std::size_t EncodedBytes(const Message& message) noexcept {
  std::size_t bytes =
      kMessageHeaderBytes + kFixedBytes[static_cast<std::size_t>(TypeOf(message.body))];
  if (const auto* append = std::get_if<AppendRequest>(&message.body)) {
    bytes += append->entries.size() * kEntryHeaderBytes + BodiesBytes(*append);
  }
  if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body)) bytes += chunk->bytes.size();
  if (const auto* forward = std::get_if<ForwardRequest>(&message.body)) {
    bytes += forward->body.size();
  }
  return bytes;
}

void FrameEncoder::Clear() noexcept {
  scratch_size_ = 0;
  pieces_.clear();
  parts_.clear();
  bytes_ = 0;
  open_ = false;
}

std::byte* FrameEncoder::Extend(std::size_t count) {
  if (scratch_capacity_ - scratch_size_ < count) {
    const std::size_t capacity = std::max(scratch_capacity_ * 2, scratch_size_ + count + 1024);
    auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity);
    if (scratch_size_ != 0) std::memcpy(larger.get(), scratch_.get(), scratch_size_);
    scratch_ = std::move(larger);
    scratch_capacity_ = capacity;
  }
  if (pieces_.empty() || pieces_.back().outside != nullptr) {
    pieces_.push_back({nullptr, scratch_size_, 0});
  }
  pieces_.back().size += count;
  std::byte* out = scratch_.get() + scratch_size_;
  scratch_size_ += count;
  bytes_ += count;
  return out;
}

void FrameEncoder::Reference(ByteSpan bytes) {
  pieces_.push_back({bytes.data(), 0, bytes.size()});
  bytes_ += bytes.size();
}

ByteSpan FrameEncoder::Resolve(const Part& part) const noexcept {
  return {part.outside != nullptr ? part.outside : scratch_.get() + part.offset, part.size};
}

void FrameEncoder::OpenFrame(const Message& message) {
  open_ = true;
  kind_ = KindOf(message.body);
  from_ = message.from;
  to_ = message.to;
  count_ = 0;
  // A frame may begin in the middle of a piece: remember the piece, and how far it had grown.
  frame_bytes_ = bytes_;
  frame_offset_ = scratch_size_;
  (void)Extend(kFrameHeaderBytes + kBatchHeaderBytes);
  frame_piece_ = pieces_.size() - 1;
}

void FrameEncoder::CloseFrame() noexcept {
  if (!open_) return;
  open_ = false;
  std::byte* header = scratch_.get() + frame_offset_;
  ByteWriter writer(header + kFrameHeaderBytes);
  writer.Put(from_.value());
  writer.Put(to_.value());
  writer.Put(count_);
  // The first piece may have begun before this frame, but it ends inside it.
  const Part& first = pieces_[frame_piece_];
  const std::size_t skipped = frame_offset_ + kFrameHeaderBytes - first.offset;
  std::uint32_t crc = Crc32c(Resolve(first).subspan(skipped));
  for (std::size_t i = frame_piece_ + 1; i < pieces_.size(); ++i) {
    crc = ExtendCrc32c(crc, Resolve(pieces_[i]));
  }
  FrameHeader fields;
  fields.kind = kind_;
  fields.payload_bytes = static_cast<std::uint32_t>(bytes_ - frame_bytes_ - kFrameHeaderBytes);
  fields.sequence = sequence_++;
  fields.payload_crc = crc;
  EncodeFrameHeader(fields, std::span<std::byte, kFrameHeaderBytes>(header, kFrameHeaderBytes));
}

void FrameEncoder::PutAppend(const AppendRequest& append) {
  ByteWriter writer(Extend(append.entries.size() * kEntryHeaderBytes));
  for (const auto& entry : append.entries) {
    writer.Put(entry.term.value());
    writer.Put(entry.index.value());
    writer.Put(entry.ticket.physical_ms());
    writer.Put(entry.ticket.counter());
    writer.Put(entry.ticket.node().value());
    writer.Put(static_cast<std::uint32_t>(entry.kind));  // one byte, and three that are zero
    writer.Put(static_cast<std::uint32_t>(entry.body.size()));
  }
  for (const auto& entry : append.entries) PutBody(entry.body);
}

void FrameEncoder::PutBody(const Payload& body) {
  if (body.size() >= kReferencedBodyBytesMin) {
    Reference(body.bytes());
  } else if (!body.empty()) {
    std::memcpy(Extend(body.size()), body.data(), body.size());
  }
}

bool FrameEncoder::Add(const Message& message) {
  const FrameKind kind = KindOf(message.body);
  const std::size_t size = EncodedBytes(message);
  const auto type = TypeOf(message.body);
  if (static_cast<std::uint8_t>(type) > LastTypeOf(version_)) return false;
  if (kBatchHeaderBytes + size > PayloadBytesMax(kind)) return false;
  if (open_) {
    const FrameKind merged = std::max(kind, kind_);
    const std::size_t payload = bytes_ - frame_bytes_ - kFrameHeaderBytes;
    const std::size_t limit =
        merged == FrameKind::kAppends ? kAppendsBytesSoft : PayloadBytesMax(merged);
    if (message.from != from_ || message.to != to_ || payload + size > limit) {
      CloseFrame();
    } else {
      kind_ = merged;
    }
  }
  if (!open_) OpenFrame(message);
  ++count_;
  ByteWriter writer(Extend(kMessageHeaderBytes + kFixedBytes[static_cast<std::size_t>(type)]));
  writer.Put(static_cast<std::uint8_t>(type));
  writer.Put(std::visit(FlagsOf{}, message.body));
  writer.Put(std::uint16_t{0});
  writer.Put(message.partition.value());
  writer.Put(message.term.value());
  writer.Put(message.stamp.word());
  std::visit(PutFixed{writer}, message.body);
  if (const auto* append = std::get_if<AppendRequest>(&message.body)) PutAppend(*append);
  if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body)) PutBody(chunk->bytes);
  if (const auto* forward = std::get_if<ForwardRequest>(&message.body)) PutBody(forward->body);
  return true;
}

void FrameEncoder::AddControl(FrameKind kind, ByteSpan payload) {
  CloseFrame();
  std::byte* out = Extend(kFrameHeaderBytes + payload.size());
  FrameHeader header;
  header.kind = kind;
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  header.sequence = sequence_++;
  header.payload_crc = Crc32c(payload);
  EncodeFrameHeader(header, std::span<std::byte, kFrameHeaderBytes>(out, kFrameHeaderBytes));
  if (!payload.empty()) std::memcpy(out + kFrameHeaderBytes, payload.data(), payload.size());
}

void FrameEncoder::Finish() {
  CloseFrame();
  parts_.clear();
  for (const auto& piece : pieces_) parts_.push_back(Resolve(piece));
}

}  // namespace kommander::codec
