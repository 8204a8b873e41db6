// A stream of bytes cut into frames: however it arrives, the reader finds the same frames and the
// same fault, and before the handshake it allocates no more than twice what a frame may have.
#include <cstring>
#include <tuple>

#include "choices.hpp"
#include "codec/crc32c.hpp"
#include "codec/frame_reader.hpp"
#include "codec/messages.hpp"
#include "target.hpp"
#include "unit/transports/allocation_watch.hpp"

namespace kommander::fuzz {
namespace {

using codec::FrameError;
using codec::FrameReader;

constexpr std::size_t kChunkBytes = codec::kFrameHeaderBytes + codec::kHandshakeBytesMax;
constexpr std::size_t kWideBytes = 64u << 10;

// What a reader made of the stream.
struct Outcome {
  std::vector<std::tuple<codec::FrameKind, std::uint64_t, std::string>> frames;
  FrameError error = FrameError::kNone;
  bool inside = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// `Step` says how many bytes arrive next. The first frame is the greeting; then the reader widens.
template <class Step>
Outcome Receive(ByteSpan stream, Step step) {
  Outcome outcome;
  FrameReader reader(kChunkBytes);
  testing::ForgetAllocations();
  for (;;) {
    codec::Frame frame;
    const auto result = reader.Next(frame);
    if (result == FrameReader::Result::kRefused) {
      outcome.error = reader.error();
      FUZZ_REQUIRE(outcome.error != FrameError::kNone && reader.Prepare().empty());
      break;
    }
    if (result == FrameReader::Result::kFrame) {
      outcome.frames.emplace_back(frame.header.kind, frame.header.sequence, AsText(frame.payload));
      FUZZ_REQUIRE(frame.payload.size() == frame.header.payload_bytes);
      // Some who receive keep what they got.
      if (frame.header.payload_bytes % 3 == 1) frame.buffer->shared = true;
      if (outcome.frames.size() == 1) reader.Widen(kWideBytes, codec::kAppendsBytesMax);
      continue;
    }
    if (stream.empty()) {
      outcome.inside = reader.InsideFrame();
      break;
    }
    const std::span<std::byte> room = reader.Prepare();
    FUZZ_REQUIRE(!room.empty());
    const std::size_t count =
        std::min({room.size(), stream.size(), std::max<std::size_t>(step(), 1)});
    std::memcpy(room.data(), stream.data(), count);
    reader.Commit(count);
    stream = stream.subspan(count);
    if (outcome.frames.empty()) FUZZ_REQUIRE(testing::LargestAllocation() <= 2 * kChunkBytes);
  }
  return outcome;
}

// Frames as the input wants them, most of them sound. The length of a payload may exceed every
// chunk.
std::string BuildStream(Choices& choices) {
  std::string stream;
  codec::FrameHeader header;
  while (!choices.AtEnd() && stream.size() < (256u << 10)) {
    const std::uint8_t how = choices.Byte();
    header.kind = static_cast<codec::FrameKind>(how % 10);
    header.flags = codec::IsKnown(header.kind) ? 0 : codec::kFrameFlagOptional;
    std::string payload = choices.Text(64);
    if ((how & 0x40) != 0) payload.resize(choices.Number32() % (100u << 10), 'x');
    header.payload_bytes = static_cast<std::uint32_t>(payload.size());
    header.payload_crc = codec::Crc32c(AsBytes(payload));
    std::array<std::byte, codec::kFrameHeaderBytes> bytes;
    codec::EncodeFrameHeader(header, bytes);
    stream += AsText(bytes);
    stream += payload;
    ++header.sequence;
    if ((how & 0x80) == 0) continue;
    const std::size_t at = choices.Number() % stream.size();
    if (choices.Coin()) {
      stream[at] = static_cast<char>(stream[at] ^ choices.Byte());
    } else {
      stream.resize(at);
    }
  }
  return stream;
}

void Run(ByteSpan input) {
  Choices choices(input);
  std::string built;
  ByteSpan stream;
  std::uint32_t random = choices.Byte();
  if (choices.Coin()) {
    built = BuildStream(choices);
    stream = AsBytes(built);
  } else {
    stream = choices.rest();
  }
  const Outcome whole = Receive(stream, [] { return ~std::size_t{0}; });
  const Outcome pieces = Receive(stream, [&random] {
    random = random * 1664525u + 1013904223u;
    return std::size_t{1} << (random >> 28);
  });
  FUZZ_REQUIRE(whole == pieces);
  if (stream.size() <= (16u << 10)) {
    FUZZ_REQUIRE(whole == Receive(stream, [] { return std::size_t{1}; }));
  }
}

std::vector<std::string> Seeds() {
  using namespace std::string_literals;
  codec::FrameEncoder encoder;
  encoder.AddControl(codec::FrameKind::kHello, AsBytes("any greeting"));
  encoder.AddControl(codec::FrameKind::kPing, {});
  encoder.AddControl(codec::FrameKind::kVotes, AsBytes(std::string(100, 'v')));
  encoder.AddControl(codec::FrameKind::kAppends, AsBytes(std::string(5000, 'a')));
  encoder.Finish();
  std::string stream;
  for (const ByteSpan part : encoder.parts()) stream += AsText(part);
  std::vector<std::string> seeds;
  seeds.push_back("\5\0"s + stream);
  seeds.push_back("\5\0"s + stream.substr(0, stream.size() - 7));
  seeds.push_back("\1\1\1\5hello\6\3abc\7\0\10\4wxyz"s);
  seeds.push_back("\1\1\1\0\x48\0\xf8\0\0\0\0\0\1\x20\0\x48\0\xf8\0\0\0\0\0\0\xff\0"s);
  seeds.push_back("\1\1\1\5hello\x86\3abc\x20\1\7"s);
  return seeds;
}

}  // namespace

constexpr Target kFrameStreamTarget{"frame_stream", &Run, &Seeds};

}  // namespace kommander::fuzz
