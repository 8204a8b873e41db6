// The frame: what everything on a connection between two nodes is wrapped in. A fixed header with
// a checksum of its own, so a length is only believed after it was checked, and a cap per kind that
// is a constant of the protocol, so it is never allocated before it was judged. Bytes:
// docs/protocol.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <kommander/payload.hpp>

namespace kommander::codec {

// Numbers are on the wire: never reuse one.
enum class FrameKind : std::uint16_t {
  kHello = 1,     // dialler to acceptor, the first frame
  kHelloAck = 2,  // acceptor to dialler, the first frame; messages may flow
  kReject = 3,    // instead of kHelloAck, or later; the connection ends
  kPing = 4,      // dialler to acceptor
  kPong = 5,      // acceptor to dialler
  kVotes = 6,     // votes, their replies, transfers
  kBeats = 7,     // heartbeats, acknowledgements, read index, all partitions in one frame
  kAppends = 8,   // entries
};

inline constexpr std::size_t kFrameHeaderBytes = 32;
inline constexpr std::uint16_t kFrameVersion = 1;
// An unknown kind with this flag is skipped; without it the connection ends.
inline constexpr std::uint16_t kFrameFlagOptional = 1;

inline constexpr std::size_t kHandshakeBytesMax = 4u << 10;  // of any frame before the handshake
inline constexpr std::size_t kVotesBytesMax = 4u << 10;
inline constexpr std::size_t kBeatsBytesMax = 1u << 20;
inline constexpr std::size_t kAppendsBytesMax = 16u << 20;
inline constexpr std::size_t kUnknownBytesMax = 4u << 10;

// The cap of a payload; for a kind that this version does not know kUnknownBytesMax.
[[nodiscard]] std::size_t PayloadBytesMax(FrameKind kind) noexcept;
[[nodiscard]] bool IsKnown(FrameKind kind) noexcept;
// kVotes, kBeats or kAppends.
[[nodiscard]] bool CarriesMessages(FrameKind kind) noexcept;

// Why a frame, and with it its connection, is refused.
enum class FrameError : std::uint8_t {
  kNone,
  kTruncated,   // the connection ended inside a frame
  kOversize,    // a length above the cap of its kind
  kCorrupt,     // magic, version, checksum or contents
  kOutOfOrder,  // a gap or a repeat, or a kind that the state of the connection does not allow
  kForeign,     // a message with another sender or receiver
};

struct FrameHeader {
  FrameKind kind = FrameKind::kPing;
  std::uint16_t flags = 0;
  std::uint32_t payload_bytes = 0;
  std::uint64_t sequence = 0;  // of this connection and direction, from 0
  std::uint32_t payload_crc = 0;
  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

void EncodeFrameHeader(const FrameHeader& header,
                       std::span<std::byte, kFrameHeaderBytes> out) noexcept;
// kNone, kCorrupt or kOversize.
[[nodiscard]] FrameError DecodeFrameHeader(std::span<const std::byte, kFrameHeaderBytes> bytes,
                                           FrameHeader& header) noexcept;

}  // namespace kommander::codec
