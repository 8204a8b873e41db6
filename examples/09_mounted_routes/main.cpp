// A service with an HTTP server of its own, here a guest book, and the routes of its node on the
// same port: what it is for, what it knows of its cluster, and how it is, at one address.
//
//   09_mounted_routes          serves on a free port, asks itself a few things, and ends
//   09_mounted_routes PORT     serves on loopback until it is interrupted
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/signal_set.hpp>

#include <kommander/kommander.hpp>
#include <kommander/memory_transport.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/raft_routes.hpp>
#include <kommander/steady_clock.hpp>

#include "../http/server.hpp"

namespace asio = boost::asio;
using namespace kommander;
using web::Request;
using web::Response;

class GuestBook {
 public:
  explicit GuestBook(RaftManager& raft) : raft_(raft), routes_(raft) {
    const auto add = [this](const RaftLog& log) { guests_ += log.payload().text(); };
    raft_.OnLogRestored(add);
    raft_.OnReplicationReceived(add);
  }

  asio::awaitable<Response> Handle(const Request* request) {
    Response response;
    if (co_await routes_.TryHandle(*request, response)) co_return response;
    if (request->target() != "/guests") co_return web::Error(404, "there are /guests alone");
    if (request->method() == web::http::verb::post) co_return co_await Sign(request->body());
    co_return web::Answer(200, guests_, "text/plain; charset=utf-8");
  }

 private:
  asio::awaitable<Response> Sign(std::string name) {
    const Payload line(name + "\n");
    const auto options = ReplicateOptions().AwaitApply();
    auto [error, result] = co_await raft_.ReplicateLogs(1, "guest", line, options, web::kToken);
    if (error) co_return web::Error(IsOutcomeUnknown(error) ? 504 : 503, error.message());
    co_return web::Answer(200, {{"index", result.index.value()}});
  }

  RaftManager& raft_;
  const RaftRoutes routes_;
  std::string guests_;
};

// A client's call, as others would make it.
asio::awaitable<std::string> Ask(web::Peer* peer, web::http::verb method, std::string target,
                                 std::string body) {
  const Request request(method, target, 11, body);
  const auto deadline = web::Clock::now() + std::chrono::seconds(30);
  const Response response = co_await web::Forward(peer, &request, deadline);
  std::cout << request.method_string() << ' ' << target << ": " << response.result_int() << ' '
            << response.body() << std::endl;
  co_return response.result_int() == 200 ? response.body() : std::string();
}

asio::awaitable<void> TryOut(RaftManager& raft, Endpoint here, bool& is_right) {
  using web::http::verb;
  co_await raft.WaitForLeader(1);
  web::Peer self{here, {}};
  co_await Ask(&self, verb::post, "/guests", "Ada");
  co_await Ask(&self, verb::post, "/guests", "Grace");
  const std::string guests = co_await Ask(&self, verb::get, "/guests", "");
  const std::string health = co_await Ask(&self, verb::get, "/healthz?ready", "");
  const std::string partition = co_await Ask(&self, verb::get, "/v1/partitions/1", "");
  const std::string elsewhere = co_await Ask(&self, verb::get, "/v1/nowhere", "");
  is_right = guests == "Ada\nGrace\n" && health.find("\"ok\"") != std::string::npos &&
             partition.find("\"role\":\"leader\"") != std::string::npos && elsewhere.empty();
}

int main(int argc, char** argv) {
  const NodeAddress self(NodeId(1), Endpoint("node", 1));
  asio::io_context context(1);
  RaftManager raft(context.get_executor(),
                   RaftConfiguration().Id(self.id).Listen(self.endpoint).InitialMembers({self}),
                   std::make_shared<MemoryWal>(),
                   MemoryNetwork::Create()->CreateTransport(MakeSteadyClock()), nullptr);
  GuestBook book(raft);
  bool is_right = argc > 1;
  const auto stop = [&](std::exception_ptr failure) {
    raft.Stop([&context](error_code) { context.stop(); });
    web::Rethrow(failure);  // out of context.run()
  };
  try {
    const auto port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
    web::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
    const Endpoint here("127.0.0.1", acceptor.local_endpoint().port());
    const auto handle = [&book](const Request* request) { return book.Handle(request); };
    asio::co_spawn(context, web::Listen(std::move(acceptor), handle), web::Rethrow);
    asio::signal_set signals(context, SIGTERM, SIGINT);
    signals.async_wait([&](error_code, int) { stop(nullptr); });
    raft.JoinCluster([&, here](error_code error) {
      if (error) throw boost::system::system_error(error);
      if (argc > 1) return;
      asio::co_spawn(context, TryOut(raft, here, is_right), stop);
    });
    context.run();
  } catch (const std::exception& problem) {
    std::cerr << problem.what() << std::endl;
    return 1;
  }
  return is_right ? 0 : 1;
}
