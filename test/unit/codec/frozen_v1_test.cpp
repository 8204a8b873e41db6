// Today's codec, version 1 spoken, against the frozen version 1: the same bytes for the same
// values, in both directions, and the bytes that were written down when it was frozen.
#include <map>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "codec/handshake.hpp"
#include "codec/messages.hpp"
#include "freeze.hpp"
#include "protocol/frozen_v1/golden_v1.hpp"
#include "random_messages.hpp"
#include "stream.hpp"

using namespace kommander;
using namespace kommander::codec;
using namespace kommander::codec::testing;

namespace {

std::string EncodeV1(const std::vector<Message>& messages) {
  FrameEncoder encoder(1);
  for (const auto& message : messages) REQUIRE(encoder.Add(message));
  encoder.Finish();
  return Bytes(encoder);
}

// The frozen version's frame of these bytes, which have to be one frame and nothing else.
frozen_v1::Frame ReadFrozen(std::string_view bytes) {
  frozen_v1::Frame frame;
  std::uint32_t size = 0;
  std::uint32_t checksum = 0;
  REQUIRE(frozen_v1::DecodeHeader(bytes.substr(0, frozen_v1::kHeaderBytes), frame, size, checksum));
  frame.payload = bytes.substr(frozen_v1::kHeaderBytes);
  REQUIRE(frame.payload.size() == size);
  REQUIRE(frozen_v1::Checksum(frame.payload) == checksum);
  return frame;
}

Hello RandomHello(std::mt19937_64& random) {
  Hello hello;
  hello.cluster_id.assign(random() % 257, 'c');
  hello.node = NodeId(static_cast<std::uint32_t>(random()));
  hello.incarnation = Incarnation(random());
  hello.version_min = static_cast<std::uint16_t>(random());
  hello.version_max = static_cast<std::uint16_t>(random());
  hello.bootstrap_digest = random();
  hello.knows_roster = random() % 2 == 0;
  hello.known_incarnation = Incarnation(random());
  hello.nonce = random();
  return hello;
}

Message Make(std::uint32_t partition, std::uint64_t term, MessageBody body) {
  Message message(PartitionId(partition), NodeId(7), NodeId(9), Term(term), std::move(body));
  message.stamp = HlcTimestamp(1'700'000'000'000, 3, message.from);
  return message;
}

std::vector<Message> VotesOfEachType() {
  VoteRequest vote;
  vote.last_index = LogIndex(0x0102030405060708);
  vote.last_term = Term(0x1112131415161718);
  vote.admits = Incarnation(0x2122232425262728);
  vote.transfer = true;
  VoteReply reply;
  reply.pre_vote = reply.granted = true;
  SnapshotOffer offer;
  offer.info = SnapshotInfo(LogIndex(70), Term(4), 9'000'000, {});
  for (std::size_t i = 0; i < offer.info.sha256.size(); ++i) offer.info.sha256[i] = std::byte(i);
  return {Make(1, 5, vote), Make(0, 6, reply), Make(65535, 7, TransferRequest()), Make(2, 8, offer),
          Make(2, 9, SnapshotReply(LogIndex(70), 4096, SnapshotReply::State::kInstalled))};
}

std::vector<Message> BeatsOfEachType() {
  AppendReply accepted;
  accepted.accepted = true;
  accepted.matched = LogIndex(77);
  AppendReply rejected;
  rejected.rejected = LogIndex(80);
  rejected.hint_index = LogIndex(60);
  rejected.hint_term = Term(3);
  Heartbeat beat;
  beat.commit = LogIndex(0xaabbccdd);
  beat.round = 12;
  HeartbeatReply beat_reply;
  beat_reply.round = 12;
  beat_reply.durable = LogIndex(0xeeff);
  ReadIndexRequest read;
  read.request = 4711;
  ReadIndexReply read_reply;
  read_reply.request = 4711;
  read_reply.confirmed = true;
  read_reply.index = LogIndex(99);
  ForwardReply forwarded;
  forwarded.number = 0xfedcba9876543210;
  forwarded.error = 20;
  forwarded.leader = NodeId(3);
  forwarded.ticket = Ticket(1'700'000'000'001, 5, NodeId(3));
  forwarded.index = LogIndex(100);
  forwarded.term = Term(8);
  forwarded.count = 2;
  return {Make(1, 5, accepted),   Make(1, 5, rejected), Make(1, 5, beat),
          Make(1, 5, beat_reply), Make(1, 5, read),     Make(1, 5, read_reply),
          Make(1, 5, forwarded)};
}

std::vector<Message> AppendsOfEachType() {
  AppendRequest append;
  append.previous_index = LogIndex(10);
  append.previous_term = Term(4);
  append.commit = LogIndex(9);
  append.entries.emplace_back(Term(5), LogIndex(11), EntryKind::kNoop, Ticket(), Payload());
  append.entries.emplace_back(Term(5), LogIndex(12), EntryKind::kApplication,
                              Ticket(1'700'000'000'002, 1, NodeId(7)),
                              Payload(std::string("entry body")));
  ForwardRequest forward;
  forward.number = 17;
  forward.patience_ms = 2500;
  forward.expected_generation = Generation(6);
  forward.kind = EntryKind::kSession;
  forward.await_apply = true;
  forward.body = Payload(std::string("forwarded"));
  return {Make(1, 5, append),
          Make(2, 6, SnapshotChunk(LogIndex(70), 4096, Payload(std::string("chunk")))),
          Make(3, 7, forward)};
}

Greeting Sample() {
  Greeting greeting;
  greeting.hello.cluster_id = "orders";
  greeting.hello.node = NodeId(7);
  greeting.hello.incarnation = Incarnation(0x1112131415161718);
  greeting.hello.bootstrap_digest = 0x2122232425262728;
  greeting.hello.knows_roster = true;
  greeting.hello.known_incarnation = Incarnation(0x3132333435363738);
  greeting.hello.nonce = 0x4142434445464748;
  greeting.to = NodeId(9);
  return greeting;
}

std::string Control(FrameKind kind, ByteSpan payload) {
  FrameEncoder encoder(kNoVersion);
  encoder.AddControl(kind, payload);
  encoder.Finish();
  return Bytes(encoder);
}

// What the golden bytes stand for, as today's codec writes it.
std::map<std::string, std::string> Today() {
  const Payload hello = EncodeGreeting(Sample());
  return {{"hello", Control(FrameKind::kHello, hello.bytes())},
          {"hello-ack", Control(FrameKind::kHelloAck, hello.bytes())},
          {"reject", Control(FrameKind::kReject, EncodeReject(RaftErrc::VersionMismatch).bytes())},
          {"ping", Control(FrameKind::kPing, {})},
          {"pong", Control(FrameKind::kPong, {})},
          {"votes", EncodeV1(VotesOfEachType())},
          {"beats", EncodeV1(BeatsOfEachType())},
          {"appends", EncodeV1(AppendsOfEachType())}};
}

// The same, as the frozen version writes it.
std::map<std::string, std::string> Frozen() {
  using frozen_v1::EncodeFrame;
  const std::string hello = Encode(Freeze(Sample().hello, Sample().to));
  const frozen_v1::Reject reject{64, "no protocol version in common with the peer"};
  return {{"hello", EncodeFrame({frozen_v1::kHello, 0, 0, hello})},
          {"hello-ack", EncodeFrame({frozen_v1::kHelloAck, 0, 0, hello})},
          {"reject", EncodeFrame({frozen_v1::kReject, 0, 0, frozen_v1::Encode(reject)})},
          {"ping", EncodeFrame({frozen_v1::kPing, 0, 0, ""})},
          {"pong", EncodeFrame({frozen_v1::kPong, 0, 0, ""})},
          {"votes", FrozenFrame(VotesOfEachType())},
          {"beats", FrozenFrame(BeatsOfEachType())},
          {"appends", FrozenFrame(AppendsOfEachType())}};
}

std::string Hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return hex;
}

}  // namespace

