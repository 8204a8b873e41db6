#include "unit/raft/nonsense.hpp"

#include <algorithm>
#include <utility>

#include <kommander/assert.hpp>

#include "raft/membership.hpp"

namespace kommander::raft::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kSelf = 1;
constexpr std::uint32_t kMembers = 4;  // the last one is a learner
constexpr std::size_t kRequestsMax = 64;

Configuration Initial() { return Configuration({NodeId(1), NodeId(2), NodeId(3)}, {NodeId(4)}); }

}  // namespace

Nonsense::Nonsense(ByteSpan input)
    : choices_(input), disk_(Initial()), now_(Instant(std::chrono::seconds(1000))) {
  options_.partition = PartitionId(1);
  options_.self = NodeId(kSelf);
  options_.incarnation = Incarnation(1);
  options_.election_timeout = 100ms;
  options_.requests_max = kRequestsMax;
  if (choices_.Coin()) {
    options_.append_bytes_max = options_.inflight_bytes_max = options_.apply_bytes_max = 200;
    options_.cache_bytes_max = 0;
    options_.inflight_messages_max = 2;
  }
  Restart();
}

void Nonsense::Restart() {
  options_.seed = choices_.Byte();
  applier_.clear();
  fetches_.clear();
  waiting_.clear();
  core_ = std::make_unique<Core>(options_, disk_.Recover(), LogIndex(), now_);
  Step(Enable{choices_.Below(8) != 0});
}

void Nonsense::Run() {
  while (!choices_.AtEnd()) Act();
  Step(Stop{});
  KOMMANDER_ASSERT(waiting_.empty(), "Stop answers everybody");
}

void Nonsense::Step(Input input) {
  std::vector<Input> inputs;
  inputs.push_back(std::move(input));
  core_->Step(inputs, now_, effects_);
  core_->CheckInvariants();
  Take();
}

void Nonsense::Take() {
  for (const Completion& completion : effects_.completions) {
    KOMMANDER_ASSERT(waiting_.erase(completion.request.value()) == 1, "one answer per request");
  }
  // Room for what one step may owe: some answers per member, and the window of each.
  KOMMANDER_ASSERT(effects_.messages.size() <=
                       kMembers * (options_.inflight_messages_max + 8) + options_.requests_max,
                   "a step sends no more than it owes");
  if (effects_.write) {
    if (effects_.write->drop_log) applier_.clear();
    disk_.Submit(std::move(*effects_.write));
  }
  for (const Fetch& fetch : effects_.fetches) fetches_.push_back(fetch);
  for (ApplyItem& item : effects_.apply) applier_.push_back(std::move(item));
  KOMMANDER_ASSERT(fetches_.size() <= 2 * kMembers + 8, "few reads are under way");
}

void Nonsense::Act() {
  const std::size_t action = choices_.Below(16);
  if (action < 8) return Step(Receive{AnyMessage()});
  if (action == 8) {
    now_ += choices_.Byte() * 1ms;
    return Step(Tick{});
  }
  if (action < 11) {
    if (disk_.pending() != 0) Step(Persisted{disk_.SyncOne()});
    return;
  }
  if (action == 11 && !applier_.empty()) {
    const LogIndex last = applier_.back().entry.index;
    applier_.clear();
    return Step(Applied{last});
  }
  if (action == 12 && !fetches_.empty()) {
    const Fetch fetch = fetches_.back();
    fetches_.pop_back();
    auto entries = disk_.Read(fetch.first, fetch.last, fetch.bytes_max);
    return Step(Fetched{fetch.fetch, fetch.first, std::move(entries)});
  }
  ActLocally();
}

// The honest side: callers, snapshots, restarts.
void Nonsense::ActLocally() {
  switch (choices_.Below(12)) {
    case 0:
    case 1:
    case 2: {
      Propose propose;
      propose.body = Payload(choices_.Bytes(60));
      return Request(propose);
    }
    case 3: return Request(Read{RequestId(), now_ + 50ms});
    case 4: return Request(Transfer{RequestId(), NodeId(choices_.Byte() % 6)});
    case 5: return Request(StepDown{});
    case 6: return Request(Reconfigure{RequestId(), AnyConfiguration(), now_ + 300ms});
    case 7: return AnswerSnapshot();
    case 8: return CompactSome();
    case 9:
      if (!waiting_.empty()) Step(Withdraw{RequestId(*waiting_.begin())});
      return;
    case 10:
      return Step(SnapshotSent{AnyMember(), core_->Status().first.Previous(), choices_.Coin()});
    default: disk_.Crash(choices_.Byte()); return Restart();
  }
}

void Nonsense::Request(Input input) {
  const std::uint64_t number = next_request_++;
  std::visit(
      [number](auto& body) {
        if constexpr (requires { body.request; }) body.request = RequestId(number);
      },
      input);
  waiting_.insert(number);
  Step(std::move(input));
}

