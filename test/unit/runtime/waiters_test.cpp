// Callers are numbered, found, and answered exactly once.
#include "runtime/waiters.hpp"

#include <map>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

#include "catch.hpp"
#include "runtime/events.hpp"

namespace asio = boost::asio;
using namespace kommander;
using namespace kommander::runtime;

namespace {

struct Fixture {
  asio::io_context context;
  PartitionMeters meters;
  Waiters waiters{PartitionId(3), meters};
  std::map<int, std::vector<error_code>> told;
  std::map<int, LogIndex> index;
  std::map<int, NodeId> leader;
  std::map<int, bool> leads;

  raft::RequestId Write(int name, Instant deadline = kNever) {
    Waiter waiter;
    waiter.kind = Waiter::Kind::kWrite;
    waiter.deadline = deadline;
    waiter.operation = detail::MakeOperation<ReplicateResult>(
        [this, name](error_code error, const ReplicateResult& result) {
          told[name].push_back(error);
          index[name] = result.index;
        },
        context.get_executor(), {});
    return waiters.Add(std::move(waiter));
  }
  raft::RequestId Leader(int name, Instant deadline = kNever) {
    Waiter waiter;
    waiter.kind = Waiter::Kind::kLeader;
    waiter.deadline = deadline;
    waiter.operation = detail::MakeOperation<NodeId>(
        [this, name](error_code error, NodeId) { told[name].push_back(error); },
        context.get_executor(), {});
    return waiters.Add(std::move(waiter));
  }
  raft::RequestId StableLeader(int name, Duration stable_for, Instant deadline = kNever) {
    Waiter waiter;
    waiter.kind = Waiter::Kind::kLeader;
    waiter.deadline = deadline;
    waiter.stable_for = stable_for;
    waiter.operation = detail::MakeOperation<NodeId>(
        [this, name](error_code error, NodeId who) {
          told[name].push_back(error);
          leader[name] = who;
        },
        context.get_executor(), {});
    return waiters.Add(std::move(waiter));
  }
  raft::RequestId Confirm(int name) {
    Waiter waiter;
    waiter.kind = Waiter::Kind::kConfirm;
    waiter.operation = detail::MakeOperation<bool>(
        [this, name](error_code error, bool is_leader) {
          told[name].push_back(error);
          leads[name] = is_leader;
        },
        context.get_executor(), {});
    return waiters.Add(std::move(waiter));
  }
  void Run() {
    waiters.Flush();
    context.restart();
    context.poll();
  }
};

Instant At(int milliseconds) { return Instant() + std::chrono::milliseconds(milliseconds); }

}  // namespace

TEST_CASE("a finished request is gone, and its number with it") {
  Fixture f;
  const raft::RequestId first = f.Write(1);
  f.waiters.Find(first)->index = LogIndex(7);
  f.waiters.FinishWrite(first, {}, NodeId());
  const raft::RequestId second = f.Write(2);  // reuses the slot
  REQUIRE(first != second);
  REQUIRE(f.waiters.Find(first) == nullptr);
  f.waiters.FinishWrite(first, RaftErrc::NodeStopped, NodeId());  // stale: nothing happens
  f.Run();
  REQUIRE(f.told[1] == std::vector<error_code>{{}});
  REQUIRE(f.index[1] == LogIndex(7));
  REQUIRE(f.told[2].empty());
}

TEST_CASE("an error speaks of the last sending alone") {
  Fixture f;
  const raft::RequestId once = f.Write(1);
  f.waiters.AwaitForward(once, NodeId(2));
  f.waiters.FinishWrite(once, RaftErrc::SessionExpired, NodeId());
  const raft::RequestId twice = f.Write(2);
  f.waiters.AwaitForward(twice, NodeId(2));
  f.waiters.AwaitForward(twice, NodeId(3));
  f.waiters.FinishWrite(twice, RaftErrc::SessionExpired, NodeId());
  const raft::RequestId lucky = f.Write(3);
  f.waiters.AwaitForward(lucky, NodeId(2));
  f.waiters.AwaitForward(lucky, NodeId(3));
  f.waiters.FinishWrite(lucky, {}, NodeId());
  f.Run();
  CHECK(f.told[1] == std::vector<error_code>{RaftErrc::SessionExpired});
  CHECK(f.told[2] == std::vector<error_code>{RaftErrc::OutcomeUnknown});
  CHECK(f.told[3] == std::vector<error_code>{{}});
}

TEST_CASE("what may be sent again is found when it is due, and nothing else is") {
  Fixture f;
  const raft::RequestId plain = f.Write(1);
  f.waiters.AwaitForward(plain, NodeId(2));
  const raft::RequestId kept = f.Write(2);
  f.waiters.AwaitForward(kept, NodeId(2));
  f.waiters.Find(kept)->resend = std::make_shared<ProposeEvent>();
  CHECK(f.waiters.Resendable(kNever) == std::vector{kept});
  CHECK(f.waiters.EarliestResend() == kNever);
  const Instant soon(std::chrono::seconds(7));
  f.waiters.Find(kept)->resend_at = soon;
  CHECK(f.waiters.EarliestResend() == soon);
  CHECK(f.waiters.Resendable(soon - Duration(1)).empty());
  CHECK(f.waiters.Resendable(soon) == std::vector{kept});
  f.waiters.FailAll(RaftErrc::NodeStopped);
}

