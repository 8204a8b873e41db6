#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include <kommander/testing.hpp>

#include "catch.hpp"

namespace kommander {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// Appends lines, and knows how many of its coroutines exist.
class Journal {
 public:
  explicit Journal(RaftManager& raft) : raft_(raft) {
    const auto keep = [this](const RaftLog& log) { lines_.emplace_back(log.payload().text()); };
    raft_.OnLogRestored(keep);
    raft_.OnReplicationReceived(keep);
  }
  asio::awaitable<void> Append(std::string line) {
    const auto counted = std::make_shared<Counted>();
    co_await raft_.ReplicateLogs(1, "line", Payload(line));
  }
  const std::vector<std::string>& lines() const noexcept { return lines_; }
  static inline int coroutines = 0;

 private:
  struct Counted {
    Counted() { ++coroutines; }
    ~Counted() { --coroutines; }
  };
  RaftManager& raft_;
  std::vector<std::string> lines_;
};

class JournalScenario : public testing::Scenario<Journal> {
 public:
  std::unique_ptr<Journal> MakeApplication(testing::Node node) override {
    return std::make_unique<Journal>(node.raft());
  }
  asio::awaitable<void> RunClient(testing::Client<Journal> client) override {
    for (int i = 0; client.IsLoadWanted(); ++i) {
      const std::string line = std::to_string(client.number()) + "." + std::to_string(i);
      const NodeId node = client.PickNode(1);
      const testing::Reply<void> reply = co_await client.Call(node, &Journal::Append, line);
      if (reply) acknowledged_.push_back(line);
      co_await client.Sleep(client.random().Between(1ms, 20ms));
    }
  }
  void CheckEnd() override {
    ForEachNode([&](NodeId, const Journal& journal) {
      for (const std::string& line : acknowledged_) {
        const auto& lines = journal.lines();
        if (std::find(lines.begin(), lines.end(), line) == lines.end()) Violate("kept", line);
      }
    });
  }

 private:
  std::vector<std::string> acknowledged_;
};

class ThrowingClient : public JournalScenario {
 public:
  asio::awaitable<void> RunClient(testing::Client<Journal> client) override {
    co_await client.Sleep(5s);
    throw std::runtime_error("out of patience");
  }
};

class Impatient : public JournalScenario {
 public:
  void Check() override {
    if (Now() > start_ + 20s) Violate("short", "it has run for too long");
  }

