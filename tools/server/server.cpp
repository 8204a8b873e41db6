#include "server.hpp"

#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <kommander/kommander.hpp>

#include "demo_loop.hpp"
#include "parts.hpp"

namespace kommander::server {
namespace {

namespace asio = boost::asio;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

// One node and what it does, on the one thread of its context.
class Server {
 public:
  explicit Server(const Options& options)
      : options_(options),
        signals_(context_, SIGTERM, SIGINT),
        limit_(context_),
        parts_(MakeParts(context_.get_executor(), options)),
        raft_(context_.get_executor(), options.raft, parts_.wal, parts_.transport,
              parts_.discovery),
        http_(raft_, options),
        demo_(raft_, options) {
    raft_.OnReplicationReceived([this](const RaftLog&) { return ++delivered_, true; });
    raft_.OnLogRestored([this](const RaftLog&) { return ++delivered_, true; });
    raft_.OnNodeError([](const error_code&, const std::string& problem) {
      std::cerr << "kommander-server: " << problem << std::endl;
    });
    raft_.UseLogSink([](const LogRecord& record) { std::clog << ToLogfmt(record) + "\n"; },
                     options.log_level);
  }

  void Run() {
    asio::co_spawn(context_, Live(), Rethrow);
    asio::co_spawn(context_, AwaitSignals(), Rethrow);
    context_.run();
  }

 private:
  static void Rethrow(std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  }

  asio::awaitable<void> Live() {
    const auto [error] = co_await raft_.JoinCluster(kToken);
    if (!error) {
      std::cout << "node " << raft_.id().value() << " is ready, listening on "
                << options_.raft.listen().ToString() << ", with " << raft_.Partitions().size() - 1
                << " partitions" << std::endl;
      co_await demo_.Run();
    } else if (error != RaftErrc::NodeStopped) {
      const std::string detail = raft_.JoinDetail();
      throw std::runtime_error(detail.empty() ? error.message() : detail);
    }
    is_idle_ = true;
    limit_.cancel();
  }

  asio::awaitable<void> AwaitSignals() {
    co_await signals_.async_wait(kToken);
    // A second one: whoever sends it does not want to wait. What was acknowledged is on disk.
    signals_.async_wait([](const error_code& error, int) {
      if (!error) _exit(1);
    });
    std::cout << "stops" << std::endl;
    demo_.Stop();
    limit_.expires_after(options_.stop_timeout);
    if (!raft_.IsInitialized()) is_idle_ = true;
    while (!is_idle_ && !IsLate()) co_await limit_.async_wait(kToken);
    for (const PartitionId partition : raft_.Partitions()) {
      if (!IsLate()) co_await HandOver(partition);
    }
    co_await http_.Stop();
    co_await raft_.Stop(kToken);
    std::cout << "stopped after " << delivered_ << " entries" << std::endl;
    signals_.cancel();
    if (parts_.stop_discovery) parts_.stop_discovery();
    context_.stop();
  }
  [[nodiscard]] bool IsLate() const {
    return limit_.expiry() <= asio::steady_timer::clock_type::now();
  }

  // To the voter whose log is furthest, so that nobody has to wait for an election timeout.
  asio::awaitable<void> HandOver(PartitionId partition) {
    if (!raft_.AmILeaderQuick(partition) || raft_.GetPeers(partition).empty()) co_return;
    const auto [error] = co_await raft_.TransferLeadership(partition, NodeId(), kToken);
    std::cout << "partition " << partition.value() << ": "
              << (error ? "not handed over: " + error.message()
                        : "handed over to node " +
                              std::to_string(raft_.GetPartitionLeaderHint(partition).value()))
              << std::endl;
  }

  const Options& options_;
  asio::io_context context_{1};
  asio::signal_set signals_;
  asio::steady_timer limit_;
  Parts parts_;
  RaftManager raft_;
  HttpPart http_;
  DemoLoop demo_;
  bool is_idle_ = false;  // nothing of this program writes any more
  std::uint64_t delivered_ = 0;
};

}  // namespace

void Serve(const Options& options) { Server(options).Run(); }

}  // namespace kommander::server
