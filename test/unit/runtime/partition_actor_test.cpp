// The actor at the edge of what its disk can take: what it owes is written, what can come again is
// not taken over.
#include "runtime/partition_actor.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "catch.hpp"

namespace asio = boost::asio;
using namespace kommander;
using namespace kommander::runtime;

namespace {

class StillClock final : public Clock {
 public:
  class StillTimer final : public Timer {
   public:
    void Arm(Instant) override {}
    void Disarm() noexcept override {}
  };
  Instant Now() const noexcept override { return Instant(std::chrono::seconds(1000)); }
  std::uint64_t WallMilliseconds() const noexcept override { return 1; }
  std::unique_ptr<Timer> CreateTimer(asio::any_io_executor, std::weak_ptr<Sink>) override {
    return std::make_unique<StillTimer>();
  }
};

class SentMessages final : public Transport {
 public:
  error_code Start(asio::any_io_executor, Endpoint, std::weak_ptr<TransportHost>,
                   std::string&) override {
    return {};
  }
  void SetPeer(NodeId, Endpoint) override {}
  void RemovePeer(NodeId) override {}
  void Send(Message message) noexcept override { sent.push_back(std::move(message)); }
  TransportStatistics Statistics() const noexcept override { return {}; }
  void Stop(std::function<void()>) override {}

  std::vector<Message> sent;
};

// A disk whose fullness is the test's to say. It syncs when told to.
class SlowDisk final : public IoScheduler {
 public:
  error_code Start(std::shared_ptr<Wal>) override { return {}; }
  error_code SubmitWrite(WriteUnit unit, std::shared_ptr<IoSink> submitter) override {
    if (refusal) return refusal;
    sink = std::move(submitter);
    units.push_back(std::move(unit));
    return {};
  }
  error_code SubmitRead(ReadRequest, std::shared_ptr<IoSink>) override {
    return RaftErrc::ProposalQueueFull;
  }
  error_code UseFileSets() override { return {}; }
  error_code SubmitTask(PartitionId, std::function<void(Wal&, bool)>) override { return {}; }
  error_code SubmitFileTask(std::function<void(bool)>) override { return {}; }
  bool IsSaturated(PartitionId) const noexcept override { return is_saturated; }
  IoStatistics Statistics() const noexcept override { return {}; }
  void Stop(std::function<void()>) override {}
  void Abort() noexcept override {}

  void Sync() { sink->OnWritten(units.back().partition, units.back().unit, {}); }

  bool is_saturated = false;
  error_code refusal;
  std::vector<WriteUnit> units;
  std::shared_ptr<IoSink> sink;
};

// Node 2 of three, with an empty log.
struct Follower {
  explicit Follower(PartitionId of = PartitionId(1)) : partition(of) {
    services->executor = context.get_executor();
    services->configuration.Id(NodeId(2));
    services->clock = std::make_shared<StillClock>();
    services->io = disk;
    services->transport = transport;
    RecoveredPartition recovered;
    recovered.boundary.configuration = Configuration({NodeId(1), NodeId(2), NodeId(3)});
    actor = std::make_shared<PartitionActor>(services, partition, std::move(recovered),
                                             std::vector<StoredSnapshot>(), true);
    actor->Start();
    Run();
  }
  ~Follower() {
    actor->Stop({});
    disk->sink.reset();
    Run();
  }
  void Run() {
    context.restart();
    context.poll();
  }
  void Hear(MessageBody body, Term term = Term(1)) {
    std::vector<Message> messages;
    messages.emplace_back(partition, NodeId(1), NodeId(2), term, std::move(body));
    actor->SubmitMessages(messages.begin(), messages.end());
    Run();
  }
  static AppendRequest Append(std::uint64_t index) {
    AppendRequest append;
    append.previous_index = LogIndex(index - 1);
    append.previous_term = index == 1 ? Term() : Term(1);
    append.entries.emplace_back(Term(1), LogIndex(index), EntryKind::kNoop, Ticket(), Payload());
    return append;
  }

  const PartitionId partition;
  asio::io_context context;
  std::shared_ptr<NodeServices> services = std::make_shared<NodeServices>(NodeId(2));
  std::shared_ptr<SlowDisk> disk = std::make_shared<SlowDisk>();
  std::shared_ptr<SentMessages> transport = std::make_shared<SentMessages>();
  std::shared_ptr<PartitionActor> actor;
};

}  // namespace

