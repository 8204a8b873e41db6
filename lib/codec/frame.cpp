// The header of a frame, written and judged.
#include "codec/frame.hpp"

#include "codec/crc32c.hpp"
#include "codec/little_endian.hpp"

namespace kommander::codec {
namespace {

constexpr std::uint32_t kMagic = 0x52444d4b;  // "KMDR"
constexpr std::size_t kCheckedBytes = kFrameHeaderBytes - 4;

}  // namespace

std::size_t PayloadBytesMax(FrameKind kind) noexcept {
  switch (kind) {
    case FrameKind::kHello:
    case FrameKind::kHelloAck:
    case FrameKind::kReject: return kHandshakeBytesMax;
    case FrameKind::kPing:
    case FrameKind::kPong: return 0;
    case FrameKind::kVotes: return kVotesBytesMax;
    case FrameKind::kBeats: return kBeatsBytesMax;
    case FrameKind::kAppends: return kAppendsBytesMax;
  }
  return kUnknownBytesMax;
}

bool IsKnown(FrameKind kind) noexcept {
  return kind >= FrameKind::kHello && kind <= FrameKind::kAppends;
}

bool CarriesMessages(FrameKind kind) noexcept {
  return kind >= FrameKind::kVotes && kind <= FrameKind::kAppends;
}

void EncodeFrameHeader(const FrameHeader& header,
                       std::span<std::byte, kFrameHeaderBytes> out) noexcept {
  ByteWriter writer(out.data());
  writer.Put(kMagic);
  writer.Put(kFrameVersion);
  writer.Put(static_cast<std::uint16_t>(header.kind));
  writer.Put(header.flags);
  writer.Put(static_cast<std::uint16_t>(kFrameHeaderBytes));
  writer.Put(header.payload_bytes);
  writer.Put(header.sequence);
  writer.Put(header.payload_crc);
  writer.Put(Crc32c(ByteSpan(out).first(kCheckedBytes)));
}

FrameError DecodeFrameHeader(std::span<const std::byte, kFrameHeaderBytes> bytes,
                             FrameHeader& header) noexcept {
  ByteReader reader(bytes);
  const auto magic = reader.Get<std::uint32_t>();
  const auto version = reader.Get<std::uint16_t>();
  header.kind = static_cast<FrameKind>(reader.Get<std::uint16_t>());
  header.flags = reader.Get<std::uint16_t>();
  const auto header_bytes = reader.Get<std::uint16_t>();
  header.payload_bytes = reader.Get<std::uint32_t>();
  header.sequence = reader.Get<std::uint64_t>();
  header.payload_crc = reader.Get<std::uint32_t>();
  const auto header_crc = reader.Get<std::uint32_t>();
  // Nothing is believed before the checksum: a damaged length must not be called an oversize one.
  if (magic != kMagic || header_crc != Crc32c(ByteSpan(bytes).first(kCheckedBytes))) {
    return FrameError::kCorrupt;
  }
  if (version != kFrameVersion || header_bytes != kFrameHeaderBytes) return FrameError::kCorrupt;
  const bool optional = header.flags == kFrameFlagOptional;
  if (header.flags != 0 && !optional) return FrameError::kCorrupt;
  // A known kind is never optional, so that there is one way to write each frame.
  if (IsKnown(header.kind) == optional) return FrameError::kCorrupt;
  if (header.payload_bytes > PayloadBytesMax(header.kind)) return FrameError::kOversize;
  return FrameError::kNone;
}

}  // namespace kommander::codec
