// Frame headers: what is accepted has one spelling and a length below its cap; a header with one
// damaged bit is refused.
#include <array>
#include <cstring>

#include "choices.hpp"
#include "codec/frame.hpp"
#include "target.hpp"

namespace kommander::fuzz {
namespace {

using codec::FrameError;
using codec::FrameHeader;
using codec::kFrameHeaderBytes;
using Bytes = std::array<std::byte, kFrameHeaderBytes>;

Bytes Encode(const FrameHeader& header) {
  Bytes bytes;
  codec::EncodeFrameHeader(header, bytes);
  return bytes;
}

void Decode(const Bytes& bytes) {
  FrameHeader header;
  const FrameError error = codec::DecodeFrameHeader(bytes, header);
  if (error == FrameError::kNone) {
    FUZZ_REQUIRE(Encode(header) == bytes);
    FUZZ_REQUIRE(header.payload_bytes <= codec::PayloadBytesMax(header.kind));
  } else {
    FUZZ_REQUIRE(error == FrameError::kCorrupt || error == FrameError::kOversize);
  }
}

// The checksum would keep a fuzzer out, so the second form writes it.
void RoundTrip(Choices& choices) {
  FrameHeader header;
  header.kind = static_cast<codec::FrameKind>(choices.Number());
  header.flags = static_cast<std::uint16_t>(choices.Number());
  header.payload_bytes = choices.Number32();
  header.sequence = choices.Number();
  header.payload_crc = choices.Number32();
  Bytes bytes = Encode(header);
  FrameHeader decoded;
  const FrameError error = codec::DecodeFrameHeader(bytes, decoded);
  const bool known = codec::IsKnown(header.kind);
  const bool flags_fit = header.flags == (known ? 0 : codec::kFrameFlagOptional);
  const bool length_fits = header.payload_bytes <= codec::PayloadBytesMax(header.kind);
  FUZZ_REQUIRE((error == FrameError::kNone) == (flags_fit && length_fits));
  FUZZ_REQUIRE((error == FrameError::kOversize) == (flags_fit && !length_fits));
  FUZZ_REQUIRE(error != FrameError::kNone || decoded == header);
  const std::size_t bit = choices.Byte();
  bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  FUZZ_REQUIRE(codec::DecodeFrameHeader(bytes, decoded) == FrameError::kCorrupt);
}

void Run(ByteSpan input) {
  Choices choices(input);
  if (choices.Coin()) return RoundTrip(choices);
  Bytes bytes{};
  const ByteSpan rest = choices.rest();
  if (!rest.empty()) std::memcpy(bytes.data(), rest.data(), std::min(rest.size(), bytes.size()));
  Decode(bytes);
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  for (std::uint16_t kind = 1; kind <= 9; ++kind) {
    FrameHeader header;
    header.kind = static_cast<codec::FrameKind>(kind);
    header.flags = codec::IsKnown(header.kind) ? 0 : codec::kFrameFlagOptional;
    header.payload_bytes = kind;
    seeds.push_back('\0' + std::string(AsText(Encode(header))));
    seeds.push_back({'\1', static_cast<char>(kind), '\0', '\5', '\2', '\7', '\1'});
  }
  return seeds;
}

}  // namespace

constexpr Target kFrameHeaderTarget{"frame_header", &Run, &Seeds};

}  // namespace kommander::fuzz
