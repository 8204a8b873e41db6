// The smallest complete program: a cluster of one that remembers what it was told, run after run.
#include <exception>
#include <iostream>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <kommander/kommander.hpp>
#include <kommander/rocksdb_wal.hpp>
#include <kommander/steady_clock.hpp>
#include <kommander/tcp_transport.hpp>

namespace asio = boost::asio;
using namespace kommander;

asio::awaitable<void> Greet(RaftManager& raft) {
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

  asio::io_context context;
  RaftManager raft(context.get_executor(), configuration,
                   MakeRocksDbWal(RocksDbWalOptions(argc > 1 ? argv[1] : "greetings")),
                   std::make_shared<TcpTransport>(MakeSteadyClock()),
                   std::make_shared<StaticDiscovery>(configuration.initial_members()));
  const auto print = [](const RaftLog& log) {
    std::cout << log.index().value() << ": " << log.payload().text() << std::endl;
  };
  raft.OnLogRestored(print);          // what is known to be committed from before this start
  raft.OnReplicationReceived(print);  // everything after it, in the same order

  int exit_code = 0;
  asio::co_spawn(context, Greet(raft), [&exit_code](std::exception_ptr failure) {
    if (!failure) return;
    exit_code = 1;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& problem) {
      std::cerr << problem.what() << std::endl;
    }
  });
  context.run();
  return exit_code;
}
