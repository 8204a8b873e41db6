// Three nodes in one process, without disk or sockets. Each keeps a counter; what is added through
// the leader, whoever that is, all of them add in the same order.
#include <array>
#include <charconv>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <kommander/kommander.hpp>
#include <kommander/memory_transport.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/steady_clock.hpp>

namespace asio = boost::asio;
using namespace kommander;

// What a service would be: a node of the cluster and the state that its log stands for.
class Counter {
 public:
  Counter(asio::io_context& context, NodeId id, const std::vector<NodeAddress>& members,
          MemoryNetwork& network)
      : raft_(context.get_executor(), Configure(id, members), std::make_shared<MemoryWal>(),
              network.CreateTransport(MakeSteadyClock()),
              std::make_shared<StaticDiscovery>(members)) {
    const auto add = [this](const RaftLog& log) { return Apply(log); };
    raft_.OnLogRestored(add);
    raft_.OnReplicationReceived(add);
  }

  RaftManager& raft() noexcept { return raft_; }

  // On the leader. The sum includes `number`, and perhaps what others added meanwhile.
  asio::awaitable<std::int64_t> Add(std::int64_t number) {
    const Payload text(std::to_string(number));
    co_await raft_.ReplicateLogs(1, "add", text, ReplicateOptions().AwaitApply());
    co_return sum_;
  }
  // On any node: the sum after everything that was added before the call.
  asio::awaitable<std::int64_t> Read() {
    co_await raft_.ReadBarrier(1);
    co_return sum_;
  }

 private:
  static RaftConfiguration Configure(NodeId id, const std::vector<NodeAddress>& members) {
    const Endpoint here = members[id.value() - 1].endpoint;
    return RaftConfiguration().Id(id).Listen(here).InitialMembers(members).ElectionTimeout(
        std::chrono::milliseconds(500));
  }
  bool Apply(const RaftLog& log) {
    const std::string_view text = log.payload().text();
    std::int64_t number = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc()) {
      return false;
    }
    sum_ += number;
    return true;
  }

  std::int64_t sum_ = 0;
  RaftManager raft_;
};

using Counters = std::array<std::unique_ptr<Counter>, 3>;

// Every node must join before any has joined: a cluster begins with a majority.
asio::awaitable<void> Join(Counter& counter) { co_await counter.raft().JoinCluster(); }

asio::awaitable<void> Run(Counters& counters, bool& agreed) {
  const NodeId first = co_await counters[0]->raft().WaitForLeader(1);
  Counter& leader = *counters[first.value() - 1];
  std::int64_t sum = 0;
  for (std::int64_t number = 1; number <= 10; ++number) sum = co_await leader.Add(number);
  std::cout << "node " << first.value() << " leads, the sum is " << sum << std::endl;

  const NodeId next(first.value() % 3 + 1);
  co_await leader.raft().TransferLeadership(1, next);
  sum = co_await counters[next.value() - 1]->Add(100);
  std::cout << "node " << next.value() << " leads, the sum is " << sum << std::endl;

  agreed = sum == 155;
  for (const auto& counter : counters) {
    const std::int64_t read = co_await counter->Read();
    std::cout << "node " << counter->raft().id().value() << " reads " << read << std::endl;
    agreed = agreed && read == sum;
  }
  for (const auto& counter : counters) co_await counter->raft().Stop();
}

int main() {
  asio::io_context context;
  const auto network = MemoryNetwork::Create();
  std::vector<NodeAddress> members;
  for (std::uint16_t id = 1; id <= 3; ++id) {
    members.emplace_back(NodeId(id), Endpoint("node", id));
  }
  Counters counters;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    counters[id - 1] = std::make_unique<Counter>(context, NodeId(id), members, *network);
  }

  bool agreed = false;
  std::size_t joined = 0;
  const auto report = [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);  // out of context.run()
  };
  for (const auto& counter : counters) {
    asio::co_spawn(context, Join(*counter), [&, report](std::exception_ptr failure) {
      report(failure);
      if (++joined == counters.size()) asio::co_spawn(context, Run(counters, agreed), report);
    });
  }
  try {
    context.run();
  } catch (const std::exception& problem) {
    std::cerr << problem.what() << std::endl;
  }
  return agreed ? 0 : 1;
}
