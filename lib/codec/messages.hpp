// Messages as frames and back. Many messages of one sender and one receiver share a frame; what is
// small is copied into it, entry bodies that are not are referenced where they lie. Decoding is
// total: whatever arrives, it ends, throws nothing and allocates no more than its input justifies.
// Bytes: docs/protocol.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <kommander/messages.hpp>
#include <kommander/payload.hpp>
#include <kommander/transport.hpp>

#include "codec/frame.hpp"
#include "codec/frame_reader.hpp"

namespace kommander::codec {

// Of the protocol, as the handshake has not chosen one yet: no message can be said or understood.
inline constexpr std::uint16_t kNoVersion = 0;

inline constexpr std::size_t kBatchHeaderBytes = 12;    // sender, receiver, count
inline constexpr std::size_t kMessageHeaderBytes = 24;  // type, flags, partition, term, stamp
inline constexpr std::size_t kEntryHeaderBytes = kEntryOverheadBytes;
// A shorter body costs less to copy than to carry as a buffer of its own through sendmsg.
inline constexpr std::size_t kReferencedBodyBytesMin = 2u << 10;
// A frame with entries takes no more when it has grown to this: the receiver can begin, and a large
// message has a receive buffer for itself, which its entries can then keep. A larger frame with
// more than one message is refused.
inline constexpr std::size_t kAppendsBytesSoft = 64u << 10;

// The kind of frame that a message needs at least.
[[nodiscard]] FrameKind KindOf(const MessageBody& body) noexcept;
// What the message takes inside a frame.
[[nodiscard]] std::size_t EncodedBytes(const Message& message) noexcept;

// Turns messages into frames, as a list of buffers to be gathered by one write. Keeps its memory
// from batch to batch. Owned by one connection.
class FrameEncoder {
 public:
  explicit FrameEncoder(std::uint16_t version = kProtocolVersionMax) noexcept : version_(version) {}
  // The version of the messages to come, which the handshake has chosen.
  void Speak(std::uint16_t version) noexcept { version_ = version; }

  // Forgets the batch; the numbering of frames goes on.
  void Clear() noexcept;
  // The message must stay where it is, unchanged, until Clear. False: it exceeds the cap of its
  // kind, or the version that is spoken does not have it, and nothing was added.
  [[nodiscard]] bool Add(const Message& message);
  // A frame of its own, copied. For everything that is not a message.
  void AddControl(FrameKind kind, ByteSpan payload);
  // Completes the last frame. What parts() returns is valid until the next call of Add or Clear.
  void Finish();

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::span<const ByteSpan> parts() const noexcept { return parts_; }
  [[nodiscard]] std::uint64_t next_sequence() const noexcept { return sequence_; }

 private:
  // Either bytes of the scratch memory, which may move, or bytes of a message.
  struct Part {
    const std::byte* outside = nullptr;
    std::size_t offset = 0;
    std::size_t size = 0;
  };
  [[nodiscard]] std::byte* Extend(std::size_t count);
  void Reference(ByteSpan bytes);
  [[nodiscard]] ByteSpan Resolve(const Part& part) const noexcept;
  void OpenFrame(const Message& message);
  void CloseFrame() noexcept;
  void PutAppend(const AppendRequest& append);
  void PutBody(const Payload& body);

  std::uint16_t version_;
  std::unique_ptr<std::byte[]> scratch_;
  std::size_t scratch_capacity_ = 0;
  std::size_t scratch_size_ = 0;
  std::vector<Part> pieces_;
  std::vector<ByteSpan> parts_;
  std::size_t bytes_ = 0;
  std::uint64_t sequence_ = 0;

  bool open_ = false;
  FrameKind kind_ = FrameKind::kVotes;  // of the open frame, as are the following
  NodeId from_;
  NodeId to_;
  std::uint32_t count_ = 0;
  std::size_t frame_piece_ = 0;
  std::size_t frame_offset_ = 0;  // of its header in the scratch memory
  std::size_t frame_bytes_ = 0;   // before its header: bytes_
};

// Who speaks on a connection, and how, as its handshake established.
struct Route {
  NodeId from;
  NodeId to;
  std::uint16_t version = kProtocolVersionMax;
};

// Appends the messages of one frame to `messages`. kNone, kCorrupt or kForeign; `messages` is as it
// was unless kNone. What is accepted encodes to the same bytes again.
//
// Entry bodies share `buffer` when those of one message fill at least half of it; otherwise they
// are copied, together, into memory of their own. So keeping an entry never keeps more than twice
// what its message brought.
[[nodiscard]] FrameError DecodeMessages(FrameKind kind, ByteSpan payload, Route route,
                                        ReceiveBuffer& buffer, std::vector<Message>& messages);

}  // namespace kommander::codec
