// The server on a clock that the test moves, and the routes as an application mounts them.
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <kommander/memory_transport.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/rest_server.hpp>

#include "catch.hpp"
#include "manual_clock.hpp"
#include "rest_client.hpp"

namespace kommander::testing {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using namespace std::chrono_literals;

const std::string kGet = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

std::shared_ptr<Clock> MakeClock() { return std::make_shared<ManualClock>(); }

// A node that never joins, and a server for it on a thread of its own.
class Bench {
 public:
  explicit Bench(RestServerOptions options = {})
      : raft_(context_.get_executor(), Configuration(), std::make_shared<MemoryWal>(),
              MemoryNetwork::Create()->CreateTransport(clock_), nullptr),
        server_(context_.get_executor(), clock_, RaftRoutes(raft_), options) {
    std::string detail;
    REQUIRE_FALSE(server_.Start(Endpoint("127.0.0.1", 0), detail));
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Bench() {
    Stop();
    work_.reset();
    thread_.join();
  }
  // Returns when nothing of the server runs.
  void Stop() {
    auto stopped = server_.Stop(asio::use_future);
    // The last words of a connection end by the clock where the client does not close.
    while (stopped.wait_for(1ms) != std::future_status::ready) clock_->Advance(1s);
    stopped.get();
  }
  Client Connect() { return Client(server_.BoundEndpoint()); }
  // Until the server has done so much; its counters move on its own thread.
  bool Wait(const std::function<bool(const RestServerStatistics&)>& condition) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!condition(server_.Statistics())) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }
  [[nodiscard]] bool WaitForTimer() {
    return Wait([this](const auto&) { return clock_->armed() != 0; });
  }
  ManualClock& clock() { return *clock_; }
  RestServer& server() { return server_; }
  RaftManager& raft() { return raft_; }
  asio::io_context& context() { return context_; }

 private:
  static RaftConfiguration Configuration() {
    const NodeAddress self(NodeId(1), Endpoint("node", 1));
    return RaftConfiguration().Id(self.id).Listen(self.endpoint).InitialMembers({self});
  }
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  RaftManager raft_;
  RestServer server_;
  std::thread thread_;
};

TEST_CASE(
    "who connects and says nothing is gone after the header's time, counted from the accept") {
  Bench bench;
  Client client = bench.Connect();
  REQUIRE(bench.Wait([](const auto& s) { return s.connections == 1; }));
  REQUIRE(bench.WaitForTimer());
  bench.clock().Advance(5s);
  CHECK(client.HasEnded());
  REQUIRE(bench.Wait([](const auto& s) { return s.connections == 0 && s.timed_out == 1; }));
}

TEST_CASE("between two requests a connection has the idle time, and no more") {
  Bench bench;
  Client client = bench.Connect();
  for (int i = 0; i < 3; ++i) {
    client.Send(kGet);
    CHECK(client.ReadUntil("]}").find("200 OK") != std::string::npos);
    // Both the write's and the idle time may be meant: less than the shorter one.
    bench.clock().Advance(9s);
  }
  REQUIRE(bench.Wait([&](const auto& s) {
    bench.clock().Advance(10s);
    return s.connections == 0;
  }));
  CHECK(client.HasEnded());
}

TEST_CASE("a stop lets go of those who wait, and completes though one takes no answer") {
  Bench bench;
  Client silent = bench.Connect();
  Client kept = bench.Connect();
  kept.Send(kGet);
  CHECK(kept.ReadUntil("]}").find("200 OK") != std::string::npos);
  Client greedy = bench.Connect();
  greedy.Flood(kGet);
  bench.Stop();
  CHECK(bench.server().Statistics().connections == 0);
  CHECK(silent.HasEnded());
  CHECK(kept.HasEnded());
  // Once more is no mistake.
  bench.Stop();
}

TEST_CASE("who says nothing gives way to newer connections, and who is served does not") {
  Bench bench(RestServerOptions().MaxConnections(10, 3));
  Client served = bench.Connect();
  served.Send(kGet);
  CHECK(served.ReadUntil("]}").find("200 OK") != std::string::npos);
  std::deque<Client> silent;
  for (int i = 0; i < 5; ++i) silent.emplace_back(bench.server().BoundEndpoint());
  REQUIRE(bench.Wait([](const auto& s) { return s.gave_way == 3; }));
  for (int i = 0; i < 3; ++i) CHECK(silent[i].HasEnded());
  served.Send(kGet);
  CHECK(served.ReadUntil("]}").find("200 OK") != std::string::npos);
  CHECK(bench.server().Statistics().connections == 3);
  CHECK(bench.server().Statistics().turned_away == 0);
}

