// One port for everything: the application accepts by itself, looks at the first four bytes, and
// gives the connections of the other nodes to the transport. The rest speaks a protocol of its own,
// here a line per write.
#include <array>
#include <chrono>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <kommander/kommander.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/steady_clock.hpp>
#include <kommander/tcp_transport.hpp>

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using namespace kommander;
using namespace std::chrono_literals;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kLineBytesMax = 1024;

// A node, its port, and the lines that its log holds.
class Node {
 public:
  Node(NodeId id, const std::vector<NodeAddress>& members, Tcp::acceptor acceptor)
      : acceptor_(std::move(acceptor)),
        transport_(
            std::make_shared<TcpTransport>(MakeSteadyClock(), TcpTransportOptions().Listen(false))),
        raft_(acceptor_.get_executor(), Configure(id, members), std::make_shared<MemoryWal>(),
              transport_, std::make_shared<StaticDiscovery>(members)) {
    const auto add = [this](const RaftLog&) { ++lines_; };
    raft_.OnLogRestored(add);
    raft_.OnReplicationReceived(add);
  }
  Tcp::acceptor& acceptor() noexcept { return acceptor_; }
  TcpTransport& transport() noexcept { return *transport_; }
  RaftManager& raft() noexcept { return raft_; }
  [[nodiscard]] int lines() const noexcept { return lines_; }

 private:
  static RaftConfiguration Configure(NodeId id, const std::vector<NodeAddress>& members) {
    const Endpoint here = members[id.value() - 1].endpoint;
    return RaftConfiguration().Id(id).Listen(here).InitialMembers(members).ElectionTimeout(500ms);
  }
  Tcp::acceptor acceptor_;
  const std::shared_ptr<TcpTransport> transport_;
  int lines_ = 0;
  RaftManager raft_;
};

using Nodes = std::vector<std::unique_ptr<Node>>;

asio::awaitable<void> Pause(Duration pause) {
  asio::steady_timer timer(co_await asio::this_coro::executor, pause);
  co_await timer.async_wait(kAsTuple);
}

// The application's own protocol. `line` is what was read of it so far.
asio::awaitable<void> Answer(Node& node, std::shared_ptr<Tcp::socket> socket, std::string line) {
  auto buffer = asio::dynamic_buffer(line, kLineBytesMax);
  const auto [unread, size] = co_await asio::async_read_until(*socket, buffer, '\n', kAsTuple);
  if (unread) co_return;
  line.resize(size - 1);
  const auto options = ReplicateOptions().Forward();
  const auto [error, done] = co_await node.raft().ReplicateLogs(1, "line", line, options, kAsTuple);
  const std::string reply = error ? error.message() + '\n' : "done\n";
  co_await asio::async_write(*socket, asio::buffer(reply), kAsTuple);
}

asio::awaitable<void> Sort(Node& node, std::shared_ptr<Tcp::socket> socket) {
  // Whoever does not come to an end does not stay.
  asio::steady_timer patience(socket->get_executor(), 5s);
  patience.async_wait([socket](error_code cancelled) {
    if (!cancelled) socket->close(cancelled);
  });
  std::array<char, 4> start{};
  const auto [error, size] = co_await asio::async_read(*socket, asio::buffer(start), kAsTuple);
  if (error) co_return;
  const std::string_view bytes_read(start.data(), size);
  if (bytes_read == "KMDR") {
    patience.cancel();
    const error_code refused = node.transport().Accept(std::move(*socket), AsBytes(bytes_read));
    if (refused) std::cerr << "no peer: " << refused.message() << std::endl;
  } else {
    co_await Answer(node, socket, std::string(bytes_read));
  }
}

asio::awaitable<void> Serve(Node& node) {
  for (;;) {
    auto [error, accepted] = co_await node.acceptor().async_accept(kAsTuple);
    if (error == asio::error::operation_aborted) co_return;  // closed
    if (error) {
      co_await Pause(100ms);  // out of descriptors, perhaps
      continue;
    }
    auto socket = std::make_shared<Tcp::socket>(std::move(accepted));
    asio::co_spawn(node.acceptor().get_executor(), Sort(node, std::move(socket)), asio::detached);
  }
}

// One line to a node, over the port that its peers use.
asio::awaitable<std::string> Say(Node& node, std::string line) {
  Tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(node.acceptor().local_endpoint(), asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer(line), asio::use_awaitable);
  std::string reply;
  auto buffer = asio::dynamic_buffer(reply, kLineBytesMax);
  co_await asio::async_read_until(socket, buffer, '\n', asio::use_awaitable);
  co_return reply;
}

asio::awaitable<void> Join(Node& node) { co_await node.raft().JoinCluster(); }

asio::awaitable<void> Run(Nodes& nodes, bool& is_right) {
  for (const auto& node : nodes) {
    std::string reply;
    while (reply != "done\n") {
      reply = co_await Say(*node, "one line through one port\n");
      std::cout << "node " << node->raft().id().value() << ": " << reply << std::flush;
      if (reply != "done\n") co_await Pause(100ms);
    }
  }
  is_right = true;
  for (const auto& node : nodes) {
    co_await node->raft().ReadBarrier(1);
    is_right = is_right && node->lines() >= static_cast<int>(nodes.size());
    std::cout << "node " << node->raft().id().value() << " has " << node->lines() << std::endl;
  }
  for (const auto& node : nodes) {
    co_await node->raft().Stop();
    node->acceptor().close();
  }
}

int main() {
  asio::io_context context(1);
  std::vector<Tcp::acceptor> acceptors;
  std::vector<NodeAddress> members;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    const Tcp::endpoint any_port(asio::ip::address_v4::loopback(), 0);
    const Tcp::acceptor& acceptor = acceptors.emplace_back(context, any_port);
    members.emplace_back(NodeId(id), Endpoint("127.0.0.1", acceptor.local_endpoint().port()));
  }
  Nodes nodes;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    nodes.push_back(std::make_unique<Node>(NodeId(id), members, std::move(acceptors[id - 1])));
  }
  bool is_right = false;
  std::size_t joined = 0;
  const auto report = [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);  // out of context.run()
  };
  for (const auto& node : nodes) {
    asio::co_spawn(context, Serve(*node), report);
    asio::co_spawn(context, Join(*node), [&, report](std::exception_ptr failure) {
      report(failure);
      if (++joined == nodes.size()) asio::co_spawn(context, Run(nodes, is_right), report);
    });
  }
  try {
    context.run();
  } catch (const std::exception& problem) {
    std::cerr << problem.what() << std::endl;
    is_right = false;
  }
  return is_right ? 0 : 1;
}
