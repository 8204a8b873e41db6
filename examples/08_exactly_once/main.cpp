// A client that is told nothing about a write sends it again; with a session the write counts once
// all the same. Here answers are lost, leaders go in the middle of the work, time is short, and the
// sum is right.
#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <kommander/kommander.hpp>
#include <kommander/memory_transport.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/steady_clock.hpp>

namespace asio = boost::asio;
using namespace kommander;
using namespace std::chrono_literals;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr int kWrites = 200;

// A node, and the sum that its log stands for.
class Account {
 public:
  Account(asio::io_context& context, NodeId id, const std::vector<NodeAddress>& members,
          MemoryNetwork& network)
      : raft_(context.get_executor(), Configure(id, members), std::make_shared<MemoryWal>(),
              network.CreateTransport(MakeSteadyClock()),
              std::make_shared<StaticDiscovery>(members)) {
    const auto add = [this](const RaftLog&) { ++sum_; };
    raft_.OnLogRestored(add);
    raft_.OnReplicationReceived(add);
  }
  RaftManager& raft() noexcept { return raft_; }
  [[nodiscard]] int sum() const noexcept { return sum_; }

 private:
  static RaftConfiguration Configure(NodeId id, const std::vector<NodeAddress>& members) {
    const Endpoint here = members[id.value() - 1].endpoint;
    return RaftConfiguration().Id(id).Listen(here).InitialMembers(members).ElectionTimeout(500ms);
  }
  int sum_ = 0;
  RaftManager raft_;
};

using Accounts = std::array<std::unique_ptr<Account>, 3>;

struct Client {
  RaftManager& raft;  // any node
  ClientSession session;
  int tries = 0;

  asio::awaitable<void> Pause(Duration pause) {
    asio::steady_timer timer(raft.get_executor(), pause);
    co_await timer.async_wait(kAsTuple);
  }
  asio::awaitable<void> Open() {
    for (;;) {  // one that nobody uses does no harm
      const auto options = ReplicateOptions().Forward();
      auto [error, opened] = co_await raft.OpenSession(1, options, kAsTuple);
      if (!error) {
        session = opened;
        co_return;
      }
      co_await Pause(RetryAfter(error).value_or(100ms));
    }
  }
  // The same request again, until it is answered.
  asio::awaitable<void> Add(bool is_first_answer_lost) {
    const SessionRequest request = session.Begin();
    const auto options = ReplicateOptions().Forward().Timeout(50ms).Session(request);
    if (is_first_answer_lost) {
      ++tries;
      raft.ReplicateLogs(1, "add", "1", options, asio::detached);
    }
    for (;;) {
      ++tries;
      const auto [error, done] = co_await raft.ReplicateLogs(1, "add", "1", options, kAsTuple);
      if (!error) break;
      if (!IsRetryable(error) && !IsOutcomeUnknown(error)) {
        throw boost::system::system_error(error);
      }
      co_await Pause(RetryAfter(error).value_or(20ms));
    }
    session.End(request);
  }
};

asio::awaitable<void> Join(Account& account) { co_await account.raft().JoinCluster(); }

asio::awaitable<void> Run(Accounts& accounts, bool& is_right) {
  Client client{accounts[0]->raft(), {}};
  co_await client.Open();
  for (int write = 1; write <= kWrites; ++write) {
    co_await client.Add(write % 3 == 0);
    if (write % 20 != 0) continue;
    // Whoever leads gives it up; the next writes wait, or end without a word.
    for (const auto& account : accounts) {
      if (account->raft().AmILeaderQuick(1)) (void)co_await account->raft().StepDown(1, kAsTuple);
    }
  }
  std::cout << kWrites << " writes in " << client.tries << " tries" << std::endl;
  is_right = true;
  for (const auto& account : accounts) {
    co_await account->raft().ReadBarrier(1);
    std::cout << "node " << account->raft().id().value() << " has " << account->sum() << std::endl;
    is_right = is_right && account->sum() == kWrites;
  }
  for (const auto& account : accounts) co_await account->raft().Stop();
}

int main() {
  asio::io_context context;
  const auto network = MemoryNetwork::Create();
  std::vector<NodeAddress> members;
  for (std::uint16_t id = 1; id <= 3; ++id) {
    members.emplace_back(NodeId(id), Endpoint("node", id));
  }
  Accounts accounts;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    accounts[id - 1] = std::make_unique<Account>(context, NodeId(id), members, *network);
  }

  bool is_right = false;
  std::size_t joined = 0;
  const auto report = [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);  // out of context.run()
  };
  for (const auto& account : accounts) {
    asio::co_spawn(context, Join(*account), [&, report](std::exception_ptr failure) {
      report(failure);
      if (++joined == accounts.size()) asio::co_spawn(context, Run(accounts, is_right), report);
    });
  }
  try {
    context.run();
  } catch (const std::exception& problem) {
    std::cerr << problem.what() << std::endl;
  }
  return is_right ? 0 : 1;
}
