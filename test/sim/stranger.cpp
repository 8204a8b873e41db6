#include "stranger.hpp"

#include <limits>
#include <string>
#include <utility>

namespace kommander::sim {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kHeardMax = 64;
constexpr Duration kPauseMax = 40ms;

}  // namespace

Stranger::Stranger(World& world, SimNetwork& network, std::uint32_t nodes, std::uint32_t partitions)
    : world_(world),
      network_(network),
      nodes_(nodes),
      partitions_(partitions),
      chance_(world.Fork(0x737472)),
      process_(world, "stranger") {
  network_.AddTap([this](const Message& message) { Listen(message); });
}

void Stranger::Begin(Instant end) {
  for (Instant at = world_.Now(); at < end; at += chance_.Between(1us, kPauseMax)) {
    world_.PushAt(process_.record(), at, [this] { Speak(); });
  }
}

// Keeps some of what passes, old and new.
void Stranger::Listen(const Message& message) {
  if (heard_.size() < kHeardMax) {
    heard_.push_back(message);
  } else if (chance_.OneIn(8)) {
    heard_[chance_.Below(kHeardMax)] = message;
  }
}

// Claims to be a member or somebody whom nobody knows.
void Stranger::Speak() {
  const NodeId from = chance_.OneIn(3) ? AnyNode() : NodeId(nodes_ + (chance_.OneIn(2) ? 1 : 1000));
  const NodeId to = AnyNode();
  std::vector<Message> messages;
  for (std::uint64_t count = chance_.Between(1, 4); count > 0; --count) {
    Message message = MakeUp();
    message.from = from;
    message.to = to;
    messages.push_back(std::move(message));
  }
  (void)network_.Inject(SimNetwork::As::kStranger, from, to, std::move(messages));
}

Message Stranger::MakeUp() {
  Message message;
  if (!heard_.empty() && chance_.OneIn(2)) {
    message = heard_[chance_.Below(heard_.size())];
    Alter(message);
    return message;
  }
  message.partition = PartitionId(static_cast<std::uint32_t>(chance_.Below(partitions_ + 2)));
  message.term = Term(kMark.value() + AnyNumber() / 2);
  message.body = AnyBody();
  return message;
}

// A replay, perhaps to another partition or out of another term.
void Stranger::Alter(Message& message) {
  if (chance_.OneIn(4)) {
    message.partition = PartitionId(static_cast<std::uint32_t>(chance_.Below(partitions_ + 1)));
  }
  if (chance_.OneIn(2)) message.term = Term(kMark.value() + message.term.value());
  if (auto* append = std::get_if<AppendRequest>(&message.body)) {
    append->commit = LogIndex(append->commit.value() + AnyNumber());
    for (Entry& entry : append->entries) entry.body = Payload("of a stranger");
  } else if (auto* reply = std::get_if<AppendReply>(&message.body)) {
    reply->accepted = true;
    reply->matched = LogIndex(reply->matched.value() + chance_.Below(10));
  } else if (auto* vote = std::get_if<VoteReply>(&message.body)) {
    vote->granted = true;
  } else if (auto* heartbeat = std::get_if<Heartbeat>(&message.body)) {
    heartbeat->commit = LogIndex(AnyNumber());
  }
}

MessageBody Stranger::AnyBody() {
  const LogIndex index(AnyNumber());
  switch (chance_.Below(8)) {
    case 0: {
      VoteRequest request{index, Term(AnyNumber()), chance_.OneIn(2), chance_.OneIn(2)};
      request.admits = Incarnation(AnyNumber());
      return request;
    }
    case 1: return VoteReply{chance_.OneIn(2), true};
    case 2: {
      AppendRequest append{index, Term(AnyNumber()), LogIndex(AnyNumber()), {}};
      append.entries.emplace_back(kMark, index.Next(), EntryKind::kApplication, Ticket(),
                                  Payload("of a stranger"));
      return append;
    }
    case 3: {
      AppendReply reply;
      reply.accepted = chance_.OneIn(2);
      reply.matched = reply.rejected = index;
      return reply;
    }
    case 4: return Heartbeat{index, AnyNumber()};
    case 5: return HeartbeatReply{AnyNumber(), index};
    case 6: return ReadIndexReply{AnyNumber(), true, index};
    default: return TransferRequest();
  }
}

NodeId Stranger::AnyNode() { return NodeId(1 + static_cast<std::uint32_t>(chance_.Below(nodes_))); }

std::uint64_t Stranger::AnyNumber() {
  return chance_.OneIn(4) ? std::numeric_limits<std::uint64_t>::max() : chance_.Below(1000);
}

}  // namespace kommander::sim