TEST_CASE("entries that the disk has no room for are dropped, and taken when they come again") {
  Follower node;
  node.disk->is_saturated = true;
  node.Hear(Follower::Append(1));
  CHECK(node.services->appends_dropped.load() == 1);
  CHECK(node.actor->Status().last == LogIndex());
  CHECK(node.disk->units.empty());
  CHECK(node.transport->sent.empty());

  node.disk->is_saturated = false;
  node.Hear(Follower::Append(1));
  REQUIRE(node.disk->units.size() == 1);
  CHECK(node.disk->units[0].entries.size() == 1);
  node.disk->Sync();
  node.Run();
  REQUIRE(node.transport->sent.size() == 1);
  const auto* reply = std::get_if<AppendReply>(&node.transport->sent[0].body);
  REQUIRE(reply != nullptr);
  CHECK(reply->accepted);
  CHECK(reply->matched == LogIndex(1));
  CHECK(node.services->appends_dropped.load() == 1);
}

TEST_CASE("what the system partition commits is on disk at once, for elections after a restart") {
  for (const PartitionId partition : {kSystemPartition, PartitionId(1)}) {
    Follower node(partition);
    node.Hear(Follower::Append(1));
    node.disk->Sync();
    node.Run();
    REQUIRE(node.disk->units.size() == 1);
    node.Hear(Heartbeat(LogIndex(1), 1));
    REQUIRE(node.actor->Status().committed == LogIndex(1));
    if (partition == kSystemPartition) {
      REQUIRE(node.disk->units.size() == 2);
      CHECK(node.disk->units[1].commit_hint == LogIndex(1));
    } else {
      CHECK(node.disk->units.size() == 1);
    }
  }
}

// The roster knows node 1, and has not met node 3.
struct Roster : NodeSink {
  void OnSystemCommand(LogIndex, Payload) override {}
  void OnSystemApplied(LogIndex) override {}
  void OnSystemMark(CutPoint) override {}
  void OnSystemInstalled(Payload) override {}
  void OnPartitionRestored(PartitionId) override {}
  void OnPartitionLeader(PartitionId, NodeId, bool) override {}
  void OnStoreFailed(PartitionId, error_code) override {}
  void OnPartitionDamaged(PartitionId, error_code) override {}
  Incarnation RosterPinOf(NodeId peer) const noexcept override {
    return peer == NodeId(1) ? Incarnation(11) : Incarnation();
  }
  Generation GenerationOf(PartitionId) const noexcept override { return Generation(5); }
};

TEST_CASE("a candidate tells every voter what its roster has of it") {
  Follower node;
  const auto roster = std::make_shared<Roster>();
  node.services->node = roster;
  node.Hear(Heartbeat{});
  node.disk->Sync();
  node.Run();
  node.transport->sent.clear();
  node.Hear(TransferRequest{});
  node.disk->Sync();
  node.Run();
  REQUIRE(node.transport->sent.size() == 2);
  for (const Message& message : node.transport->sent) {
    CHECK(std::get<VoteRequest>(message.body).admits == roster->RosterPinOf(message.to));
  }
}

TEST_CASE("what a node owes finds its place on a disk without room") {
  Follower node;
  node.disk->is_saturated = true;
  // A term goes to disk, a vote too, and a leader's sign of life is answered.
  node.Hear(VoteRequest{});
  REQUIRE(node.disk->units.size() == 1);
  CHECK(node.disk->units[0].hard_state == HardState{Term(1), NodeId(1)});
  node.disk->Sync();
  node.Run();
  REQUIRE(node.transport->sent.size() == 1);
  CHECK(std::get<VoteReply>(node.transport->sent[0].body).granted);
  node.Hear(Heartbeat{});
  REQUIRE(node.transport->sent.size() == 2);
  CHECK(std::holds_alternative<HeartbeatReply>(node.transport->sent[1].body));
  // So is a probe, which carries nothing.
  node.Hear(AppendRequest{});
  REQUIRE(node.transport->sent.size() == 3);
  CHECK(std::get<AppendReply>(node.transport->sent[2].body).accepted);
  CHECK(node.services->appends_dropped.load() == 0);
  CHECK_FALSE(node.actor->Status().failed);
}