TEST_CASE("frozen version 1: golden bytes of every kind of frame and every type of message") {
  const auto today = Today();
  const auto frozen = Frozen();
  REQUIRE(today.size() == std::size(frozen_v1::kGolden));
  for (const auto& golden : frozen_v1::kGolden) {
    CAPTURE(golden.name);
    CHECK(Hex(frozen.at(golden.name)) == golden.hex);
    CHECK(Hex(today.at(golden.name)) == golden.hex);
  }
  CHECK(Receive(frozen.at("votes"), 1u << 20).messages == VotesOfEachType());
  CHECK(Receive(frozen.at("beats"), 1u << 20).messages == BeatsOfEachType());
  CHECK(Receive(frozen.at("appends"), 1u << 20).messages == AppendsOfEachType());
}

TEST_CASE("frozen version 1: any message is the same bytes there and here, and the same values") {
  MessageSource source(71);
  std::map<std::size_t, int> seen;
  for (int round = 0; round < 5'000; ++round) {
    const std::vector<Message> messages{source.Next(round % 10 == 0 ? 5'000 : 50)};
    ++seen[messages.front().body.index()];
    const std::string bytes = FrozenFrame(messages);
    REQUIRE(EncodeV1(messages) == bytes);
    const Received received = Receive(bytes, 1u << 20);
    REQUIRE(received.error == FrameError::kNone);
    REQUIRE(received.messages == messages);
    frozen_v1::Batch back;
    REQUIRE(frozen_v1::Decode(ReadFrozen(bytes).payload, back));
    REQUIRE(back == Freeze(messages));
  }
  CHECK(seen.size() == std::variant_size_v<MessageBody>);
}

TEST_CASE("frozen version 1: batches of small messages") {
  MessageSource source(72);
  for (int round = 0; round < 500; ++round) {
    std::vector<Message> messages;
    for (auto left = 1 + source.random()() % 9; left != 0; --left) {
      messages.push_back(source.Next(20));
    }
    const std::string bytes = FrozenFrame(messages);
    REQUIRE(EncodeV1(messages) == bytes);
    const Received received = Receive(bytes, 333);
    REQUIRE(received.error == FrameError::kNone);
    REQUIRE(received.messages == messages);
  }
}

TEST_CASE("frozen version 1: greetings and rejections") {
  std::mt19937_64 random(73);
  for (int round = 0; round < 1'000; ++round) {
    const Greeting greeting{RandomHello(random), NodeId(static_cast<std::uint32_t>(random()))};
    const frozen_v1::Hello frozen = Freeze(greeting.hello, greeting.to);
    const std::string bytes = frozen_v1::Encode(frozen);
    REQUIRE(EncodeGreeting(greeting).text() == bytes);
    Greeting today;
    REQUIRE(DecodeGreeting(AsBytes(bytes), today));
    CHECK(today == greeting);
    frozen_v1::Hello back;
    REQUIRE(frozen_v1::Decode(bytes, back));
    CHECK(back == frozen);
  }
  for (const auto errc :
       {RaftErrc::NodeIsNotReady, RaftErrc::NodeStopped, RaftErrc::ClusterIdMismatch,
        RaftErrc::DuplicateNodeId, RaftErrc::IdentityReplaced, RaftErrc::BootstrapMismatch,
        RaftErrc::VersionMismatch, RaftErrc::UnexpectedPeer}) {
    const error_code reason = errc;
    const frozen_v1::Reject frozen{static_cast<std::uint32_t>(errc), reason.message()};
    const std::string bytes = frozen_v1::Encode(frozen);
    CHECK(EncodeReject(reason).text() == bytes);
    error_code told;
    std::string text;
    REQUIRE(DecodeReject(AsBytes(bytes), told, text));
    CHECK(told == reason);
    frozen_v1::Reject back;
    REQUIRE(frozen_v1::Decode(bytes, back));
    CHECK(back == frozen);
  }
}
