// What a liar says, and when.
#include "liar.hpp"

#include <algorithm>
#include <limits>

#include "codec_filter.hpp"
#include "raft/membership.hpp"

namespace kommander::sim {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kHeardMax = 64;
// Honest candidates go from term to term in steps of one, and lies push them by few: no run leads
// an honest node so far.
constexpr std::uint64_t kLeapMin = std::uint64_t{1} << 20;
constexpr std::uint64_t kLeapMax = std::uint64_t{1} << 30;
// Where no log of a run ends.
constexpr LogIndex kNowhere{std::uint64_t{1} << 40};

}  // namespace

Liar::Liar(World& world, SimNetwork& network, const std::vector<std::unique_ptr<SimNode>>& nodes,
           const Facts& facts, std::uint32_t partitions)
    : world_(world),
      network_(network),
      nodes_(nodes),
      facts_(facts),
      partitions_(partitions),
      chance_(world.Fork(0x6c6961)),
      manner_(chance_.OneIn(2) ? Manner::kDeceives : Manner::kDisturbs),
      process_(world, "liar") {
  network_.AddTap([this](const Message& message) { Listen(message); });
}

void Liar::Begin(Instant end) {
  end_ = end;
  if (nodes_.size() > 1) Next();
}

void Liar::FallSilent() {
  if (self_) network_.SetSilenced(std::exchange(self_, NodeId()), false);
}

// Stretches of lies and of truth take turns; within one it speaks fast and slowly.
void Liar::Next() {
  const Instant now = world_.Now();
  if (now >= end_) return FallSilent();
  Duration pause = chance_.Between(10us, chance_.OneIn(8) ? 100ms : 10ms);
  if (self_ && now >= stretch_end_) {
    FallSilent();
    pause = chance_.Between(100ms, 5s);
  } else if (!self_) {
    self_ = AnyNode();
    network_.SetSilenced(self_, true);
    world_.trace().Event(now, "liar", self_.value());
    stretch_end_ = now + chance_.Between(500ms, 10s);
  } else {
    Speak();
  }
  world_.PushAt(process_.record(), now + pause, [this] { Next(); });
}

void Liar::Speak() {
  const SimNode& to = *nodes_[chance_.Below(nodes_.size())];
  if (to.id() == self_ || !to.IsUp()) return;
  std::vector<Message> messages;
  for (std::uint64_t count = chance_.Between(1, chance_.OneIn(10) ? 30 : 3); count > 0; --count) {
    messages.push_back(MakeUp(to));
  }
  (void)network_.Inject(SimNetwork::As::kPeer, self_, to.id(), std::move(messages));
}

Message Liar::MakeUp(const SimNode& to) {
  to_ = to.id();
  const PartitionId partition(static_cast<std::uint32_t>(chance_.Below(partitions_ + 1)));
  status_ = to.raft()->Status(partition);
  if (claimed_[partition].contains(status_.term)) ++followed_;
  Message message;
  message.partition = partition;
  if (manner_ == Manner::kDisturbs) {
    message.body = Disturb(partition, message.term);
  } else if (!heard_.empty() && chance_.OneIn(4)) {
    message = heard_[chance_.Below(heard_.size())];
    Replay(message);
  } else {
    message.term = chance_.OneIn(200) ? MakeUpTerm(partition) : AnyTerm();
    message.body = Deceive(message.term);
  }
  // Nobody has such a partition.
  if (chance_.OneIn(20)) message.partition = PartitionId(partitions_ + 1 + AnyNode().value());
  message.from = self_;
  message.to = to_;
  message.stamp = HlcTimestamp::FromWord(message.stamp.word(), self_);
  if (!PassThroughCodec(message)) FailWorld("a lie does not survive its encoding");
  return message;
}

// Keeps some of what passes, old and new.
void Liar::Listen(const Message& message) {
  if (heard_.size() < kHeardMax) {
    heard_.push_back(message);
  } else if (chance_.OneIn(8)) {
    heard_[chance_.Below(kHeardMax)] = message;
  }
}

MessageBody Liar::Disturb(PartitionId partition, Term& term) {
  term = AnyTerm();
  switch (chance_.Below(9)) {
    case 0:
    case 1: {
      const bool is_far = chance_.OneIn(20);
      if (is_far) term = MakeUpTerm(partition);
      const bool pre_vote = chance_.OneIn(2);
      return VoteRequest{AnyIndex(), AnyTerm(), pre_vote, chance_.OneIn(2)};
    }
    case 2: {
      const bool pre_vote = chance_.OneIn(2);
      return VoteReply{pre_vote, pre_vote};
    }
    case 3: return AppendReply(false, LogIndex(), AnyIndex(), AnyIndex(), AnyTerm());
    case 4: {
      term = ClaimedTerm(partition);
      return Heartbeat{LogIndex(), AnyNumber()};
    }
    case 5: {
      term = ClaimedTerm(partition);
      AppendRequest append = AnyAppend(term);
      const std::uint64_t shift = kNowhere.value() - append.previous_index.value();
      append.previous_index = kNowhere;
      for (Entry& entry : append.entries) entry.index = LogIndex(entry.index.value() + shift);
      return append;
    }
    case 6: return ReadIndexRequest{AnyNumber()};
    case 7: return ReadIndexReply{AnyNumber(), false, AnyIndex()};
    default: term = ClaimedTerm(partition); return TransferRequest();
  }
}

