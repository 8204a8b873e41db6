// A node on a log of its application's own: writes, stops, and finds everything again in the file,
// now and in the next run of the program. What a store must do to be one is in own_wal.cpp.
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <kommander/kommander.hpp>
#include <kommander/memory_transport.hpp>
#include <kommander/steady_clock.hpp>

#include "own_wal.hpp"

namespace asio = boost::asio;
using namespace kommander;

using Texts = std::vector<std::string>;

// After the barrier the node's handlers have seen all that was ever acknowledged.
asio::awaitable<void> Live(RaftManager& raft, std::size_t count, Texts& texts) {
  co_await raft.JoinCluster();
  co_await raft.WaitForLeader(1);
  co_await raft.ReadBarrier(1);
  std::cout << "found " << texts.size() << " texts" << std::endl;
  for (std::size_t i = 0; i < count; ++i) {
    const Payload text("text " + std::to_string(texts.size() + 1));
    co_await raft.ReplicateLogs(1, "Text", text, ReplicateOptions().AwaitApply());
  }
  std::cout << "has " << texts.size() << " texts" << std::endl;
  co_await raft.Stop();
}

// One life of a node, from start to stop; answers all that its log told it.
Texts RunNode(const std::string& path, std::size_t count) {
  const Endpoint here("node", 1);
  RaftConfiguration configuration;
  configuration.Id(NodeId(1)).Listen(here).InitialMembers({NodeAddress(NodeId(1), here)});

  Texts texts;
  asio::io_context context;
  RaftManager raft(context.get_executor(), configuration, own::MakeOwnWal(path),
                   MemoryNetwork::Create()->CreateTransport(MakeSteadyClock()), nullptr);
  const auto keep = [&texts](const RaftLog& log) { texts.emplace_back(log.payload().text()); };
  raft.OnLogRestored(keep).OnReplicationReceived(keep);
  auto lived = asio::co_spawn(context, Live(raft, count, texts), asio::use_future);
  context.run();
  try {
    lived.get();
  } catch (const std::exception& problem) {
    throw std::runtime_error(std::string(problem.what()) + ". " + raft.JoinDetail());
  }
  return texts;
}

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : "own_wal.log";
  try {
    const Texts before = RunNode(path, 5);
    const Texts after = RunNode(path, 0);
    return before.size() >= 5 && after == before ? 0 : 1;
  } catch (const std::exception& problem) {
    std::cerr << problem.what() << std::endl;
    return 1;
  }
}