 private:
  const Instant start_{1s};  // of every world
};

TEST_CASE("an application keeps its promise under faults, and a run repeats") {
  const testing::Options options = testing::Options().Seeds(1, 3).VirtualSeconds(20);
  const testing::Result first = testing::Run<JournalScenario>(options);
  INFO(first.Text());
  CHECK(first.IsGood());
  CHECK(first.seeds() == 3);
  CHECK(first.calls() > 100);
  CHECK(first.faults() > 0);
  const testing::Result second = testing::Run<JournalScenario>(options);
  CHECK(second.calls() == first.calls());
  CHECK(second.faults() == first.faults());
}

TEST_CASE("coroutines that wait for the library go with the power of their node") {
  const auto losses = testing::Options().Seeds(1, 5).VirtualSeconds(20).Nodes(3).OnlyFaults(
      {"power-loss", "restart-storm", "abandon"});
  const testing::Result result = testing::Run<JournalScenario>(losses);
  INFO(result.Text());
  CHECK(result.IsGood());
  CHECK(result.faults() > 0);
  CHECK(Journal::coroutines == 0);
}

TEST_CASE("an exception that leaves a client is a violation") {
  const testing::Result result =
      testing::Run<ThrowingClient>(testing::Options().Seeds(7, 9).VirtualSeconds(10));
  REQUIRE_FALSE(result.IsGood());
  CHECK(result.seeds() == 1);
  CHECK(result.failure()->seed() == 7);
  CHECK(result.failure()->what().ends_with(": out of patience"));
}

TEST_CASE("a failure that needs no fault has a plan without any, and is replayed by its line") {
  const testing::Result result =
      testing::Run<Impatient>(testing::Options().Seeds(3, 3).Nodes(3).Clients(2));
  REQUIRE_FALSE(result.IsGood());
  CHECK(result.failure()->invariant() == "short");
  CHECK(result.failure()->plan() == "# at s, for s, kind, node, other, partition, draw\n");
  CHECK(result.failure()->replay() ==
        "--seeds 3..3 --virtual-seconds 30 --nodes 3 --partitions 1 --clients 2");
  // Such a plan is one without faults.
  const testing::Options none = testing::Options().Plan(result.failure()->plan());
  CHECK(none == testing::Options().NoFaults());
}

// Whoever asks a node that stands still gives up.
class Hurried : public JournalScenario {
 public:
  asio::awaitable<void> RunClient(testing::Client<Journal> client) override {
    client.SetTimeout(2s);
    while (client.IsLoadWanted()) {
      const NodeId node = client.PickNode(1);
      const testing::Reply<void> reply =
          co_await client.Call(node, &Journal::Append, std::string("line"));
      if (!reply && IsOutcomeUnknown(reply.error())) Violate("answered", "no answer in time");
      co_await client.Sleep(client.random().Between(1ms, 20ms));
    }
  }
};

std::vector<std::string> Split(const std::string& line) {
  std::istringstream words(line);
  return {std::istream_iterator<std::string>(words), {}};
}

testing::Options Pauses() { return testing::Options().Nodes(3).OnlyFaults({"pause"}); }

TEST_CASE("a failure that needs a pause is replayed by its line") {
  CHECK(testing::Run<Hurried>(Pauses().Seeds(1, 8).NoFaults()).IsGood());
  const testing::Result found = testing::Run<Hurried>(Pauses().Seeds(1, 8));
  REQUIRE_FALSE(found.IsGood());
  INFO(found.Text());
  const testing::Failure& failure = *found.failure();
  CHECK(failure.plan().find(" pause ") != std::string::npos);
  CHECK(failure.replay().ends_with(" --only-faults pause"));

  const testing::Options again = testing::Options().Parse(Split(failure.replay()));
  CHECK(again == Pauses().Seeds(failure.seed(), failure.seed()));
  const testing::Result replayed = testing::Run<Hurried>(again);
  REQUIRE_FALSE(replayed.IsGood());
  CHECK(replayed.failure()->invariant() == failure.invariant());
  CHECK(replayed.failure()->what() == failure.what());
  CHECK(replayed.failure()->plan() == failure.plan());

  // The few faults fail too, and so does the line that is printed for them.
  const testing::Result few = testing::Run<Hurried>(testing::Options(again).Plan(failure.plan()));
  REQUIRE_FALSE(few.IsGood());
  CHECK(few.failure()->plan() == failure.plan());
  const auto line = Split(few.failure()->replay());
  CHECK_FALSE(testing::Run<Hurried>(testing::Options().Parse(line)).IsGood());
}

// Fails at once, with whatever options.
class Refused : public JournalScenario {
 public:
  void Check() override { Violate("refused", "always"); }
};

TEST_CASE("every combination of options is replayed by its line") {
  const auto make = [](std::uint32_t bits) {
    const auto wants = [bits](std::uint32_t bit) { return ((bits >> bit) & 1) != 0; };
    testing::Options options;
    options.Shrink(wants(0)).TightLimits(wants(1));
    if (wants(2)) options.VirtualSeconds(7).Nodes(5);
    if (wants(3)) options.Partitions(0).Clients(1);
    if (wants(4)) options.OnlyFaults({"power-loss", "pause"});
    if (wants(5))
      options.Plan(
          "# two\n 1.500000000 2.000000000 pause 1 1 0 0a\n\n1.500000000 2.000000000 isolate 1 1 0 "
          "ff\n");
    if (wants(6)) options.NoFaults();
    if (wants(7)) options.RequireFaults(3);
    return options;
  };
  for (std::uint32_t bits = 0; bits < 256; ++bits) {
    const testing::Options options = make(bits).Seeds(5, 6);
    INFO(bits);
    CHECK(testing::Options().Parse(options.Arguments()) == options);
    // A program's own options are what its line is read over.
    CHECK(testing::Options(options).Parse(options.Arguments()) == options);
    if (!options.has_faults() && options.faults_required() != 0) continue;  // cannot be run
    const testing::Result result = testing::Run<Refused>(options);
    REQUIRE_FALSE(result.IsGood());
    const testing::Options one = testing::Options(options).Seeds(5, 5).RequireFaults(0);
    CHECK(testing::Options().Parse(Split(result.failure()->replay())) == one);
    CHECK(testing::Options(options).Parse(Split(result.failure()->replay())) == one);
  }
}

TEST_CASE("too few faults are not good") {
  const testing::Options options =
      testing::Options().Seeds(1, 2).VirtualSeconds(10).Nodes(1).OnlyFaults({"pause", "split"});
  const testing::Result enough =
      testing::Run<JournalScenario>(testing::Options(options).RequireFaults(1));
  INFO(enough.Text());
  CHECK(enough.IsGood());
  CHECK(enough.faults("pause") > 1);
  CHECK(enough.faults("pause") == enough.faults());
  CHECK(enough.faults_by_kind().size() == testing::FaultNames().size());
  CHECK(enough.faults("split") == 0);  // one node has no halves, and nobody asks it for them
  CHECK(enough.faults("moonlight") == 0);

  const testing::Result few =
      testing::Run<JournalScenario>(testing::Options(options).RequireFaults(1000));
  CHECK_FALSE(few.IsGood());
  CHECK_FALSE(few.failure());
  REQUIRE(few.lacks().size() == 1);
  CHECK(few.lacks().front() ==
        "pause took effect " + std::to_string(few.faults()) + " times, and 1000 are required");
  CHECK(few.Text().find("too few faults\n  pause took") != std::string::npos);
  CHECK_THROWS_WITH(
      testing::Run<JournalScenario>(testing::Options(options).NoFaults().RequireFaults(1)),
      "faults are required where none is possible");
}

TEST_CASE("options refuse what cannot be run") {
  testing::Options options;
  CHECK_THROWS_AS(options.Seeds(2, 1), std::invalid_argument);
  CHECK_THROWS_AS(options.Nodes(8), std::invalid_argument);
  CHECK_THROWS_AS(options.OnlyFaults({"earthquake"}), std::invalid_argument);
  CHECK_THROWS_AS(options.Plan("1 2 3"), std::invalid_argument);
  CHECK_THROWS_AS(options.Parse({"--seeds"}), std::invalid_argument);
  CHECK_THROWS_AS(options.Parse({"--seeds", "1-2"}), std::invalid_argument);
  CHECK_THROWS_AS(options.Parse({"--plan", "/nowhere/at/all"}), std::invalid_argument);
  CHECK_THROWS_AS(options.Parse({"--only-faults", "moonlight"}), std::invalid_argument);
  CHECK_THROWS_WITH(options.Plan("1.000000000 1.000000000 failing-apply 1 1 0 00\n"),
                    "the plan of faults: an application's handlers fail by themselves, or not");
  CHECK_THROWS_AS(options.Parse({"--fault", "1,2,3"}), std::invalid_argument);
  CHECK_THROWS_AS(options.Parse({"--sedes", "1"}), std::invalid_argument);
  options.Parse({"--seeds", "4..9", "--nodes", "5", "--no-faults", "--virtual-seconds", "7"});
  CHECK(options.first_seed() == 4);
  CHECK(options.last_seed() == 9);
  CHECK(options.nodes() == 5);
  CHECK(options.virtual_seconds() == 7);
  CHECK_FALSE(options.has_faults());
  // A plan that speaks of a node that is not there.
  options.Plan("1.000000000 1.000000000 pause 7 1 0 00\n").Nodes(3);
  CHECK_THROWS_AS(testing::Run<JournalScenario>(options), std::invalid_argument);
}

}  // namespace
}  // namespace kommander