void Nonsense::AnswerSnapshot() {
  SnapshotStaged staged;
  staged.from = AnyMember();
  staged.term = AnyTerm();
  staged.boundary.index = AnyIndex();
  staged.boundary.term = choices_.Coin() ? TermNear(staged.boundary.index) : AnyTerm();
  staged.boundary.configuration = AnyConfiguration();
  staged.boundary.ledger = Payload(choices_.Bytes(2));
  Step(staged);
}

void Nonsense::CompactSome() {
  const CoreStatus status = core_->Status();
  const LogIndex durable_applied = std::min(status.applied, disk_.last());
  if (durable_applied < status.first) return;
  Compact compact;
  compact.boundary.index = durable_applied;
  Step(compact);
}

NodeId Nonsense::AnyMember() {
  return NodeId(kSelf + 1 + static_cast<std::uint32_t>(choices_.Below(kMembers - 1)));
}

// Around the places where something changes, or anywhere.
LogIndex Nonsense::AnyIndex() {
  const CoreStatus status = core_->Status();
  const LogIndex places[] = {status.last, status.committed, status.first, status.durable};
  const std::size_t how = choices_.Below(20);
  if (how >= 16) return LogIndex(choices_.Number());
  return LogIndex(places[how % 4].value() + how / 4 - 1);
}

Term Nonsense::AnyTerm() {
  const std::uint64_t own = core_->Status().term.value();
  const std::size_t how = choices_.Below(16);
  if (how < 10) return Term(own);
  if (how < 14) return Term(own + how - 11);
  return Term(choices_.Number());
}

Term Nonsense::TermNear(LogIndex index) {
  const Term there = core_->TermAt(index);
  const std::size_t how = choices_.Below(8);
  if (how < 6) return there;
  return how == 6 ? Term(there.value() + 1) : AnyTerm();
}

Configuration Nonsense::AnyConfiguration() {
  switch (choices_.Below(4)) {
    case 0: return Initial();
    case 1: return Configuration({NodeId(1), NodeId(2)}, {NodeId(3)});
    case 2: {
      std::vector<NodeId> voters;
      for (std::size_t left = choices_.Below(4); left != 0; --left) {
        voters.push_back(NodeId(1 + static_cast<std::uint32_t>(choices_.Below(6))));
      }
      return Configuration(voters, {}, choices_.Coin() ? Initial().voters : std::vector<NodeId>());
    }
    default: return choices_.Configuration();
  }
}

AppendRequest Nonsense::AnyAppend(Term term) {
  AppendRequest append;
  append.previous_index = AnyIndex();
  append.previous_term = TermNear(append.previous_index);
  append.commit = AnyIndex();
  LogIndex index = append.previous_index;
  for (std::size_t left = choices_.Below(5); left != 0; --left) {
    const std::size_t how = choices_.Below(16);
    index = how == 15 ? AnyIndex() : index.Next();
    const Term entry_term = how < 8 ? term : how < 12 ? TermNear(index) : AnyTerm();
    const auto kind = static_cast<EntryKind>(choices_.Below(3));
    Payload body = kind == EntryKind::kConfiguration && choices_.Byte() < 0xe0
                       ? EncodeConfiguration(AnyConfiguration())
                       : Payload(choices_.Bytes(20));
    append.entries.emplace_back(entry_term, index, kind, Ticket(), std::move(body));
  }
  return append;
}

MessageBody Nonsense::AnyBody(Term term) {
  switch (choices_.Below(9)) {
    case 0: {
      const LogIndex last = AnyIndex();
      const Term last_term = TermNear(last);
      const bool pre_vote = choices_.Coin();
      VoteRequest request{last, last_term, pre_vote, choices_.Coin()};
      request.admits = Incarnation(choices_.Below(3));  // this node's is 1
      return request;
    }
    case 1: {
      const bool pre_vote = choices_.Coin();
      return VoteReply{pre_vote, choices_.Coin()};
    }
    case 2: return AnyAppend(term);
    case 3: {
      AppendReply reply;
      reply.accepted = choices_.Coin();
      reply.matched = AnyIndex();
      reply.rejected = AnyIndex();
      reply.hint_index = AnyIndex();
      reply.hint_term = AnyTerm();
      return reply;
    }
    case 4: {
      const LogIndex commit = AnyIndex();
      return Heartbeat{commit, choices_.Number()};
    }
    case 5: {
      const std::uint64_t round = choices_.Number();
      return HeartbeatReply{round, AnyIndex()};
    }
    case 6: return ReadIndexRequest{choices_.Number()};
    case 7: {
      const std::uint64_t request = choices_.Number();
      const bool confirmed = choices_.Coin();
      return ReadIndexReply{request, confirmed, AnyIndex()};
    }
    default: return TransferRequest();
  }
}

Message Nonsense::AnyMessage() {
  const NodeId from = AnyMember();
  const Term term = AnyTerm();
  return Message(options_.partition, from, options_.self, term, AnyBody(term));
}

}  // namespace kommander::raft::test