TEST_CASE("waits for apply end in the order of their index") {
  Fixture f;
  const auto a = f.Write(1);
  const auto b = f.Write(2);
  const auto c = f.Write(3);
  f.waiters.AwaitApply(b, LogIndex(20), NodeId(3));
  f.waiters.AwaitApply(a, LogIndex(10), NodeId(3));
  f.waiters.AwaitApply(c, LogIndex(30), NodeId(3));
  f.waiters.AdvanceApplied(LogIndex(20));
  f.Run();
  REQUIRE(f.told[1].size() == 1);
  REQUIRE(f.told[2].size() == 1);
  REQUIRE(f.told[3].empty());
}

TEST_CASE("what is judged is told why it was refused, and nobody else is") {
  Fixture f;
  std::vector<raft::RequestId> requests;
  for (int key = 1; key <= 4; ++key) requests.push_back(f.Write(key));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    f.waiters.Find(requests[i])->is_judged = i != 2;
    f.waiters.AwaitApply(requests[i], LogIndex(10 + i), NodeId(3));
  }
  const std::vector<Refusal> refused{{LogIndex(5), RaftErrc::SettingChanged},
                                     {LogIndex(11), RaftErrc::TooManySettings},
                                     {LogIndex(12), RaftErrc::TooManySettings}};
  f.waiters.AdvanceApplied(LogIndex(12), refused);
  f.Run();
  CHECK(f.told[1] == std::vector<error_code>{{}});
  CHECK(f.told[2] == std::vector<error_code>{RaftErrc::TooManySettings});
  CHECK(f.told[3] == std::vector<error_code>{{}});
  CHECK(f.told[4].empty());
}

TEST_CASE("what is judged has an unknown outcome where a snapshot took the place of its entry") {
  Fixture f;
  const auto plain = f.Write(1);
  const auto judged = f.Write(2);
  const auto later = f.Write(3);
  const auto in_core = f.Write(4);
  for (const auto request : {judged, later, in_core}) f.waiters.Find(request)->is_judged = true;
  f.waiters.AwaitApply(plain, LogIndex(10), NodeId(3));
  f.waiters.AwaitApply(judged, LogIndex(11), NodeId(3));
  f.waiters.AwaitApply(later, LogIndex(21), NodeId(3));
  f.waiters.FailJudged(LogIndex(20));
  f.waiters.AdvanceApplied(LogIndex(20));
  f.Run();
  CHECK(f.told[1] == std::vector<error_code>{{}});
  CHECK(f.told[2] == std::vector<error_code>{RaftErrc::OutcomeUnknown});
  CHECK(f.told[3].empty());
  CHECK(f.told[4].empty());
  f.waiters.FailAll(RaftErrc::NodeStopped);
}

TEST_CASE("deadlines end what waits outside of the core, and only that") {
  Fixture f;
  const auto applying = f.Write(1, At(10));
  f.waiters.AwaitApply(applying, LogIndex(5), NodeId(3));
  const auto leader = f.Leader(2, At(20));
  f.waiters.AwaitLeader(leader);
  (void)f.Write(3, At(1));  // the core answers for this one
  REQUIRE(f.waiters.NextDeadline() == At(10));
  f.waiters.Expire(At(15));
  f.Run();
  REQUIRE(f.told[1] == std::vector<error_code>{RaftErrc::ProposalTimeout});
  REQUIRE(f.told[2].empty());
  REQUIRE(f.told[3].empty());
  f.waiters.Expire(At(25));
  f.Run();
  REQUIRE(f.told[2] == std::vector<error_code>{RaftErrc::LeaderTimeout});
  f.waiters.AdvanceApplied(LogIndex(5));  // the expired one is not answered again
  f.waiters.AnnounceLeader(NodeId(1), NodeId(2));
  f.Run();
  REQUIRE(f.told[1].size() == 1);
  REQUIRE(f.told[2].size() == 1);
}

