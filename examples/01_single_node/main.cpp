// The smallest complete program: a cluster of one that remembers what it was told, run after run.
#include <iostream>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <kommander/kommander.hpp>
#include <kommander/rocksdb_wal.hpp>
#include <kommander/steady_clock.hpp>
#include <kommander/tcp_transport.hpp>

using namespace kommander;

boost::asio::awaitable<void> Greet(RaftManager& raft) {
  co_await raft.JoinCluster();
  co_await raft.WaitForLeader(1);
  const ReplicateResult result = co_await raft.ReplicateLogs(1, "Greeting", "Hello, majority!");
  std::cout << "committed at index " << result.index.value() << std::endl;
  co_await raft.Stop();
}

int main(int argc, char** argv) {
  const Endpoint here("127.0.0.1", 0);
  RaftConfiguration configuration;
  configuration.Id(NodeId(1)).Listen(here).InitialMembers({NodeAddress(NodeId(1), here)});

  boost::asio::io_context context;
  RaftManager raft(context.get_executor(), configuration,
                   MakeRocksDbWal(RocksDbWalOptions(argc > 1 ? argv[1] : "greetings")),
                   std::make_shared<TcpTransport>(MakeSteadyClock()),
                   std::make_shared<StaticDiscovery>(configuration.initial_members()));
  const auto print = [](const RaftLog& log) { std::cout << log.payload().text() << std::endl; };
  raft.OnLogRestored(print);          // what is known to be committed from before this start
  raft.OnReplicationReceived(print);  // everything after it, in the same order

  auto greeted = boost::asio::co_spawn(context, Greet(raft), boost::asio::use_future);
  context.run();
  try {
    greeted.get();
  } catch (const std::exception& problem) {
    std::cerr << problem.what() << ". " << raft.JoinDetail() << std::endl;
    return 1;
  }
}
