// Every asynchronous call takes every kind of completion token; what a token does with the answer
// is its own affair.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include "catch.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

namespace asio = boost::asio;

// A sole member that leads its partition 1.
struct Sole {
  Sole() : cluster(world.executor(), 1) {
    cluster.CreateAll();
    cluster.JoinAll();
    cluster.WaitForLeader(1);
  }
  ~Sole() {
    cluster.StopAll();
    CHECK_FALSE(cluster.AnythingMisplaced());
  }
  RaftManager& raft() { return cluster.raft(1); }
  World world{World::Kind::kFourThreads};
  TestCluster cluster;
};

template <class Value>
Value Await(std::future<Value> future) {
  REQUIRE(future.wait_for(kPatience) == std::future_status::ready);
  return future.get();
}

asio::awaitable<void> AllCallsByDefault(RaftManager& raft) {
  co_await raft.WaitForLeader(1);
  co_await raft.AmILeader(1);
  co_await raft.ReplicateLogs(1, "Text", "default");
  const Batch batch = Batch().Add("Text", "default-a").Add("Text", "default-b");
  const ReplicateResult result = co_await raft.ReplicateLogs(1, batch);
  if (result.count != 2) throw std::runtime_error("two payloads were sent");
  co_await raft.ReplicateLogs(1, "Text", "applied", ReplicateOptions().AwaitApply());
  co_await raft.ReadBarrier(1);
  co_await raft.ReadBarrier(1, ReadOptions().Timeout(std::chrono::seconds(30)));
}

TEST_CASE("the default token is awaited in a coroutine") {
  Sole sole;
  Await(asio::co_spawn(sole.world.executor(), AllCallsByDefault(sole.raft()), asio::use_future));
  sole.cluster.journal(1).WaitForText(1, "applied");
  CHECK(sole.cluster.journal(1).Delivered(1) ==
        std::vector<std::string>{"default", "default-a", "default-b", "applied"});
}

asio::awaitable<void> Throws(RaftManager& raft, error_code& caught) {
  try {
    co_await raft.ReplicateLogs(99, "Text", "nowhere");
  } catch (const boost::system::system_error& error) {
    caught = error.code();
  }
}

TEST_CASE("use_awaitable throws what as_tuple and redirect_error return") {
  Sole sole;
  error_code caught;
  Await(asio::co_spawn(sole.world.executor(), Throws(sole.raft(), caught), asio::use_future));
  CHECK(caught == RaftErrc::PartitionNotFound);
}

struct Tuples {
  RaftManager* raft = nullptr;
  error_code awaitable_error{};
  error_code deferred_error{};
  error_code redirected_error{};
  error_code good_error{};
  std::uint32_t count = 0;

  asio::awaitable<void> Run() {
    constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
    const Payload payload("tuple");
    auto [error, result] = co_await raft->ReplicateLogs(99, "Text", payload, kTuple);
    awaitable_error = error;
    constexpr auto kDeferred = asio::as_tuple(asio::deferred);
    auto [second, second_result] = co_await raft->ReplicateLogs(99, "Text", payload, kDeferred);
    deferred_error = second;
    auto redirected = asio::redirect_error(asio::use_awaitable, redirected_error);
    co_await raft->ReplicateLogs(99, "Text", payload, redirected);
    auto [good, good_result] = co_await raft->ReplicateLogs(1, "Text", payload, kTuple);
    good_error = good;
    count = good_result.count;
    auto [barrier, barrier_result] = co_await raft->ReadBarrier(1, kTuple);
    if (barrier || barrier_result.index < good_result.index) count = 0;
    auto [leader_error, leader] = co_await raft->WaitForLeader(1, kTuple);
    if (leader_error || leader != NodeId(1)) count = 0;
    auto [step_error] = co_await raft->StepDown(99, kTuple);
    if (step_error != RaftErrc::PartitionNotFound) count = 0;
  }
};

TEST_CASE("as_tuple returns the error with the result") {
  Sole sole;
  Tuples tuples;
  tuples.raft = &sole.raft();
  Await(asio::co_spawn(sole.world.executor(), tuples.Run(), asio::use_future));
  CHECK(tuples.awaitable_error == RaftErrc::PartitionNotFound);
  CHECK(tuples.deferred_error == RaftErrc::PartitionNotFound);
  CHECK(tuples.redirected_error == RaftErrc::PartitionNotFound);
  CHECK_FALSE(tuples.good_error);
  CHECK(tuples.count == 1);
}

TEST_CASE("a deferred call starts when it is launched, not before") {
  Sole sole;
  auto write = sole.raft().ReplicateLogs(1, "Text", "deferred", asio::deferred);
  // A barrier that comes after it finds nothing: it is only a description yet.
  Answer<ReadBarrierResult> barrier;
  sole.raft().ReadBarrier(1, barrier.Token());
  barrier.Get();
  CHECK(sole.cluster.journal(1).Delivered(1).empty());
  Answer<ReplicateResult> answer;
  std::move(write)(answer.Token());
  answer.Get();
  sole.cluster.journal(1).WaitForText(1, "deferred");
}

