// A network that is cut, and heals: three nodes in one thread.
#include <array>
#include <memory>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <kommander/kommander.hpp>
#include <kommander/memory_transport.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/steady_clock.hpp>
namespace asio = boost::asio;
using namespace kommander;

namespace {

using Nodes = std::array<std::unique_ptr<RaftManager>, 3>;

asio::awaitable<error_code> Write(Nodes* nodes) {
  const Payload text("text");
  error_code error;
  auto wait = asio::redirect_error(asio::use_awaitable, error);
  const NodeId leader = co_await (*nodes)[0]->WaitForLeader(1, wait);
  if (error) co_return error;
  auto write = asio::redirect_error(asio::use_awaitable, error);
  co_await (*nodes)[leader.value() - 1]->ReplicateLogs(1, "add", text, ReplicateOptions(), write);
  co_return error;
}

asio::awaitable<void> Run(Nodes* nodes, MemoryNetwork* network, bool* is_good) {
  for (const auto& node : *nodes) node->JoinCluster(asio::detached);
  while (co_await Write(nodes)) {  // until a majority has joined
  }
  network->SetDefaultFaults(LinkFaults().Cut());  // of every direction; SetFaults is for one
  *is_good = bool(co_await Write(nodes));
  network->Heal();
  while (co_await Write(nodes)) {
  }
  for (const auto& node : *nodes) co_await node->Stop();
}

}  // namespace

int main() {
  asio::io_context context;
  const auto network = MemoryNetwork::Create();
  std::vector<NodeAddress> members;
  for (std::uint16_t id = 1; id <= 3; ++id) members.emplace_back(NodeId(id), Endpoint("node", id));
  Nodes nodes;
  for (const NodeAddress& member : members) {
    RaftConfiguration configuration;
    configuration.Id(member.id).Listen(member.endpoint).InitialMembers(members);
    configuration.ProposalTimeout(std::chrono::seconds(1));
    nodes[member.id.value() - 1] = std::make_unique<RaftManager>(
        context.get_executor(), configuration, std::make_shared<MemoryWal>(),
        network->CreateTransport(MakeSteadyClock()), std::make_shared<StaticDiscovery>(members));
  }
  bool is_good = false;
  asio::co_spawn(context, Run(&nodes, network.get(), &is_good), asio::detached);
  context.run();
  return is_good ? 0 : 1;
}
