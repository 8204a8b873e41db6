#include "codec/frame.hpp"

#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "codec/crc32c.hpp"
#include "codec/frame_reader.hpp"
#include "codec/little_endian.hpp"
#include "random_messages.hpp"
#include "stream.hpp"

using namespace kommander;
using namespace kommander::codec;
using namespace kommander::codec::testing;

namespace {

using HeaderBytes = std::array<std::byte, kFrameHeaderBytes>;

HeaderBytes Encode(const FrameHeader& header) {
  HeaderBytes bytes;
  EncodeFrameHeader(header, bytes);
  return bytes;
}

FrameHeader Header(FrameKind kind, std::uint32_t payload_bytes, std::uint64_t sequence = 0) {
  FrameHeader header;
  header.kind = kind;
  header.payload_bytes = payload_bytes;
  header.sequence = sequence;
  return header;
}

std::string Text(const HeaderBytes& bytes) { return std::string(AsText(bytes)); }

std::string ControlFrame(FrameKind kind, std::string_view payload, std::uint64_t sequence,
                         std::uint16_t flags = 0) {
  FrameHeader header = Header(kind, static_cast<std::uint32_t>(payload.size()), sequence);
  header.flags = flags;
  header.payload_crc = Crc32c(AsBytes(payload));
  return Text(Encode(header)) + std::string(payload);
}

}  // namespace

TEST_CASE("frame header: golden bytes") {
  FrameHeader header = Header(FrameKind::kAppends, 0x00c0ffee, 0x1122334455667788);
  header.payload_crc = 0xa1b2c3d4;
  const std::string expected(
      "KMDR"
      "\x01\x00"
      "\x08\x00"
      "\x00\x00"
      "\x20\x00"
      "\xee\xff\xc0\x00"
      "\x88\x77\x66\x55\x44\x33\x22\x11"
      "\xd4\xc3\xb2\xa1",
      28);
  const std::string bytes = Text(Encode(header));
  CHECK(bytes.substr(0, 28) == expected);
  CHECK(Load<std::uint32_t>(AsBytes(bytes).data() + 28) == Crc32c(AsBytes(expected)));
  FrameHeader decoded;
  CHECK(DecodeFrameHeader(Encode(header), decoded) == FrameError::kNone);
  CHECK(decoded == header);
}

TEST_CASE("frame header: each flipped bit is refused") {
  const HeaderBytes good = Encode(Header(FrameKind::kBeats, 77, 5));
  for (std::size_t bit = 0; bit < kFrameHeaderBytes * 8; ++bit) {
    HeaderBytes bad = good;
    bad[bit / 8] ^= std::byte{1} << (bit % 8);
    FrameHeader header;
    CAPTURE(bit);
    CHECK(DecodeFrameHeader(bad, header) == FrameError::kCorrupt);
  }
}

TEST_CASE("frame header: what a checksum cannot excuse") {
  // Valid checksums around fields that this version does not allow.
  const auto judge = [](std::size_t offset, std::uint16_t value) {
    HeaderBytes bytes = Encode(Header(FrameKind::kVotes, 12));
    Store(bytes.data() + offset, value);
    Store(bytes.data() + 28, Crc32c(ByteSpan(bytes).first(28)));
    FrameHeader header;
    return DecodeFrameHeader(bytes, header);
  };
  CHECK(judge(4, 1) == FrameError::kNone);
  CHECK(judge(4, 2) == FrameError::kCorrupt);       // version
  CHECK(judge(6, 9) == FrameError::kCorrupt);       // unknown kind, not optional
  CHECK(judge(6, 0) == FrameError::kCorrupt);       // no kind
  CHECK(judge(8, 1) == FrameError::kCorrupt);       // a known kind that claims to be optional
  CHECK(judge(8, 2) == FrameError::kCorrupt);       // unknown flag
  CHECK(judge(8, 0x8000) == FrameError::kCorrupt);  // unknown flag
  CHECK(judge(10, 40) == FrameError::kCorrupt);     // header length
}

TEST_CASE("frame header: the cap of each kind") {
  const std::pair<FrameKind, std::uint32_t> caps[] = {
      {FrameKind::kHello, 4096},     {FrameKind::kHelloAck, 4096},    {FrameKind::kReject, 4096},
      {FrameKind::kPing, 0},         {FrameKind::kPong, 0},           {FrameKind::kVotes, 4096},
      {FrameKind::kBeats, 1u << 20}, {FrameKind::kAppends, 16u << 20}};
  for (const auto& [kind, cap] : caps) {
    FrameHeader header;
    CHECK(DecodeFrameHeader(Encode(Header(kind, cap)), header) == FrameError::kNone);
    CHECK(DecodeFrameHeader(Encode(Header(kind, cap + 1)), header) == FrameError::kOversize);
    CHECK(DecodeFrameHeader(Encode(Header(kind, 0xffffffff)), header) == FrameError::kOversize);
  }
}

TEST_CASE("frame reader: any cut of the stream gives the same messages") {
  MessageSource source(11);
  const std::vector<Message> messages = source.Batch(40);
  const std::string bytes = testing::Encode(messages);
  for (const std::size_t chunk : {32u, 100u, 1000u, 4096u, 1u << 20}) {
    for (const std::size_t step : {1u, 2u, 3u, 31u, 33u, 500u, 1u << 24}) {
      const Received received = Receive(bytes, step, chunk);
      CAPTURE(chunk, step);
      CHECK(received.error == FrameError::kNone);
      CHECK(received.messages == messages);
    }
  }
}

