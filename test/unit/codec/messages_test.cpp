#include "codec/messages.hpp"

#include <string>
#include <vector>

#include "catch.hpp"
#include "codec/crc32c.hpp"
#include "codec/little_endian.hpp"
#include "random_messages.hpp"
#include "stream.hpp"

using namespace kommander;
using namespace kommander::codec;
using namespace kommander::codec::testing;

namespace {

Message Make(MessageBody body) {
  Message message(PartitionId(0x0a0b0c0d), NodeId(7), NodeId(9), Term(0x55), std::move(body));
  message.stamp = HlcTimestamp(1, 7, NodeId(7));
  return message;
}

// The one frame of `messages`, without its header.
std::string OnePayload(const std::vector<Message>& messages) {
  return Encode(messages).substr(kFrameHeaderBytes);
}

FrameError Decode(FrameKind kind, std::string_view payload, std::vector<Message>& messages,
                  Route route = kRoute) {
  ReceiveBuffer buffer;
  buffer.owner = std::make_shared<std::byte[]>(payload.size());
  buffer.bytes = payload.size();
  std::memcpy(buffer.owner.get(), payload.data(), payload.size());
  return DecodeMessages(kind, ByteSpan(buffer.owner.get(), payload.size()), route, buffer,
                        messages);
}

FrameKind KindOfFrame(std::string_view frame) {
  FrameHeader header;
  const std::span<const std::byte, kFrameHeaderBytes> bytes(AsBytes(frame).data(),
                                                            kFrameHeaderBytes);
  REQUIRE(DecodeFrameHeader(bytes, header) == FrameError::kNone);
  return header.kind;
}

AppendRequest AppendOf(std::size_t count, std::size_t body_bytes) {
  AppendRequest append;
  for (std::size_t i = 0; i < count; ++i) {
    append.entries.emplace_back(Term(1), LogIndex(i + 1), EntryKind::kApplication, Ticket(),
                                Payload(std::string(body_bytes, static_cast<char>('a' + i % 26))));
  }
  return append;
}

std::string operator""_s(const char* text, std::size_t size) { return std::string(text, size); }

// The beginning of a payload with one message, and of that message.
std::string Batch() { return "\x07\0\0\0\x09\0\0\0\x01\0\0\0"_s; }
std::string Header(char type, char flags) {
  return std::string(1, type) + flags +
         "\0\0\x0d\x0c\x0b\x0a\x55\0\0\0\0\0\0\0\x07\0\x40\0\0\0\0\0"_s;
}
std::string Number(char low) { return std::string(1, low) + "\0\0\0\0\0\0\0"_s; }

}  // namespace

TEST_CASE("messages: golden bytes") {
  VoteRequest vote;
  vote.last_index = LogIndex(3);
  vote.last_term = Term(4);
  vote.transfer = true;
  vote.admits = Incarnation(5);
  CHECK(OnePayload({Make(vote)}) == Batch() + Header(1, 2) + Number(3) + Number(4) + Number(5));
  VoteReply vote_reply;
  vote_reply.pre_vote = vote_reply.granted = true;
  CHECK(OnePayload({Make(vote_reply)}) == Batch() + Header(2, 3));
  AppendReply reply;
  reply.accepted = true;
  reply.matched = LogIndex(1);
  reply.rejected = LogIndex(2);
  reply.hint_index = LogIndex(3);
  reply.hint_term = Term(4);
  CHECK(OnePayload({Make(reply)}) ==
        Batch() + Header(4, 1) + Number(1) + Number(2) + Number(3) + Number(4));
  Heartbeat beat;
  beat.commit = LogIndex(5);
  beat.round = 6;
  CHECK(OnePayload({Make(beat)}) == Batch() + Header(5, 0) + Number(5) + Number(6));
  HeartbeatReply beat_reply;
  beat_reply.round = 7;
  beat_reply.durable = LogIndex(8);
  CHECK(OnePayload({Make(beat_reply)}) == Batch() + Header(6, 0) + Number(7) + Number(8));
  ReadIndexRequest read;
  read.request = 9;
  CHECK(OnePayload({Make(read)}) == Batch() + Header(7, 0) + Number(9));
  ReadIndexReply read_reply;
  read_reply.request = 9;
  read_reply.confirmed = true;
  read_reply.index = LogIndex(10);
  CHECK(OnePayload({Make(read_reply)}) == Batch() + Header(8, 1) + Number(9) + Number(10));
  CHECK(OnePayload({Make(TransferRequest())}) == Batch() + Header(9, 0));

  AppendRequest append;
  append.previous_index = LogIndex(1);
  append.previous_term = Term(2);
  append.commit = LogIndex(3);
  append.entries.emplace_back(Term(2), LogIndex(2), EntryKind::kConfiguration,
                              Ticket(4, 5, NodeId(6)), Payload("body"));
  append.entries.emplace_back(Term(2), LogIndex(3), EntryKind::kNoop, Ticket(), Payload());
  const std::string first = Number(2) + Number(2) + Number(4) + "\x05\0\0\0\x06\0\0\0"_s +
                            "\x02\0\0\0"_s + "\x04\0\0\0"_s;
  const std::string second = Number(2) + Number(3) + Number(0) + Number(0) + Number(0);
  CHECK(OnePayload({Make(append)}) == Batch() + Header(3, 0) + Number(1) + Number(2) + Number(3) +
                                          "\x02\0\0\0\x04\0\0\0"_s + first + second + "body");
}

