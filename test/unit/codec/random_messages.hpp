// Messages of every type with every field drawn at random, for properties of the codec.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <kommander/messages.hpp>

namespace kommander::codec::testing {

class MessageSource {
 public:
  explicit MessageSource(std::uint64_t seed) : random_(seed) {}

  Message Next(std::size_t body_bytes_max = 3000) {
    Message message(PartitionId(static_cast<std::uint32_t>(Number())), NodeId(7), NodeId(9),
                    Term(Number()), Body(body_bytes_max));
    message.stamp = HlcTimestamp::FromWord(Number(), message.from);
    return message;
  }
  std::vector<Message> Batch(std::size_t count) {
    std::vector<Message> messages;
    while (messages.size() < count) messages.push_back(Next());
    return messages;
  }
  // Small and large values alike.
  std::uint64_t Number() { return random_() >> (random_() % 64); }
  std::mt19937_64& random() { return random_; }

 private:
  bool Coin() { return random_() % 2 == 0; }
  LogIndex Index() { return LogIndex(Number()); }
  MessageBody Body(std::size_t body_bytes_max) {
    switch (random_() % 14) {
      case 0: {
        VoteRequest m;
        m.last_index = Index();
        m.last_term = Term(Number());
        m.pre_vote = Coin();
        m.transfer = Coin();
        m.admits = Incarnation(Number());
        return m;
      }
      case 1: {
        VoteReply m;
        m.pre_vote = Coin();
        m.granted = Coin();
        return m;
      }
      case 2: return Append(body_bytes_max);
      case 3: {
        AppendReply m;
        m.accepted = Coin();
        m.matched = Index();
        m.rejected = Index();
        m.hint_index = Index();
        m.hint_term = Term(Number());
        return m;
      }
      case 4: {
        Heartbeat m;
        m.commit = Index();
        m.round = Number();
        return m;
      }
      case 5: {
        HeartbeatReply m;
        m.round = Number();
        m.durable = Index();
        return m;
      }
      case 6: {
        ReadIndexRequest m;
        m.request = Number();
        return m;
      }
      case 7: {
        ReadIndexReply m;
        m.request = Number();
        m.confirmed = Coin();
        m.index = Index();
        return m;
      }
      case 8: return TransferRequest();
      default: return LaterBody(body_bytes_max);
    }
  }
  MessageBody LaterBody(std::size_t body_bytes_max) {
    switch (random_() % 5) {
      case 0: {
        SnapshotOffer m;
        m.info = SnapshotInfo(Index(), Term(Number()), Number(), {});
        for (std::byte& byte : m.info.sha256) byte = static_cast<std::byte>(random_());
        return m;
      }
      case 1: return SnapshotChunk(Index(), Number(), Bytes(body_bytes_max));
      case 2:
        return SnapshotReply(Index(), Number(), static_cast<SnapshotReply::State>(random_() % 3));
      case 3: {
        ForwardRequest m;
        m.number = Number();
        m.patience_ms = Number();
        m.expected_generation = Generation(Number());
        m.kind = static_cast<EntryKind>(random_() % 9);
        m.await_apply = Coin();
        m.body = Bytes(body_bytes_max);
        return m;
      }
      default: {
        ForwardReply m;
        m.number = Number();
        m.error = static_cast<std::uint32_t>(Number());
        m.leader = NodeId(static_cast<std::uint32_t>(Number()));
        m.ticket = AnyTicket();
        m.index = Index();
        m.term = Term(Number());
        m.count = static_cast<std::uint32_t>(Number());
        return m;
      }
    }
  }
  Ticket AnyTicket() {
    return HlcTimestamp::FromWord(Number(), NodeId(static_cast<std::uint32_t>(Number())));
  }
  Payload Bytes(std::size_t bytes_max) {
    std::string bytes(random_() % (bytes_max + 1), '\0');
    for (char& c : bytes) c = static_cast<char>(random_());
    return Payload(bytes);
  }
  AppendRequest Append(std::size_t body_bytes_max) {
    AppendRequest m;
    m.previous_index = Index();
    m.previous_term = Term(Number());
    m.commit = Index();
    for (auto left = random_() % 5; left != 0; --left) {
      const Ticket ticket = AnyTicket();
      m.entries.emplace_back(Term(Number()), Index(), static_cast<EntryKind>(random_() % 9), ticket,
                             Bytes(body_bytes_max));
    }
    return m;
  }
  std::mt19937_64 random_;
};

}  // namespace kommander::codec::testing
