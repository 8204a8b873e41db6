#include <algorithm>
#include <chrono>
#include <memory>
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