TEST_CASE("messages: golden bytes of snapshots and forwarded writes") {
  SnapshotOffer offer;
  offer.info = SnapshotInfo(LogIndex(1), Term(2), 3, {});
  offer.info.sha256.fill(std::byte{0x44});
  CHECK(OnePayload({Make(offer)}) ==
        Batch() + Header(10, 0) + Number(1) + Number(2) + Number(3) + std::string(32, '\x44'));
  CHECK(OnePayload({Make(SnapshotChunk(LogIndex(1), 2, Payload("bytes")))}) ==
        Batch() + Header(11, 0) + Number(1) + Number(2) + "\x05\0\0\0"_s + "bytes");
  CHECK(OnePayload({Make(SnapshotReply(LogIndex(1), 2, SnapshotReply::State::kRefused))}) ==
        Batch() + Header(12, 2) + Number(1) + Number(2));
  ForwardRequest forward;
  forward.number = 1;
  forward.patience_ms = 2;
  forward.expected_generation = Generation(3);
  forward.kind = EntryKind::kPrepared;
  forward.await_apply = true;
  forward.body = Payload("body");
  CHECK(OnePayload({Make(forward)}) == Batch() + Header(13, 1) + Number(1) + Number(2) + Number(3) +
                                           "\x03\0\0\0\x04\0\0\0"_s + "body");
  ForwardReply forward_reply;
  forward_reply.number = 1;
  forward_reply.error = 2;
  forward_reply.leader = NodeId(3);
  forward_reply.ticket = Ticket(4, 5, NodeId(6));
  forward_reply.index = LogIndex(7);
  forward_reply.term = Term(8);
  forward_reply.count = 9;
  CHECK(OnePayload({Make(forward_reply)}) ==
        Batch() + Header(14, 0) + Number(1) + "\x02\0\0\0\x03\0\0\0"_s + Number(4) +
            "\x05\0\0\0\x06\0\0\0"_s + Number(7) + Number(8) + "\x09\0\0\0\0\0\0\0"_s);
}

TEST_CASE("messages: what was encoded is decoded, and encodes to the same bytes") {
  MessageSource source(21);
  for (int round = 0; round < 400; ++round) {
    const std::vector<Message> messages = source.Batch(1 + source.random()() % 30);
    const std::string bytes = Encode(messages);
    const Received received = Receive(bytes, 1u << 24, 1u << 18);
    REQUIRE(received.error == FrameError::kNone);
    REQUIRE(received.messages == messages);
    REQUIRE(Encode(received.messages) == bytes);
    std::size_t size = received.kinds.size() * (kFrameHeaderBytes + kBatchHeaderBytes);
    for (const auto& message : messages) size += EncodedBytes(message);
    CHECK(size == bytes.size());
  }
}

TEST_CASE("messages: damaged payloads are refused or encode to the same bytes") {
  MessageSource source(22);
  int accepted = 0;
  for (int round = 0; round < 30'000; ++round) {
    const std::string frame = Encode(source.Batch(1 + source.random()() % 4));
    FrameHeader header;
    const std::span<const std::byte, kFrameHeaderBytes> start(AsBytes(frame).data(),
                                                              kFrameHeaderBytes);
    REQUIRE(DecodeFrameHeader(start, header) == FrameError::kNone);
    std::string payload = frame.substr(kFrameHeaderBytes, header.payload_bytes);
    for (auto left = 1 + source.random()() % 2; left != 0; --left) {
      payload[source.random()() % payload.size()] = static_cast<char>(source.random()());
    }
    std::vector<Message> messages(1);
    const FrameError error = Decode(header.kind, payload, messages);
    if (error != FrameError::kNone) {
      CHECK(messages.size() == 1);
      continue;
    }
    ++accepted;
    messages.erase(messages.begin());
    CHECK(OnePayload(messages) == payload);
  }
  CHECK(accepted > 1000);  // otherwise the property was hardly tried
}