TEST_CASE("use_future gives a future of the result, or of the exception") {
  Sole sole;
  auto& raft = sole.raft();
  const auto result = Await(raft.ReplicateLogs(1, "Text", "future", asio::use_future));
  CHECK(result.count == 1);
  CHECK(result.index > LogIndex(0));
  CHECK(Await(raft.ReadBarrier(1, asio::use_future)).index >= result.index);
  CHECK(Await(raft.AmILeader(1, asio::use_future)));
  CHECK(Await(raft.WaitForLeader(1, asio::use_future)) == NodeId(1));
  auto future = raft.ReplicateLogs(99, "Text", "nowhere", asio::use_future);
  REQUIRE(future.wait_for(kPatience) == std::future_status::ready);
  CHECK_THROWS_AS(future.get(), boost::system::system_error);
  auto transfer = raft.TransferLeadership(1, NodeId(9), asio::use_future);
  REQUIRE(transfer.wait_for(kPatience) == std::future_status::ready);
  CHECK_THROWS_AS(transfer.get(), boost::system::system_error);
  Await(raft.Stop(asio::use_future));
}

// Movable only, like many handlers of applications.
struct MoveOnlyHandler {
  std::unique_ptr<Answer<ReplicateResult>> answer;
  void operator()(error_code error, ReplicateResult result) && { answer->Token()(error, result); }
};

TEST_CASE("a callback may be a lambda or a type that can only be moved") {
  Sole sole;
  Answer<ReplicateResult> answer;
  sole.raft().ReplicateLogs(1, "Text", "callback", answer.Token());
  CHECK(answer.Get().count == 1);
  Answer<ReplicateResult> moved;
  sole.raft().ReplicateLogs(1, "Text", "moved",
                            MoveOnlyHandler{std::make_unique<Answer<ReplicateResult>>(moved)});
  CHECK(moved.Get().count == 1);
  Answer<ReplicateResult> with_options;
  sole.raft().ReplicateLogs(1, "Text", "options", ReplicateOptions().AwaitApply(),
                            with_options.Token());
  CHECK(with_options.Get().leader == NodeId(1));
  CHECK(sole.cluster.journal(1).Delivered(1) ==
        std::vector<std::string>{"callback", "moved", "options"});
}

TEST_CASE("detached takes no answer; the write happens all the same") {
  Sole sole;
  sole.raft().ReplicateLogs(1, "Text", "detached", asio::detached);
  sole.cluster.journal(1).WaitForText(1, "detached");
  sole.raft().ReadBarrier(1, asio::detached);
  sole.raft().WaitForLeader(1, asio::detached);
}

TEST_CASE("a handler bound to an executor is called there") {
  Sole sole;
  const auto strand = asio::make_strand(sole.world.executor());
  std::atomic<bool> is_there{false};
  Answer<ReplicateResult> answer;
  sole.raft().ReplicateLogs(
      1, "Text", "bound",
      asio::bind_executor(strand, [&](error_code error, ReplicateResult result) {
        is_there = strand.running_in_this_thread();
        answer.Token()(error, result);
      }));
  answer.Get();
  CHECK(is_there);
}

TEST_CASE("a call with a cancellation slot that nobody uses is a plain call") {
  Sole sole;
  asio::cancellation_signal signal;
  Answer<ReplicateResult> write;
  sole.raft().ReplicateLogs(1, "Text", "slot", write.Token(signal.slot()));
  CHECK(write.Get().count == 1);
  // After the answer it comes to nothing.
  signal.emit(asio::cancellation_type::terminal);
  CHECK(write.count() == 1);
}

TEST_CASE("an answer never comes inside the call that asks for it") {
  ManualWorld world;
  TestCluster cluster(world.executor(), 1);
  cluster.CreateAll();
  bool inside = false;
  int answers = 0;
  bool came_inside = false;
  const auto token = [&](const char*) {
    return [&](error_code, auto...) {
      came_inside = came_inside || inside;
      ++answers;
    };
  };
  auto& raft = cluster.raft(1);
  const auto call_all = [&] {
    inside = true;
    raft.ReplicateLogs(1, "Text", "x", token("write"));
    raft.ReplicateLogs(1, Batch(), token("empty"));
    raft.ReadBarrier(1, token("read"));
    raft.AmILeader(1, token("am I"));
    raft.WaitForLeader(1, token("who"));
    raft.TransferLeadership(1, NodeId(1), token("transfer"));
    raft.StepDown(99, token("step down"));
    inside = false;
  };
  // From a plain thread, before the node has joined: everything is refused, later.
  call_all();
  CHECK(answers == 0);
  // From a handler of the context, once it leads.
  bool joined = false;
  raft.JoinCluster([&](error_code error) { joined = !error; });
  world.RunUntil("join", [&] { return joined && raft.AmILeaderQuick(1); });
  CHECK(answers == 7);
  asio::post(world.context(), call_all);
  world.RunUntil("answers", [&] { return answers == 14; });
  CHECK_FALSE(came_inside);
  bool stopped = false;
  raft.Stop([&](error_code) { stopped = true; });
  CHECK_FALSE(stopped);
  world.RunOut();
  CHECK(stopped);
}

}  // namespace
}  // namespace kommander::test