TEST_CASE("who wants a stable leader waits until it has been the same for so long") {
  Fixture f;
  const NodeId self(2);
  const auto stable = f.StableLeader(1, std::chrono::milliseconds(10), At(60));
  const auto hasty = f.Leader(2);
  f.waiters.AwaitLeader(stable);
  f.waiters.AwaitLeader(hasty);
  f.waiters.AnnounceLeader(NodeId(1), self);
  f.waiters.SettleStable(At(0), NodeId(1), self, At(0));
  f.Run();
  CHECK(f.told[1].empty());
  CHECK(f.told[2] == std::vector<error_code>{{}});
  CHECK(f.waiters.NextDeadline() == At(10));  // somebody looks again by then
  f.waiters.SettleStable(At(9), NodeId(1), self, At(0));
  f.waiters.Expire(At(9));

  // Another one begins anew, and while nobody leads nothing ends.
  f.waiters.AnnounceLeader(NodeId(3), self);
  f.waiters.SettleStable(At(17), NodeId(3), self, At(8));
  f.waiters.SettleStable(At(40), NodeId(), self, At(17));
  f.Run();
  CHECK(f.told[1].empty());
  f.waiters.SettleStable(At(18), NodeId(3), self, At(8));
  f.Run();
  CHECK(f.told[1] == std::vector<error_code>{{}});
  CHECK(f.leader[1] == NodeId(3));

  const auto late = f.StableLeader(3, std::chrono::milliseconds(10), At(25));
  f.waiters.AwaitLeader(late);
  f.waiters.SettleStable(At(25), NodeId(3), self, At(20));
  f.waiters.Expire(At(25));
  f.waiters.SettleStable(At(30), NodeId(3), self, At(20));
  f.Run();
  CHECK(f.told[3] == std::vector<error_code>{RaftErrc::LeaderTimeout});
  CHECK(f.told[1].size() == 1);
}

TEST_CASE("who wants a stable leader is looked after, though another wait ends meanwhile") {
  Fixture f;
  const NodeId self(2);
  f.waiters.AwaitLeader(f.StableLeader(1, std::chrono::milliseconds(10), At(60)));
  f.waiters.AwaitLeader(f.StableLeader(2, std::chrono::milliseconds(50), At(5)));
  f.waiters.SettleStable(At(5), NodeId(1), self, At(0));
  f.waiters.Expire(At(5));
  f.Run();
  CHECK(f.told[2] == std::vector<error_code>{RaftErrc::LeaderTimeout});
  CHECK(f.told[1].empty());
  CHECK(f.waiters.NextDeadline() == At(10));
  f.waiters.SettleStable(At(10), NodeId(1), self, At(0));
  f.Run();
  CHECK(f.told[1] == std::vector<error_code>{{}});
}

TEST_CASE("that a node does not lead, or nobody said so in time, is an answer and no error") {
  Fixture f;
  f.waiters.FinishConfirm(f.Confirm(1), {}, true);
  f.waiters.FinishConfirm(f.Confirm(2), {}, false);
  f.waiters.FinishConfirm(f.Confirm(3), RaftErrc::NodeIsNotLeader, true);
  f.waiters.FinishConfirm(f.Confirm(4), RaftErrc::ReadTimeout, true);
  const auto stopped = f.Confirm(5);
  f.waiters.FinishConfirm(stopped, RaftErrc::NodeStopped, true);
  f.waiters.FinishConfirm(stopped, {}, true);  // stale: nothing happens
  f.waiters.Fail(f.Confirm(6), RaftErrc::ReadTimeout, NodeId(1));
  f.Run();
  for (const int name : {1, 2, 3, 4, 6}) {
    CAPTURE(name);
    CHECK(f.told[name] == std::vector<error_code>{{}});
    CHECK(f.leads[name] == (name == 1));
  }
  CHECK(f.told[5] == std::vector<error_code>{RaftErrc::NodeStopped});
  CHECK_FALSE(f.leads[5]);
  CHECK(f.waiters.size() == 0);
}

TEST_CASE("the end answers everybody: writes as unknown, the rest as stopped") {
  Fixture f;
  (void)f.Write(1);
  const auto leader = f.Leader(2);
  f.waiters.AwaitLeader(leader);
  f.waiters.FailAll(RaftErrc::NodeStopped);
  f.Run();
  REQUIRE(f.told[1] == std::vector<error_code>{RaftErrc::OutcomeUnknown});
  REQUIRE(f.told[2] == std::vector<error_code>{RaftErrc::NodeStopped});
  REQUIRE(f.waiters.size() == 0);
}

// A handler that hangs, or a partition without a leader, serves these queues never.
TEST_CASE("callers that have left take no places of the queues outside of the core") {
  Fixture f;
  for (int i = 0; i < 10'000; ++i) {
    const auto applying = f.Write(1, At(1));
    f.waiters.AwaitApply(applying, LogIndex(5), NodeId(3));
    const auto leader = f.Leader(2, At(60'000));
    f.waiters.AwaitLeader(leader);
    f.waiters.Expire(At(2));
    f.waiters.Fail(leader, asio::error::operation_aborted, NodeId());
  }
  CHECK(f.waiters.size() == 0);
  CHECK(f.waiters.queued() <= 200);
  // Those that stay are still served, in order.
  const auto late = f.Write(3);
  f.waiters.AwaitApply(late, LogIndex(9), NodeId(3));
  const auto early = f.Write(4);
  f.waiters.AwaitApply(early, LogIndex(6), NodeId(3));
  f.waiters.AdvanceApplied(LogIndex(8));
  f.Run();
  CHECK(f.told[3].empty());
  CHECK(f.told[4] == std::vector<error_code>{{}});
  CHECK(f.told[1].size() == 10'000);
  CHECK(f.told[2].size() == 10'000);
}
