// Whoever runs a node is told which limit was met, once for each in an interval, and not a thousand
// times.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "catch.hpp"
#include "codec/entry_body.hpp"
#include "raft/entry_bodies.hpp"
#include "runtime/partition_actor.hpp"

namespace asio = boost::asio;
using namespace kommander;
using namespace kommander::runtime;
using namespace std::chrono_literals;

namespace {

constexpr PartitionId kPartition{1};

// Time stands still until the test moves it, and wakes nobody.
class HandClock final : public Clock {
 public:
  class NoTimer final : public Timer {
   public:
    void Arm(Instant) override {}
    void Disarm() noexcept override {}
  };
  Instant Now() const noexcept override { return now; }
  std::uint64_t WallMilliseconds() const noexcept override { return 1000; }
  std::unique_ptr<Timer> CreateTimer(asio::any_io_executor, std::weak_ptr<Sink>) override {
    return std::make_unique<NoTimer>();
  }
  Instant now{1000s};
};

class NoTransport final : public Transport {
 public:
  error_code Start(asio::any_io_executor, Endpoint, std::weak_ptr<TransportHost>,
                   std::string&) override {
    return {};
  }
  void SetPeer(NodeId, Endpoint) override {}
  void RemovePeer(NodeId) override {}
  void Send(Message) noexcept override {}
  TransportStatistics Statistics() const noexcept override { return {}; }
  void Stop(std::function<void()>) override {}
};

// Syncs at once, or never.
class Disk final : public IoScheduler {
 public:
  error_code Start(std::shared_ptr<Wal>) override { return {}; }
  error_code SubmitWrite(WriteUnit unit, std::shared_ptr<IoSink> sink) override {
    if (!is_held) sink->OnWritten(unit.partition, unit.unit, {});
    return {};
  }
  error_code SubmitRead(ReadRequest, std::shared_ptr<IoSink>) override {
    return RaftErrc::ProposalQueueFull;
  }
  error_code UseFileSets() override { return {}; }
  error_code SubmitTask(PartitionId, std::function<void(Wal&, bool)>) override { return {}; }
  error_code SubmitFileTask(std::function<void(bool)>) override { return {}; }
  bool IsSaturated(PartitionId) const noexcept override { return is_saturated; }
  bool IsDiskFull() const noexcept override { return is_full; }
  IoStatistics Statistics() const noexcept override { return {}; }
  void Stop(std::function<void()>) override {}
  void Abort() noexcept override {}