// Each term is a write of its own, and a peer that lies need not wait for any.
TEST_CASE("a disk without room takes a few newer terms and no more until it has some") {
  Follower node;
  node.disk->is_saturated = true;
  for (std::uint64_t term = 1; term <= 1000; ++term) node.Hear(VoteRequest{}, Term(term));
  const std::size_t taken = node.disk->units.size();
  CHECK(taken >= 2);
  CHECK(taken <= 20);
  // What makes nothing to write is heard as before.
  const std::size_t answers = node.transport->sent.size();
  VoteRequest pre_vote;
  pre_vote.pre_vote = true;
  node.Hear(pre_vote, Term(2000));
  node.Hear(Heartbeat{}, node.disk->units.back().hard_state->term);
  CHECK(node.transport->sent.size() == answers + 2);

  node.disk->is_saturated = false;
  node.Hear(VoteRequest{}, Term(3000));
  REQUIRE(node.disk->units.size() == taken + 1);
  CHECK(node.disk->units.back().hard_state->term == Term(3000));
}

TEST_CASE("more callers than a partition keeps are refused, wherever the others wait") {
  constexpr int kKept = 65536;
  int waiting = 0;
  std::vector<error_code> told;
  Follower node;
  const auto wait = [&] {
    auto operation = detail::MakeOperation<NodeId>(
        [&](error_code error, NodeId) {
          --waiting;
          told.push_back(error);
        },
        node.context.get_executor(), {});
    ++waiting;
    node.actor->Submit(LeaderEvent{std::move(operation), nullptr, kNever});
    if (waiting % 1024 == 0) node.Run();
  };
  for (int i = 0; i < kKept; ++i) wait();
  node.Run();
  CHECK(told.empty());
  wait();
  node.Run();
  CHECK(told == std::vector<error_code>{RaftErrc::ProposalQueueFull});
  // The others go on waiting, and are told.
  node.Hear(Heartbeat{LogIndex(), 1});
  CHECK(waiting == 0);
  CHECK(std::count(told.begin(), told.end(), error_code()) == kKept);
}

// A follower that has been asked for a read and asks its leader for the index.
struct AskingFollower {
  AskingFollower() {
    node.Hear(Follower::Append(1));
    node.disk->Sync();
    node.Run();
    operation = detail::MakeOperation<ReadBarrierResult>(
        [this](error_code error, ReadBarrierResult) { told.push_back(error); },
        node.context.get_executor(), node.actor);
    node.actor->Submit(ReadEvent{operation, Waiter::Kind::kRead, kNever});
    node.Run();
    number = std::get<ReadIndexRequest>(node.transport->sent.back().body).request;
  }
  // The leader's answer: an index that is not applied here yet.
  void HearIndex() { node.Hear(ReadIndexReply{number, true, LogIndex(2)}); }

  std::vector<error_code> told;  // outlives the node, which answers whoever waits
  Follower node;
  detail::ReadOperation operation;
  std::uint64_t number = 0;
};

TEST_CASE(
    "a cancel that comes together with the answer of the core ends the wait for the handlers") {
  AskingFollower asking;
  SECTION("one that ends waits") {
    asking.operation->RequestCancel(asio::cancellation_type::partial);
    asking.HearIndex();
    CHECK(asking.told == std::vector<error_code>{asio::error::operation_aborted});
  }
  SECTION("one that does not") {
    asking.operation->RequestCancel(asio::cancellation_type::total);
    asking.HearIndex();
    CHECK(asking.told.empty());
  }
}

TEST_CASE("a read of what a failed disk will never apply ends with the failure") {
  AskingFollower asking;
  asking.HearIndex();
  CHECK(asking.told.empty());
  asking.node.actor->FailStore();
  asking.node.Run();
  CHECK(asking.told == std::vector<error_code>{RaftErrc::StorageFailed});
}

// A follower whose caller has asked for a write without a session, which it has handed to its
// leader.
struct ForwardingFollower {
  ForwardingFollower() {
    node.Hear(Heartbeat{LogIndex(), 1});
    ProposeEvent event;
    event.operation = detail::MakeOperation<ReplicateResult>(
        [this](error_code error, ReplicateResult) { told.push_back(error); },
        node.context.get_executor(), node.actor);
    event.count = 1;
    event.forward = true;
    node.actor->Submit(std::move(event));
    node.Run();
  }
  [[nodiscard]] std::ptrdiff_t Sent() const {
    const auto& sent = node.transport->sent;
    return std::count_if(sent.begin(), sent.end(), [](const Message& message) {
      return std::holds_alternative<ForwardRequest>(message.body);
    });
  }

  std::vector<error_code> told;  // outlives the node, which answers whoever waits
  Follower node;
};