TEST_CASE("messages: every truncation and every surplus is refused") {
  MessageSource source(23);
  for (int round = 0; round < 30; ++round) {
    const std::vector<Message> batch{source.Next(40), source.Next(40)};
    const FrameKind kind = std::max(KindOf(batch[0].body), KindOf(batch[1].body));
    const std::string payload = OnePayload(batch);
    std::vector<Message> messages;
    REQUIRE(Decode(kind, payload, messages) == FrameError::kNone);
    for (std::size_t size = 0; size < payload.size(); ++size) {
      CHECK(Decode(kind, payload.substr(0, size), messages) == FrameError::kCorrupt);
    }
    CHECK(Decode(kind, payload + '\0', messages) == FrameError::kCorrupt);
    CHECK(messages.size() == 2);
  }
}

TEST_CASE("messages: another sender or receiver is foreign") {
  const std::string payload = OnePayload({Make(Heartbeat())});
  std::vector<Message> messages;
  CHECK(Decode(FrameKind::kBeats, payload, messages, {NodeId(7), NodeId(9)}) == FrameError::kNone);
  CHECK(Decode(FrameKind::kBeats, payload, messages, {NodeId(8), NodeId(9)}) ==
        FrameError::kForeign);
  CHECK(Decode(FrameKind::kBeats, payload, messages, {NodeId(7), NodeId(8)}) ==
        FrameError::kForeign);
  CHECK(messages.size() == 1);
}

TEST_CASE("messages: a frame is of the smallest kind that holds it") {
  std::vector<Message> messages;
  const std::string beat = OnePayload({Make(Heartbeat())});
  CHECK(Decode(FrameKind::kVotes, beat, messages) == FrameError::kCorrupt);
  CHECK(Decode(FrameKind::kAppends, beat, messages) == FrameError::kCorrupt);
  CHECK(Decode(FrameKind::kBeats, beat, messages) == FrameError::kNone);
  CHECK(KindOfFrame(Encode({Make(VoteReply()), Make(Heartbeat())})) == FrameKind::kBeats);
  CHECK(KindOfFrame(Encode({Make(VoteReply()), Make(AppendRequest()), Make(Heartbeat())})) ==
        FrameKind::kAppends);
}

TEST_CASE("messages: a batch is split at the cap of its kind") {
  const std::vector<Message> votes(300, Make(VoteRequest()));
  const Received two = Receive(Encode(votes), 1u << 20);
  CHECK(two.error == FrameError::kNone);
  CHECK(two.kinds == std::vector<FrameKind>(4, FrameKind::kVotes));
  CHECK(two.messages == votes);

  const std::vector<Message> beats(40'000, Make(Heartbeat()));
  const std::string bytes = Encode(beats);
  const Received received = Receive(bytes, 1u << 20, 1u << 17);
  CHECK(received.kinds == std::vector<FrameKind>(2, FrameKind::kBeats));
  CHECK(received.messages == beats);

  const std::vector<Message> thousand(1000, Make(Heartbeat()));
  CHECK(Encode(thousand).size() == kFrameHeaderBytes + kBatchHeaderBytes + 1000 * 40);
}

TEST_CASE("messages: other nodes open another frame") {
  Message other = Make(Heartbeat());
  other.to = NodeId(10);
  FrameEncoder encoder;
  REQUIRE(encoder.Add(Make(Heartbeat())));
  REQUIRE(encoder.Add(other));
  encoder.Finish();
  CHECK(encoder.next_sequence() == 2);
}

TEST_CASE("messages: large bodies are referenced, small ones copied") {
  const Message large = Make(AppendOf(3, kReferencedBodyBytesMin));
  FrameEncoder encoder;
  REQUIRE(encoder.Add(large));
  encoder.Finish();
  REQUIRE(encoder.parts().size() == 4);
  const auto& entries = std::get<AppendRequest>(large.body).entries;
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(encoder.parts()[i + 1].data() == entries[i].body.data());
  }
  encoder.Clear();
  const Message small = Make(AppendOf(64, 128));
  REQUIRE(encoder.Add(small));
  encoder.Finish();
  CHECK(encoder.parts().size() == 1);
}

TEST_CASE("messages: a message above the cap is not encoded") {
  const Message fits = Make(AppendOf(1, (16u << 20) - 12 - 24 - 32 - 40));
  const Message too_large = Make(AppendOf(1, (16u << 20) - 12 - 24 - 32 - 40 + 1));
  FrameEncoder encoder;
  CHECK(encoder.Add(fits));
  CHECK_FALSE(encoder.Add(too_large));
  encoder.Finish();
  CHECK(encoder.bytes() == (16u << 20) + kFrameHeaderBytes);
  CHECK(Receive(Bytes(encoder), 1u << 24).messages == std::vector<Message>{fits});
}

