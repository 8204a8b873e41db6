// Messages: bytes that the decoder accepts encode to the same bytes again, and values that the
// encoder accepts come back equal.
#include "codec/messages.hpp"

#include <cstring>

#include "choices.hpp"
#include "codec/little_endian.hpp"
#include "target.hpp"
#include "unit/codec/random_messages.hpp"
#include "unit/codec/stream.hpp"
#include "values.hpp"

namespace kommander::fuzz {
namespace {

using codec::FrameError;
using codec::FrameKind;

// --- Bytes -> values -> bytes ---

void RunBytes(ByteSpan input) {
  Choices choices(input);
  const auto kind = static_cast<FrameKind>(6 + choices.Below(3));
  const ByteSpan payload = choices.rest();
  if (payload.size() < 8) return;
  const codec::Route route{NodeId(codec::Load<std::uint32_t>(payload.data())),
                           NodeId(codec::Load<std::uint32_t>(payload.data() + 4))};
  codec::ReceiveBuffer buffer;
  buffer.bytes = payload.size();
  buffer.owner = std::make_shared_for_overwrite<std::byte[]>(buffer.bytes);
  std::memcpy(buffer.owner.get(), payload.data(), buffer.bytes);
  const ByteSpan received(buffer.owner.get(), buffer.bytes);
  std::vector<Message> messages(1);  // what stood there stays
  const FrameError error = codec::DecodeMessages(kind, received, route, buffer, messages);
  FUZZ_REQUIRE(messages.front() == Message());
  if (error != FrameError::kNone) {
    FUZZ_REQUIRE(messages.size() == 1 && error == FrameError::kCorrupt);
    return;
  }
  codec::FrameEncoder encoder;
  for (std::size_t i = 1; i < messages.size(); ++i) FUZZ_REQUIRE(encoder.Add(messages[i]));
  encoder.Finish();
  const std::string frame = codec::testing::Bytes(encoder);
  FUZZ_REQUIRE(frame.substr(codec::kFrameHeaderBytes) == AsText(payload));
}

std::vector<std::string> BytesSeeds() {
  std::vector<std::string> seeds;
  codec::testing::MessageSource source(1);
  for (int i = 0; i < 24; ++i) {
    std::vector<Message> batch;
    codec::FrameEncoder encoder;
    for (int count = 1 + i % 3; count > 0; --count) batch.push_back(source.Next(40));
    for (const Message& message : batch) FUZZ_REQUIRE(encoder.Add(message));
    encoder.Finish();
    const std::string frame = codec::testing::Bytes(encoder);
    // The kind's low byte, as Run reads it.
    seeds.push_back(static_cast<char>(frame[6] - 6) + frame.substr(codec::kFrameHeaderBytes));
  }
  return seeds;
}

// --- Values -> bytes -> values ---

LogIndex Index(Choices& choices) { return LogIndex(choices.Number()); }

AppendRequest Append(Choices& choices) {
  AppendRequest append;
  append.previous_index = Index(choices);
  append.previous_term = Term(choices.Number());
  append.commit = Index(choices);
  for (std::size_t left = choices.Below(6); left != 0; --left) {
    const std::uint64_t word = choices.Number();
    const Ticket ticket = HlcTimestamp::FromWord(word, NodeId(choices.Number32()));
    std::string body = choices.Text(200);
    // Long enough to be referenced where it lies, now and then.
    if (choices.Below(8) == 7) body.resize(choices.Number() % 70000, 'b');
    const Term term(choices.Number());
    append.entries.emplace_back(term, Index(choices), static_cast<EntryKind>(choices.Below(9)),
                                ticket, Payload(body));
  }
  return append;
}

void RunValues(ByteSpan input) {
  Choices choices(input);
  std::vector<Message> messages;
  codec::FrameEncoder encoder;
  while (!choices.AtEnd() && messages.size() < 64) {
    const PartitionId partition(choices.Number32());
    const Term term(choices.Number());
    const NodeId from = codec::testing::kRoute.from;
    messages.emplace_back(partition, from, codec::testing::kRoute.to, term, ChooseBody(choices));
    messages.back().stamp = HlcTimestamp::FromWord(term.value() / 3, from);
  }
  for (const Message& message : messages) FUZZ_REQUIRE(encoder.Add(message));
  encoder.Finish();
  const std::string stream = codec::testing::Bytes(encoder);
  FUZZ_REQUIRE(stream.size() == encoder.bytes());
  const auto received = codec::testing::Receive(stream, 4000);
  FUZZ_REQUIRE(received.error == FrameError::kNone);
  FUZZ_REQUIRE(received.messages == messages);
}

std::vector<std::string> ValuesSeeds() {
  std::vector<std::string> seeds;
  for (char kind = 0; kind < 14; ++kind) {
    std::string seed{'\3', '\2', kind};
    for (char i = 1; i < 40; ++i) seed += i;
    seeds.push_back(seed);
    seeds.push_back(seed + seed);
  }
  return seeds;
}

MessageBody ChooseLaterBody(Choices& choices) {
  switch (choices.Below(5)) {
    case 0: {
      SnapshotOffer m;
      m.info = SnapshotInfo(Index(choices), Term(choices.Number()), choices.Number(), {});
      for (std::byte& byte : m.info.sha256) byte = static_cast<std::byte>(choices.Byte());
      return m;
    }
    case 1: {
      const LogIndex index = Index(choices);
      const std::uint64_t offset = choices.Number();
      return SnapshotChunk(index, offset, Payload(choices.Text(200)));
    }
    case 2: {
      const LogIndex index = Index(choices);
      const std::uint64_t received = choices.Number();
      return SnapshotReply(index, received, static_cast<SnapshotReply::State>(choices.Below(3)));
    }
    case 3: {
      ForwardRequest m;
      m.number = choices.Number();
      m.patience_ms = choices.Number();
      m.expected_generation = Generation(choices.Number());
      m.kind = static_cast<EntryKind>(choices.Below(9));
      m.await_apply = choices.Coin();
      m.body = Payload(choices.Text(200));
      return m;
    }
    default: {
      ForwardReply m;
      m.number = choices.Number();
      m.error = choices.Number32();
      m.leader = NodeId(choices.Number32());
      m.ticket = HlcTimestamp::FromWord(choices.Number(), m.leader);
      m.index = Index(choices);
      m.term = Term(choices.Number());
      m.count = choices.Number32();
      return m;
    }
  }
}

}  // namespace

MessageBody ChooseBody(Choices& choices) {
  switch (choices.Below(14)) {
    case 0: {
      VoteRequest m;
      m.last_index = Index(choices);
      m.last_term = Term(choices.Number());
      m.pre_vote = choices.Coin();
      m.transfer = choices.Coin();
      m.admits = Incarnation(choices.Number());
      return m;
    }
    case 1: {
      VoteReply m;
      m.pre_vote = choices.Coin();
      m.granted = choices.Coin();
      return m;
    }
    case 2: return Append(choices);
    case 3: {
      AppendReply m;
      m.accepted = choices.Coin();
      m.matched = Index(choices);
      m.rejected = Index(choices);
      m.hint_index = Index(choices);
      m.hint_term = Term(choices.Number());
      return m;
    }
    case 4: {
      Heartbeat m;
      m.commit = Index(choices);
      m.round = choices.Number();
      return m;
    }
    case 5: {
      HeartbeatReply m;
      m.round = choices.Number();
      m.durable = Index(choices);
      return m;
    }
    case 6: return ReadIndexRequest{choices.Number()};
    case 7: {
      ReadIndexReply m;
      m.request = choices.Number();
      m.confirmed = choices.Coin();
      m.index = Index(choices);
      return m;
    }
    case 8: return TransferRequest();
    default: return ChooseLaterBody(choices);
  }
}

constexpr Target kMessagesTarget{"messages", &RunBytes, &BytesSeeds};
constexpr Target kMessageValuesTarget{"message_values", &RunValues, &ValuesSeeds};

}  // namespace kommander::fuzz