  bool is_held = false;
  bool is_saturated = false;
  bool is_full = false;
};

asio::awaitable<void> NeverEnd() {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer never(executor, asio::steady_timer::time_point::max());
  co_await never.async_wait(asio::use_awaitable);
}

Payload BodyOf(std::size_t bytes, ByteSpan header = {}) {
  const Payload text(std::string(bytes, 'x'));
  const codec::EntryBodyItem item("Text", text);
  Payload body;
  REQUIRE_FALSE(codec::EncodeEntryBody({&item, 1}, body, header));
  return body;
}

// A node of which what it tells from warnings on is kept.
struct Node {
  explicit Node(const std::vector<NodeId>& members,
                const std::function<void(NodeServices&)>& tune = {}) {
    services->executor = context.get_executor();
    services->configuration.Id(NodeId(1)).EntryBytesMax(1024);
    services->clock = clock;
    services->io = disk;
    services->transport = std::make_shared<NoTransport>();
    services->logger.SetSink([this](const LogRecord& record) { lines.push_back(ToLogfmt(record)); },
                             LogLevel::kInfo, 1s, clock);
    if (tune) tune(*services);
    RecoveredPartition recovered;
    recovered.boundary.configuration = Configuration(members);
    actor = std::make_shared<PartitionActor>(services, kPartition, std::move(recovered),
                                             std::vector<StoredSnapshot>(), true);
    actor->Start();
    Run();
  }
  ~Node() {
    actor->Stop({});
    Run();
  }
  void Run() {
    context.restart();
    context.poll();
  }
  void Pass(Duration time) {
    clock->now += time;
    actor->OnTimer();
    Run();
  }
  // Without letting it run.
  void Submit(EntryKind kind, Payload body, Waiter::Kind waits_as = Waiter::Kind::kWrite,
              bool forward = false) {
    auto note = [this](error_code error, auto&&) { told.push_back(error); };
    ProposeEvent event;
    event.waits_as = waits_as;
    event.kind = kind;
    event.body = std::move(body);
    event.count = 1;
    event.forward = forward;
    if (waits_as == Waiter::Kind::kOpenSession) {
      event.operation =
          detail::MakeOperation<ClientSession>(std::move(note), context.get_executor(), {});
    } else {
      event.operation =
          detail::MakeOperation<ReplicateResult>(std::move(note), context.get_executor(), {});
    }
    actor->Submit(std::move(event));
  }
  void Submit(std::size_t bytes = 10, EntryKind kind = EntryKind::kApplication) {
    Submit(kind, BodyOf(bytes));
  }
  void Write(EntryKind kind = EntryKind::kApplication) {
    Submit(10, kind);
    Run();
  }
  void OpenSession() {
    Submit(EntryKind::kSession, raft::Encode(raft::SessionBody()), Waiter::Kind::kOpenSession);
    Run();
  }
  void Hear(NodeId from, Term term, MessageBody body, HlcTimestamp stamp = {}) {
    std::vector<Message> messages;
    messages.emplace_back(kPartition, from, NodeId(1), term, std::move(body));
    messages.back().stamp = stamp;
    actor->SubmitMessages(messages.begin(), messages.end());
    Run();
  }
  // What was told of an event since it was asked last, without what every record begins with.
  std::vector<std::string> Told(const std::string& event) {
    std::vector<std::string> found;
    for (const std::string& line : std::exchange(lines, {})) {
      const std::size_t at = line.find(" event=" + event + " ");
      if (at != std::string::npos) found.push_back(line.substr(at + 7));
    }
    return found;
  }
  // `refuse` meets the bound each time: the first is told, others are counted.
  void CheckBound(const std::string& bound, const std::function<void()>& refuse) {
    const std::string told_once = "pushed_back node=1 partition=1 bound=" + bound;
    refuse();
    CHECK(Told("pushed_back") == std::vector<std::string>{told_once});
    refuse();
    refuse();
    CHECK(Told("pushed_back").empty());
    clock->now += 1s;
    refuse();
    CHECK(Told("pushed_back") == std::vector<std::string>{told_once + " suppressed=2"});
  }

  std::vector<error_code> told;
  std::vector<std::string> lines;
  asio::io_context context;
  std::shared_ptr<HandClock> clock = std::make_shared<HandClock>();
  std::shared_ptr<Disk> disk = std::make_shared<Disk>();
  std::shared_ptr<NodeServices> services = std::make_shared<NodeServices>(NodeId(1));
  std::shared_ptr<PartitionActor> actor;
};

// It leads.
struct Sole : Node {
  explicit Sole(const std::function<void(NodeServices&)>& tune = {}) : Node({NodeId(1)}, tune) {
    Pass(10s);
    REQUIRE(actor->Status().ready);
    lines.clear();
  }
};

}  // namespace

TEST_CASE("limits told: calls that wait for the partition") {
  Sole sole([](NodeServices& services) { services.configuration.QueuedProposalsMax(1); });
  sole.CheckBound("queued", [&] {
    const std::size_t before = sole.told.size();
    sole.Submit();
    sole.Submit();
    sole.Run();
    REQUIRE(sole.told.size() == before + 2);
    CHECK(std::count(sole.told.begin(), sole.told.end(), RaftErrc::ProposalQueueFull) > 0);
  });
}

TEST_CASE("limits told: bytes of the whole node") {
  Sole sole([](NodeServices& services) { services.configuration.NodeBytesMax(1024); });
  sole.CheckBound("node_bytes", [&] {
    sole.Submit(600);
    sole.Submit(600);
    sole.Run();
  });
}

