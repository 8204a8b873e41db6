// A node listens on the program's own io_context, and somebody comes, says nothing, and is shown
// out: the library and the program have to mean one Asio, whoever compiled it. One of two would not
// know the end of a stream when it sees the other's, for categories are compared by their
// addresses.
#include <kommander/kommander.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/steady_clock.hpp>
#if __has_include(<kommander/tcp_transport.hpp>)
#include <array>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <kommander/tcp_transport.hpp>

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;  // not kommander::tcp
using namespace kommander;

namespace {

// How a connection to the node ends when nothing comes on it any more.
asio::awaitable<error_code> Visit(std::uint16_t port) {
  Tcp::socket socket(co_await asio::this_coro::executor);
  const Tcp::endpoint node(asio::ip::address_v4::loopback(), port);
  co_await socket.async_connect(node, asio::use_awaitable);
  socket.shutdown(Tcp::socket::shutdown_send);
  std::array<char, 256> bytes;
  error_code error;
  while (!error) {
    auto token = asio::redirect_error(asio::use_awaitable, error);
    co_await socket.async_read_some(asio::buffer(bytes), token);
  }
  co_return error;
}

asio::awaitable<void> Run(RaftManager* raft, TcpTransport* transport, bool* is_good) {
  co_await raft->JoinCluster();
  co_await raft->WaitForLeader(1);
  const error_code end = co_await Visit(transport->BoundEndpoint().port);
  const bool is_seen = end == asio::error::eof;
  if (!is_seen) std::fprintf(stderr, "unknown end: %s\n", end.message().c_str());
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_await raft->ReplicateLogs(2, "add", "text", ReplicateOptions(), token);
  const bool is_told = error == RaftErrc::PartitionNotFound && error.category() == RaftCategory();
  co_await raft->ReplicateLogs(1, "add", "text");
  co_await raft->Stop();
  *is_good = is_seen && is_told;
}

// What the library throws is caught.
bool IsRefused(asio::io_context& context) {
  try {
    RaftManager nobody(context.get_executor(), RaftConfiguration(), std::make_shared<MemoryWal>(),
                       std::make_shared<TcpTransport>(MakeSteadyClock()), nullptr);
  } catch (const boost::system::system_error& problem) {
    return problem.code() == RaftErrc::InvalidConfiguration;
  }
  return false;
}

}  // namespace

int main() {
  asio::io_context context;
  const Endpoint here("127.0.0.1", 0);
  RaftConfiguration configuration;
  configuration.Id(NodeId(1)).Listen(here).InitialMembers({NodeAddress(NodeId(1), here)});
  const auto transport = std::make_shared<TcpTransport>(MakeSteadyClock());
  const std::shared_ptr<Wal> wal = std::make_shared<MemoryWal>();
  RaftManager raft(context.get_executor(), configuration, wal, transport, nullptr);
  bool is_good = false;
  asio::co_spawn(context, Run(&raft, transport.get(), &is_good), [](std::exception_ptr problem) {
    if (problem) std::rethrow_exception(problem);
  });
  context.run();
  return is_good && IsRefused(context) && dynamic_cast<MemoryWal*>(wal.get()) != nullptr ? 0 : 1;
}
#else
int main() {}
#endif