TEST_CASE("without a descriptor to spare the server pauses, and goes on when there is one") {
  Bench bench;
  Client client;  // has its descriptor now
  rlimit limit;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  // Not the number of those in use, among which another thread may close one: no other than the
  // three that every process has.
  rlimit none = limit;
  none.rlim_cur = 3;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  client.Connect(bench.server().BoundEndpoint());
  const bool pauses = bench.WaitForTimer();
  const bool is_served = bench.server().Statistics().accepted != 0;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  REQUIRE(pauses);
  CHECK_FALSE(is_served);
  bench.clock().Advance(100ms);
  client.Send(kGet);
  CHECK(client.ReadUntil("]}").find("200 OK") != std::string::npos);
}

TEST_CASE("a taken address is told in one line, and a server starts once") {
  Bench bench;
  std::string detail;
  RestServer second(bench.context().get_executor(), MakeClock(), RaftRoutes(bench.raft()));
  CHECK(second.Start(bench.server().BoundEndpoint(), detail) == RaftErrc::AddressInUse);
  CHECK(detail.find("127.0.0.1") != std::string::npos);
  CHECK(second.Start(Endpoint("not an address", 0), detail) == RaftErrc::InvalidArgument);
  CHECK_FALSE(second.Start(Endpoint("localhost", 0), detail));
  CHECK(second.Start(Endpoint("localhost", 0), detail) == RaftErrc::InvalidArgument);
}

TEST_CASE("a server that goes without a stop closes what it has") {
  asio::io_context context;
  const NodeAddress self(NodeId(1), Endpoint("node", 1));
  RaftManager raft(context.get_executor(),
                   RaftConfiguration().Id(self.id).Listen(self.endpoint).InitialMembers({self}),
                   std::make_shared<MemoryWal>(),
                   MemoryNetwork::Create()->CreateTransport(MakeClock()), nullptr);
  auto server = std::make_unique<RestServer>(context.get_executor(), MakeClock(), RaftRoutes(raft));
  std::string detail;
  REQUIRE_FALSE(server->Start(Endpoint("127.0.0.1", 0), detail));
  Client client(server->BoundEndpoint());
  while (server->Statistics().connections == 0) context.poll();
  server.reset();
  context.restart();
  context.run();  // comes to an end: nothing is left
  CHECK(client.HasEnded());
}

// --- Mounted ---

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

TEST_CASE("mounted routes fill Beast's response, and leave others to the application") {
  Bench bench;
  const RaftRoutes routes(bench.raft());
  const auto ask = [&](http::verb method, const char* target, Response& response) {
    const Request request(method, target, 11);
    return routes.TryHandle(request, response, asio::use_future).get();
  };
  Response response;
  response.result(http::status::im_used);
  CHECK_FALSE(ask(http::verb::get, "/mine", response));
  CHECK_FALSE(ask(http::verb::get, "/v1/partitionsX", response));
  CHECK(response.result() == http::status::im_used);

  REQUIRE(ask(http::verb::get, "/healthz", response));
  CHECK(response.result() == http::status::ok);
  CHECK(response[http::field::content_type] == "application/json");
  CHECK(response.body() == R"({"status":"ok","reasonCount":0,"reasons":[]})");
  CHECK(response[http::field::content_length] == std::to_string(response.body().size()));
  CHECK(response.keep_alive());
  CHECK(response.version() == 11);
  const std::string length(response[http::field::content_length]);

  REQUIRE(ask(http::verb::head, "/healthz", response));
  CHECK(response.body().empty());
  CHECK(response[http::field::content_length] == length);

  REQUIRE(ask(http::verb::get, "/healthz?ready", response));
  CHECK(response.result() == http::status::service_unavailable);
  CHECK(response.body().find("NodeIsNotReady") != std::string::npos);

  REQUIRE(ask(http::verb::put, "/v1/cluster", response));
  CHECK(response.result() == http::status::method_not_allowed);
  CHECK(response[http::field::allow] == "GET, HEAD");
}

TEST_CASE("a mounted route keeps the connection as the request wants it") {
  Bench bench;
  const RaftRoutes routes(bench.raft());
  Request old(http::verb::get, "/healthz", 10);
  Response response;
  REQUIRE(routes.TryHandle(old, response, asio::use_future).get());
  CHECK(response.version() == 10);
  CHECK_FALSE(response.keep_alive());
}

}  // namespace
}  // namespace kommander::testing