TEST_CASE("limits told: a disk that is behind") {
  Sole sole;
  sole.disk->is_saturated = true;
  sole.CheckBound("queued_writes", [&] { sole.Write(); });
}

TEST_CASE("limits told: what is not committed") {
  Sole sole([](NodeServices& services) { services.configuration.UncommittedBytesMax(1024); });
  sole.disk->is_held = true;
  sole.Submit(900);
  sole.Run();
  sole.lines.clear();
  sole.CheckBound("uncommitted", [&] {
    sole.Submit(900);
    sole.Run();
  });
}

TEST_CASE("limits told: handlers that are behind") {
  Sole sole([](NodeServices& services) {
    services.configuration.ApplyLagMax(1);
    services.handlers.replication_received = [](RaftLog) { return NeverEnd(); };
  });
  sole.Write();
  sole.Write();
  CHECK(sole.Told("pushed_back").empty());
  sole.CheckBound("apply_lag", [&] { sole.Write(); });
}

TEST_CASE("limits told: handlers that may be as far behind as they like") {
  Sole sole([](NodeServices& services) {
    services.configuration.ApplyLagMax(std::numeric_limits<std::uint64_t>::max());
  });
  for (int i = 0; i < 3; ++i) sole.Write();
  CHECK(sole.told == std::vector<error_code>(3));
  CHECK(sole.Told("pushed_back").empty());
}

TEST_CASE("limits told: open tickets") {
  Sole sole;
  for (int i = 0; i < 1024; ++i) sole.Write(EntryKind::kPrepared);
  CHECK(sole.Told("pushed_back").empty());
  sole.CheckBound("open_tickets", [&] { sole.Write(EntryKind::kPrepared); });
}

TEST_CASE("limits told: open sessions") {
  Sole sole;
  for (std::size_t i = 0; i < raft::kSessionsMax; ++i) sole.OpenSession();
  CHECK(sole.told.back() == error_code());
  CHECK(sole.Told("pushed_back").empty());
  sole.CheckBound("open_sessions", [&] {
    sole.OpenSession();
    CHECK(sole.told.back() == RaftErrc::TooManySessions);
  });
}

TEST_CASE("limits told: a session that has run ahead of its oldest unanswered write") {
  Sole sole;
  sole.OpenSession();
  const SessionId session(sole.actor->Status().last.value());
  const auto write = [&](std::uint64_t sequence) {
    std::array<std::byte, raft::kSessionHeaderBytes> header;
    raft::EncodeSessionHeader({session, sequence, 1}, header.data());
    sole.Submit(EntryKind::kSessionApplication, BodyOf(10, header));
    sole.Run();
    return sole.told.back();
  };
  CHECK(write(kSessionWindow) == error_code());
  CHECK(sole.Told("pushed_back").empty());
  sole.CheckBound("session_window",
                  [&] { CHECK(write(kSessionWindow + 1) == RaftErrc::ProposalQueueFull); });
}

TEST_CASE("limits told: callers that wait, wherever they stand") {
  Sole sole;
  sole.disk->is_held = true;
  for (int i = 0; i < 65536; ++i) sole.Write();
  CHECK(sole.told.empty());
  CHECK(sole.Told("pushed_back").empty());
  sole.CheckBound("callers", [&] {
    const std::size_t before = sole.told.size();
    sole.Write();
    REQUIRE(sole.told.size() == before + 1);
    CHECK(sole.told.back() == RaftErrc::ProposalQueueFull);
  });
}

