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
    switch (random_() % 9) {
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
      default: return TransferRequest();
    }
  }
  AppendRequest Append(std::size_t body_bytes_max) {
    AppendRequest m;
    m.previous_index = Index();
    m.previous_term = Term(Number());
    m.commit = Index();
    for (auto left = random_() % 5; left != 0; --left) {
      const Ticket ticket(Number(), static_cast<std::uint32_t>(Number()),
                          NodeId(static_cast<std::uint32_t>(Number())));
      std::string body(random_() % (body_bytes_max + 1), '\0');
      for (auto& c : body) c = static_cast<char>(random_());
      m.entries.emplace_back(Term(Number()), Index(), static_cast<EntryKind>(random_() % 3), ticket,
                             Payload(body));
    }
    return m;
  }
  std::mt19937_64 random_;
};

}  // namespace kommander::codec::testing