MessageBody Liar::Deceive(Term term) {
  switch (chance_.Below(12)) {
    case 0: {
      const LogIndex last = AnyIndex();
      const bool pre_vote = chance_.OneIn(2);
      return VoteRequest{last, TermNear(last), pre_vote, chance_.OneIn(2)};
    }
    case 1: return VoteReply{chance_.OneIn(2), chance_.OneIn(2)};
    case 2:
    case 3:
    case 4: return AnyAppend(term);
    case 5:
    case 6: return AppendReply(chance_.OneIn(2), AnyIndex(), AnyIndex(), AnyIndex(), AnyTerm());
    case 7: return Heartbeat{AnyIndex(), AnyNumber()};
    case 8: return HeartbeatReply{AnyNumber(), AnyIndex()};
    case 9: return ReadIndexRequest{AnyNumber()};
    case 10: return ReadIndexReply{AnyNumber(), chance_.OneIn(2), AnyIndex()};
    default: return TransferRequest();
  }
}

// Another's words as the liar's own, with something changed.
void Liar::Replay(Message& message) {
  if (chance_.OneIn(4)) {
    message.partition = PartitionId(static_cast<std::uint32_t>(chance_.Below(partitions_ + 1)));
  }
  status_.partition = message.partition;
  if (chance_.OneIn(2)) message.term = AnyTerm();
  if (auto* append = std::get_if<AppendRequest>(&message.body)) {
    if (chance_.OneIn(2)) append->commit = AnyIndex();
    if (chance_.OneIn(4)) append->previous_term = AnyTerm();
  } else if (auto* reply = std::get_if<AppendReply>(&message.body)) {
    reply->matched = AnyIndex();
  } else if (auto* heartbeat = std::get_if<Heartbeat>(&message.body)) {
    heartbeat->commit = AnyIndex();
  }
}

AppendRequest Liar::AnyAppend(Term term) {
  AppendRequest append;
  append.previous_index = AnyIndex();
  append.previous_term = TermNear(append.previous_index);
  append.commit = AnyIndex();
  LogIndex index = append.previous_index;
  for (std::uint64_t left = chance_.Below(5); left > 0; --left) {
    index = chance_.OneIn(16) ? AnyIndex() : index.Next();
    const Term entry_term = chance_.OneIn(2) ? term : TermNear(index);
    const auto kind = static_cast<EntryKind>(chance_.Below(chance_.OneIn(8) ? 3 : 2));
    Payload body = kind == EntryKind::kConfiguration ? AnyConfiguration() : Payload("of a liar");
    append.entries.emplace_back(entry_term, index, kind, Ticket(), std::move(body));
  }
  return append;
}

Payload Liar::AnyConfiguration() {
  std::vector<NodeId> voters;
  for (std::uint64_t left = chance_.Below(4); left > 0; --left) voters.push_back(AnyNode());
  if (chance_.OneIn(4)) voters.push_back(NodeId(1000));
  return raft::EncodeConfiguration(Configuration(std::move(voters), {self_}));
}

Term Liar::MakeUpTerm(PartitionId partition) {
  std::uint64_t highest = 0;
  for (const auto& node : nodes_) {
    if (node->IsUp()) highest = std::max(highest, node->raft()->Status(partition).term.value());
  }
  for (const auto& [node, disk] : facts_.disks()) {
    const DiskPartition* log = disk->Find(partition);
    if (log != nullptr) highest = std::max(highest, log->hard_state.term.value());
  }
  auto& claimed = claimed_[partition];
  if (!claimed.empty()) highest = std::max(highest, claimed.rbegin()->first.value());
  const Term term(highest + chance_.Between(kLeapMin, kLeapMax));
  claimed.emplace(term, self_);
  return term;
}

Term Liar::ClaimedTerm(PartitionId partition) {
  const auto& claimed = claimed_[partition];
  const auto found = claimed.find(status_.term);
  const bool is_claimed = found != claimed.end() && found->second == self_;
  return is_claimed && !chance_.OneIn(50) ? status_.term : MakeUpTerm(partition);
}

// Around the term of the node that it speaks to; a deceiver's may be any, now and then.
Term Liar::AnyTerm() {
  const std::uint64_t own = status_.term.value();
  if (manner_ == Manner::kDeceives && chance_.OneIn(2000)) return Term(chance_.Next());
  if (chance_.OneIn(2)) return Term(own);
  return Term(own + chance_.Below(4) - (own > 0 ? 1 : 0));
}

Term Liar::TermNear(LogIndex index) {
  const DiskPartition* log = facts_.Disk(to_, status_.partition);
  if (log == nullptr || chance_.OneIn(8)) return AnyTerm();
  return log->TermAt(index);
}

// Around the places where something changes, or anywhere.
LogIndex Liar::AnyIndex() {
  const LogIndex places[] = {status_.last, status_.committed, status_.durable, status_.applied};
  if (chance_.OneIn(6)) return LogIndex(chance_.OneIn(4) ? chance_.Next() : chance_.Below(1000));
  const LogIndex place = places[chance_.Below(std::size(places))];
  return LogIndex(place.value() + chance_.Below(4) - (place.value() > 0 ? 1 : 0));
}

std::uint64_t Liar::AnyNumber() {
  return chance_.OneIn(4) ? std::numeric_limits<std::uint64_t>::max() : chance_.Below(1000);
}

NodeId Liar::AnyNode() { return nodes_[chance_.Below(nodes_.size())]->id(); }

}  // namespace kommander::sim