TEST_CASE("frame reader: every truncation is noticed") {
  MessageSource source(12);
  const std::string one = testing::Encode(source.Batch(3));
  const std::string bytes = one + ControlFrame(FrameKind::kPing, "", 1);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const Received received = Receive(std::string_view(bytes).substr(0, size), 7);
    const bool whole = size == 0 || size == one.size() || size == bytes.size();
    CAPTURE(size);
    CHECK(received.error == (whole ? FrameError::kNone : FrameError::kTruncated));
    CHECK(received.messages.empty() == (size < one.size()));
  }
}

TEST_CASE("frame reader: a gap, a repeat and a late beginning are refused") {
  const auto ping = [](std::uint64_t sequence) {
    return ControlFrame(FrameKind::kPing, "", sequence);
  };
  CHECK(Receive(ping(0) + ping(1) + ping(2), 9).error == FrameError::kNone);
  CHECK(Receive(ping(0) + ping(2), 9).error == FrameError::kOutOfOrder);
  CHECK(Receive(ping(0) + ping(0), 9).error == FrameError::kOutOfOrder);
  CHECK(Receive(ping(1), 9).error == FrameError::kOutOfOrder);
  const Received received = Receive(ping(0) + ping(1) + ping(3) + ping(2), 9);
  CHECK(received.kinds.size() == 2);
}

TEST_CASE("frame reader: a damaged payload is refused") {
  const std::string good = ControlFrame(FrameKind::kReject, "some bytes of payload", 0);
  for (std::size_t i = kFrameHeaderBytes; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    CHECK(Receive(bad, 5).error == FrameError::kCorrupt);
  }
}

TEST_CASE("frame reader: an unknown kind that is optional is handed out, not refused") {
  const std::string bytes = ControlFrame(static_cast<FrameKind>(900), "news", 0, 1) +
                            ControlFrame(FrameKind::kPing, "", 1);
  const Received received = Receive(bytes, 5);
  CHECK(received.error == FrameError::kNone);
  CHECK(received.kinds.size() == 2);
  const std::string large(kUnknownBytesMax + 1, 'x');
  CHECK(Receive(ControlFrame(static_cast<FrameKind>(900), large, 0, 1), 5000).error ==
        FrameError::kOversize);
}

TEST_CASE("frame reader: before the handshake no length above its cap is believed") {
  const std::string append = Text(Encode(Header(FrameKind::kAppends, kHandshakeBytesMax + 1)));
  CHECK(Receive(append, 32, 4128, kHandshakeBytesMax).error == FrameError::kOversize);
  FrameReader reader(4128);
  std::memcpy(reader.Prepare().data(), append.data(), append.size());
  reader.Commit(append.size());
  Frame frame;
  REQUIRE(reader.Next(frame) == FrameReader::Result::kRefused);
  CHECK(reader.Prepare().empty());
  CHECK(reader.Next(frame) == FrameReader::Result::kRefused);
}

TEST_CASE("frame reader: it widens in the middle of a stream") {
  MessageSource source(13);
  std::vector<Message> messages = source.Batch(5);
  std::vector<Entry> entries;
  entries.emplace_back(Term(1), LogIndex(1), EntryKind::kApplication, Ticket(),
                       Payload(std::string(300'000, 'e')));
  AppendRequest append;
  append.entries = entries;
  messages.emplace_back(PartitionId(3), NodeId(7), NodeId(9), Term(1), append);
  const std::string bytes = ControlFrame(FrameKind::kHello, "hi", 0);
  FrameEncoder encoder;
  encoder.AddControl(FrameKind::kHello, AsBytes("hi"));
  for (const auto& message : messages) REQUIRE(encoder.Add(message));
  encoder.Finish();
  const std::string stream = testing::Bytes(encoder);
  REQUIRE(stream.substr(0, bytes.size()) == bytes);

  FrameReader reader(64);
  std::string_view left = stream;
  std::vector<Message> received;
  bool widened = false;
  while (true) {
    Frame frame;
    const auto result = reader.Next(frame);
    REQUIRE(result != FrameReader::Result::kRefused);
    if (result == FrameReader::Result::kFrame) {
      if (!widened) {
        reader.Widen(4096, kAppendsBytesMax);
        widened = true;
        continue;
      }
      REQUIRE(DecodeMessages(frame.header.kind, frame.payload, kRoute, *frame.buffer, received) ==
              FrameError::kNone);
      continue;
    }
    if (left.empty()) break;
    const auto room = reader.Prepare();
    const std::size_t count = std::min(room.size(), left.size());
    std::memcpy(room.data(), left.data(), count);
    reader.Commit(count);
    left.remove_prefix(count);
  }
  CHECK(received == messages);
}

TEST_CASE("frame reader: damaged streams never do harm") {
  MessageSource source(14);
  for (int round = 0; round < 5'000; ++round) {
    std::string bytes = testing::Encode(source.Batch(1 + source.random()() % 6));
    for (auto left = 1 + source.random()() % 4; left != 0; --left) {
      const std::size_t at = source.random()() % bytes.size();
      switch (source.random()() % 3) {
        case 0: bytes[at] = static_cast<char>(source.random()()); break;
        case 1: bytes.erase(at, 1 + source.random()() % 40); break;
        default: bytes.insert(at, 1 + source.random()() % 40, '\xff'); break;
      }
      if (bytes.empty()) break;
    }
    (void)Receive(bytes, 1 + source.random()() % 600, 32 + source.random()() % 5000);
  }
}