TEST_CASE("a forwarded write whose link has ended is answered at once, and not sent again") {
  ForwardingFollower forwarding;
  REQUIRE(forwarding.Sent() == 1);
  forwarding.node.actor->NotePeerDown(NodeId(3));  // not its link
  forwarding.node.Run();
  CHECK(forwarding.told.empty());
  forwarding.node.actor->NotePeerDown(NodeId(1));
  forwarding.node.Run();
  CHECK(forwarding.told == std::vector<error_code>{RaftErrc::OutcomeUnknown});
  // Whoever leads next may have it, too.
  std::vector<Message> messages;
  messages.emplace_back(forwarding.node.partition, NodeId(3), NodeId(2), Term(2),
                        Heartbeat{LogIndex(), 1});
  forwarding.node.actor->SubmitMessages(messages.begin(), messages.end());
  forwarding.node.Run();
  CHECK(forwarding.Sent() == 1);
}

TEST_CASE("messages carry the time between nodes, and one that is far ahead counts without it") {
  Follower node;
  const auto hear = [&](std::uint64_t ms, Term term) {
    std::vector<Message> messages;
    messages.emplace_back(node.partition, NodeId(1), NodeId(2), term, Heartbeat{LogIndex(), 1});
    messages.back().stamp = HlcTimestamp(ms, 7, NodeId(1));
    node.actor->SubmitMessages(messages.begin(), messages.end());
    node.Run();
    node.disk->Sync();
    node.Run();
  };
  hear(400, Term(1));
  const HlcTimestamp seen = node.services->hybrid_clock.Now(StillClock().WallMilliseconds());
  CHECK(seen == HlcTimestamp(400, 7, NodeId(2)));
  CHECK(node.services->hybrid_clock.Draw(1) > HlcTimestamp(400, 7, NodeId(1)));
  REQUIRE_FALSE(node.transport->sent.empty());
  CHECK(node.transport->sent.back().stamp == seen);

  hear(5000, Term(2));
  CHECK(node.actor->Status().term == Term(2));
  CHECK(node.services->hybrid_clock.Now(1).physical_ms() == 400);
  CHECK(node.services->stamps_ahead.load() == 1);
}

TEST_CASE("a leader that does not know yet what is committed takes no checkpoint beyond its log") {
  std::vector<error_code> told;
  Follower node;
  const auto checkpoint = [&](std::uint64_t covered) {
    CheckpointEvent event;
    event.covered = LogIndex(covered);
    event.operation = detail::MakeOperation<ReplicateResult>(
        [&told](error_code error, const ReplicateResult&) { told.push_back(error); },
        node.context.get_executor(), node.actor);
    node.actor->Submit(std::move(event));
    node.Run();
  };
  node.Hear(Follower::Append(1));
  node.disk->Sync();
  node.Hear(TransferRequest());
  node.disk->Sync();
  node.Run();
  node.Hear(VoteReply(false, true), Term(2));
  const PartitionStatus status = node.actor->Status();
  REQUIRE(status.role == Role::kLeader);
  REQUIRE_FALSE(status.ready);
  REQUIRE(status.last == LogIndex(2));
  checkpoint(3);
  CHECK(told == std::vector<error_code>{RaftErrc::InvalidArgument});
  checkpoint(1);
  CHECK(told.size() == 1);  // it waits to be committed
}

// A call that is cancelled before the partition has seen it.
template <class Result>
auto Cancelled(Follower& node, std::vector<error_code>& told) {
  auto operation = detail::MakeOperation<Result>(
      [&told](error_code error, const auto&...) { told.push_back(error); },
      node.context.get_executor(), node.actor);
  operation->RequestCancel(asio::cancellation_type::total);
  return operation;
}

TEST_CASE("calls that are answered at once have no effect when they were cancelled before") {
  std::vector<error_code> told;
  Follower node;
  node.actor->Submit(ListTicketsEvent{Cancelled<std::vector<OpenTicket>>(node, told)});
  node.actor->Submit(HoldEvent{Cancelled<RetentionHold>(node, told), LogIndex(1)});
  node.actor->Submit(HeartbeatsEvent{Cancelled<detail::NoResult>(node, told), true});
  node.Run();
  CHECK(told == std::vector<error_code>(3, asio::error::operation_aborted));
}

TEST_CASE("a unit that the disk refuses is a failed write, not one to wait for") {
  Follower node;
  node.disk->refusal = RaftErrc::StorageFailed;
  node.Hear(Follower::Append(1));
  CHECK(node.actor->Status().failed);
  CHECK(node.transport->sent.empty());
}