TEST_CASE("messages: a small body does not keep a large receive buffer") {
  // One chunk, many small messages: bodies are copied.
  std::vector<Message> messages(100, Make(AppendOf(2, 100)));
  FrameReader reader(1u << 18, kAppendsBytesMax);
  const std::string bytes = Encode(messages);
  std::memcpy(reader.Prepare().data(), bytes.data(), bytes.size());
  reader.Commit(bytes.size());
  Frame frame;
  REQUIRE(reader.Next(frame) == FrameReader::Result::kFrame);
  std::vector<Message> received;
  REQUIRE(DecodeMessages(frame.header.kind, frame.payload, kRoute, *frame.buffer, received) ==
          FrameError::kNone);
  CHECK_FALSE(frame.buffer->shared);

  // One message that fills its buffer: bodies share it.
  messages.assign(1, Make(AppendOf(2, 100'000)));
  const std::string large = OnePayload(messages);
  ReceiveBuffer buffer{std::make_shared<std::byte[]>(large.size()), large.size(), false};
  std::memcpy(buffer.owner.get(), large.data(), large.size());
  received.clear();
  REQUIRE(DecodeMessages(FrameKind::kAppends, ByteSpan(buffer.owner.get(), large.size()), kRoute,
                         buffer, received) == FrameError::kNone);
  CHECK(buffer.shared);
  const auto& entries = std::get<AppendRequest>(received[0].body).entries;
  CHECK(entries[1].body.data() == buffer.owner.get() + large.size() - 100'000);
  CHECK(received == messages);
}

TEST_CASE("messages: a lying count allocates nothing") {
  std::string payload = OnePayload({Make(AppendOf(1, 10))});
  const auto lie = [&](std::size_t offset) {
    std::string bad = payload;
    bad.replace(offset, 4, "\xff\xff\xff\xff");
    std::vector<Message> messages;
    CHECK(Decode(FrameKind::kAppends, bad, messages) == FrameError::kCorrupt);
    return messages.capacity();
  };
  CHECK(lie(8) == 0);                                             // messages of the batch
  CHECK(lie(kBatchHeaderBytes + kMessageHeaderBytes + 24) <= 1);  // entries
  CHECK(lie(kBatchHeaderBytes + kMessageHeaderBytes + 28) <= 1);  // bytes of the bodies
}

TEST_CASE(
    "messages: a large frame of appends holds one message, so that no frame grows in memory") {
  // What a frame of the greatest size would become is several times as much.
  const std::string append = OnePayload({Make(AppendOf(0, 0))});
  const std::string small = OnePayload({Make(TransferRequest())}).substr(kBatchHeaderBytes);
  std::string payload = append;
  while (payload.size() + small.size() <= kAppendsBytesSoft) payload += small;
  const auto decode = [&](std::vector<Message>& messages) {
    const std::size_t count = 1 + (payload.size() - append.size()) / small.size();
    Store(reinterpret_cast<std::byte*>(payload.data()) + 8, static_cast<std::uint32_t>(count));
    return Decode(FrameKind::kAppends, payload, messages);
  };
  std::vector<Message> messages;
  CHECK(decode(messages) == FrameError::kNone);
  std::vector<Message> none;
  payload += small;
  CHECK(decode(none) == FrameError::kCorrupt);
  while (payload.size() + small.size() <= kAppendsBytesMax) payload += small;
  CHECK(decode(none) == FrameError::kCorrupt);
  CHECK(none.capacity() == 0);

  // An encoder makes no such frame, whatever the order.
  std::vector<Message> mixed(3000, Make(Heartbeat()));
  mixed.insert(mixed.begin() + 1500, 2, Make(AppendOf(1, 100'000)));
  mixed.insert(mixed.begin(), 40, Make(AppendOf(1, 3000)));
  const auto received = Receive(Encode(mixed), 1u << 20);
  CHECK(received.error == FrameError::kNone);
  CHECK(received.messages == mixed);
}

TEST_CASE(
    "messages: without a version, or with one from elsewhere, nothing is said or understood") {
  MessageSource source(21);
  for (const std::uint16_t version : {kNoVersion, std::uint16_t{2}, std::uint16_t{0xffff}}) {
    for (int round = 0; round < 200; ++round) {
      FrameEncoder encoder(version);
      const Message message = source.Next();
      CHECK_FALSE(encoder.Add(message));
      encoder.Finish();
      CHECK(encoder.bytes() == 0);
      std::vector<Message> messages;
      const FrameKind kind = KindOf(message.body);
      const Route route{kRoute.from, kRoute.to, version};
      CHECK(Decode(kind, OnePayload({message}), messages, route) == FrameError::kCorrupt);
      encoder.Speak(1);
      CHECK(encoder.Add(message));
    }
  }
}
