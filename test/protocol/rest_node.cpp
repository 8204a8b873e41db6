// Nodes in one process, without disk, each with its routes on an HTTP server of its own, through
// which they also speak to each other: what the tests of docs/rest.md and docs/openapi.json talk
// to.
//
//   rest_node [nodes=N] [members=N] [header-ms=N] [body-ms=N] [write-ms=N] [idle-ms=N]
//             [connections=N] [of-address=N]
//
// Prints the servers' ports in one line, once the nodes have joined; with more members than nodes,
// which cannot join, at once. A line "fail" on its standard input breaks the first node's disk; the
// end of the input ends the program.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>

#include <kommander/kommander.hpp>
#include <kommander/rest_server.hpp>
#include <kommander/rest_transport.hpp>
#include <kommander/steady_clock.hpp>
#include <kommander/testing/faulty_wal.hpp>

namespace asio = boost::asio;
using namespace kommander;

namespace {

using Numbers = std::map<std::string, std::uint64_t, std::less<>>;

std::optional<Numbers> ParseArguments(int argc, char** argv) {
  Numbers numbers{{"nodes", 1},          {"members", 0},      {"header-ms", 5000},
                  {"body-ms", 10000},    {"write-ms", 10000}, {"idle-ms", 60000},
                  {"connections", 1024}, {"of-address", 64}};
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::size_t equals = argument.find('=');
    const auto found = numbers.find(argument.substr(0, equals));
    if (equals == argument.npos || found == numbers.end()) return std::nullopt;
    const char* const end = argument.data() + argument.size();
    const auto [parsed, error] = std::from_chars(argument.data() + equals + 1, end, found->second);
    if (error != std::errc() || parsed != end) return std::nullopt;
  }
  return numbers;
}

RestServerOptions OptionsOf(const Numbers& numbers) {
  const auto time = [&](std::string_view name) {
    return std::chrono::milliseconds(numbers.find(name)->second);
  };
  return RestServerOptions()
      .HeaderTimeout(time("header-ms"))
      .BodyTimeout(time("body-ms"))
      .WriteTimeout(time("write-ms"))
      .IdleTimeout(time("idle-ms"))
      .MaxConnections(numbers.at("connections"), numbers.at("of-address"));
}

// Where the servers are, once they listen.
class Neighbours final : public Discovery {
 public:
  void Add(NodeId id, const RestServer& server) { servers_[id] = &server; }
  [[nodiscard]] std::vector<NodeAddress> Nodes() const override {
    std::vector<NodeAddress> nodes;
    for (const auto& [id, server] : servers_) nodes.emplace_back(id, server->BoundEndpoint());
    return nodes;
  }

 private:
  std::map<NodeId, const RestServer*> servers_;
};

std::shared_ptr<RestTransport> MakeTransport(NodeId id) {
  return std::make_shared<RestTransport>(MakeSteadyClock(),
                                         RestTransportOptions().Mounted().Seed(id.value()));
}

struct Node {
  Node(asio::io_context& context, NodeId id, const std::vector<NodeAddress>& members,
       std::shared_ptr<Discovery> neighbours, RestServerOptions options)
      : transport(MakeTransport(id)),
        raft(context.get_executor(),
             RaftConfiguration()
                 .Id(id)
                 .ClusterId("rest")
                 .Listen(members[id.value() - 1].endpoint)
                 .InitialMembers(members)
                 .InitialPartitions(3)
                 .JoinTimeout(Duration::zero())
                 .ElectionTimeout(std::chrono::milliseconds(1000)),
             wal, transport, std::move(neighbours)),
        server(context.get_executor(), MakeSteadyClock(), RaftRoutes(raft, *transport), options) {}

  const std::shared_ptr<testing::FaultyWal> wal = std::make_shared<testing::FaultyWal>();
  const std::shared_ptr<RestTransport> transport;
  RaftManager raft;
  RestServer server;
};
using Nodes = std::vector<std::unique_ptr<Node>>;

void Rethrow(std::exception_ptr failure) {
  if (failure) std::rethrow_exception(failure);  // out of context.run()
}

void PrintPorts(const Nodes& nodes) {
  for (const auto& node : nodes) std::cout << node->server.BoundEndpoint().port << ' ';
  std::cout << std::endl;
}

asio::awaitable<void> Join(Node& node) { co_await node.raft.JoinCluster(); }

// Something to be seen by the routes.
asio::awaitable<void> Prepare(const Nodes& nodes) {
  for (const PartitionId partition : nodes[0]->raft.Partitions()) {
    co_await nodes[0]->raft.WaitForLeader(partition);
  }
  RaftManager& raft = nodes[0]->raft;
  const Payload value("\x01\xff value");
  const auto forward = ReplicateOptions().Forward();
  for (bool is_set = false; !is_set;) {
    boost::system::error_code error;
    co_await raft.SetClusterSetting("colour", value, forward,
                                    asio::redirect_error(asio::use_awaitable, error));
    if (error && !IsRetryable(error)) throw boost::system::system_error(error);
    is_set = !error;
  }
  PrintPorts(nodes);
}

asio::awaitable<void> Obey(Nodes& nodes) {
  asio::posix::stream_descriptor input(co_await asio::this_coro::executor, ::dup(STDIN_FILENO));
  std::string text;
  for (boost::system::error_code error; !error;) {
    const std::size_t count = co_await asio::async_read_until(
        input, asio::dynamic_buffer(text), '\n', asio::redirect_error(asio::use_awaitable, error));
    if (text.substr(0, count) == "fail\n") {
      nodes[0]->wal->FailWrite();
      // Any write meets it; how this one ends is nobody's business.
      nodes[0]->raft.ReplicateLogs(1, "x", "y", [](error_code, const ReplicateResult&) {});
    }
    text.erase(0, count);
  }
  for (const auto& node : nodes) co_await node->server.Stop();
  for (const auto& node : nodes) co_await node->raft.Stop();
}

}  // namespace

int main(int argc, char** argv) {
  const auto numbers = ParseArguments(argc, argv);
  if (!numbers) {
    std::cerr << "rest_node: its arguments are NAME=NUMBER, see its source" << std::endl;
    return 2;
  }
  asio::io_context context(1);
  const auto neighbours = std::make_shared<Neighbours>();
  const std::uint64_t count = numbers->at("nodes");
  std::vector<NodeAddress> members;
  for (std::uint16_t id = 1; id <= std::max(count, numbers->at("members")); ++id) {
    members.emplace_back(NodeId(id), Endpoint("node", id));
  }
  Nodes nodes;
  std::size_t joined = 0;
  try {
    for (std::uint32_t id = 1; id <= count; ++id) {
      Node& node = *nodes.emplace_back(
          std::make_unique<Node>(context, NodeId(id), members, neighbours, OptionsOf(*numbers)));
      std::string detail;
      if (node.server.Start(Endpoint("127.0.0.1", 0), detail)) throw std::runtime_error(detail);
      neighbours->Add(NodeId(id), node.server);
    }
    for (const auto& node : nodes) {
      asio::co_spawn(context, Join(*node), [&](std::exception_ptr failure) {
        if (members.size() > count) return;  // it cannot, and is stopped
        Rethrow(failure);
        if (++joined == count) asio::co_spawn(context, Prepare(nodes), Rethrow);
      });
    }
    if (members.size() > count) PrintPorts(nodes);
    asio::co_spawn(context, Obey(nodes), Rethrow);
    context.run();
  } catch (const std::exception& problem) {
    std::cerr << "rest_node: " << problem.what() << std::endl;
    return 1;
  }
  return 0;
}