TEST_CASE("limits told: bytes that the node has handed on to a leader, until it answers") {
  Node node({NodeId(1), NodeId(2)},
            [](NodeServices& services) { services.configuration.NodeBytesMax(1024); });
  node.Hear(NodeId(2), Term(1), Heartbeat());
  REQUIRE(node.actor->Status().leader == NodeId(2));
  node.lines.clear();
  const auto forward = [&] {
    node.Submit(EntryKind::kApplication, BodyOf(600), Waiter::Kind::kWrite, true);
    node.Run();
  };
  forward();
  CHECK(node.told.empty());
  CHECK(node.Told("pushed_back").empty());
  node.CheckBound("node_bytes", [&] {
    const std::size_t before = node.told.size();
    forward();
    REQUIRE(node.told.size() == before + 1);
    CHECK(node.told.back() == RaftErrc::ProposalQueueFull);
  });
  // Those whose answers are lost hold nothing any more.
  node.actor->NotePeerDown(NodeId(2));
  node.Run();
  CHECK(node.told.back() == RaftErrc::OutcomeUnknown);
  CHECK(node.services->budget.held() == 0);
  const std::size_t before = node.told.size();
  forward();
  CHECK(node.told.size() == before);
}

TEST_CASE("limits told: a full disk, when it begins and when it ends") {
  Sole sole;
  const std::string rest = " node=1 free_bytes_min=67108864";
  sole.Write();
  CHECK(sole.Told("disk_full").empty());
  sole.disk->is_full = true;
  for (int i = 0; i < 3; ++i) sole.Write();
  CHECK(sole.told.back() == RaftErrc::DiskFull);
  CHECK(sole.Told("disk_full") == std::vector<std::string>{"disk_full" + rest});
  sole.clock->now += 5s;
  sole.Write();
  CHECK(sole.Told("disk_full").empty());
  sole.disk->is_full = false;
  for (int i = 0; i < 3; ++i) sole.Write();
  CHECK(sole.told.back() == error_code());
  CHECK(sole.Told("disk_has_room") == std::vector<std::string>{"disk_has_room" + rest});
  // One that comes and goes is told no more often than any event.
  sole.clock->now += 5s;
  for (int i = 0; i < 5; ++i) {
    NoteDisk(*sole.services, true);
    NoteDisk(*sole.services, false);
  }
  CHECK(sole.Told("disk_full").size() == 1);
}

TEST_CASE("limits told: tickets that nobody decided, and sessions that nobody used") {
  Sole sole(
      [](NodeServices& services) { services.configuration.TicketTimeout(3s).SessionTimeout(20s); });
  for (int i = 0; i < 3; ++i) sole.Write(EntryKind::kPrepared);
  sole.OpenSession();
  sole.Pass(2s);
  CHECK(sole.Told("tickets_expired").empty());
  sole.Pass(2s);
  CHECK(sole.Told("tickets_expired") ==
        std::vector<std::string>{"tickets_expired node=1 partition=1 count=3"});
  CHECK(sole.actor->Statistics().open_tickets == 0);
  CHECK(sole.actor->Statistics().open_sessions == 1);
  for (int i = 0; i < 8 && sole.actor->Statistics().open_sessions != 0; ++i) sole.Pass(5s);
  CHECK(sole.Told("sessions_expired") ==
        std::vector<std::string>{"sessions_expired node=1 partition=1 count=1"});
  sole.Pass(30s);
  CHECK(sole.Told("tickets_expired").empty());
}

TEST_CASE("limits told: another node's clock that is too far ahead") {
  Sole sole([](NodeServices& services) { services.configuration.ClockAheadMax(500ms); });
  const auto hear = [&](std::uint64_t wall_ms) {
    sole.Hear(NodeId(3), Term(), Heartbeat(), HlcTimestamp(wall_ms, 0, NodeId(3)));
  };
  hear(1500);
  CHECK(sole.Told("clock_ahead").empty());
  hear(1501);
  hear(9000);
  CHECK(sole.Told("clock_ahead") == std::vector<std::string>{"clock_ahead node=1 from=3 ms=501"});
  sole.clock->now += 1s;
  hear(9000);
  CHECK(sole.Told("clock_ahead") ==
        std::vector<std::string>{"clock_ahead node=1 from=3 ms=8000 suppressed=1"});
  CHECK(sole.services->stamps_ahead.load() == 3);
}
