#include "kv_service.hpp"

#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <unistd.h>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <kommander/memory_wal.hpp>
#include <kommander/rocksdb_wal.hpp>
#include <kommander/steady_clock.hpp>
#include <kommander/tcp_transport.hpp>

namespace kv {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr unsigned kStopSecondsMax = 4;
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

volatile std::sig_atomic_t exit_code_of_alarm = 0;

// What was acknowledged is on disk, so a stop that takes too long may be cut short at any point.
void StopWithinSeconds(unsigned seconds, int exit_code) {
  exit_code_of_alarm = exit_code;
  std::signal(SIGALRM, [](int) { _exit(exit_code_of_alarm); });
  alarm(seconds);
}

std::shared_ptr<kommander::Wal> MakeWal(const Options& options) {
  std::error_code error;
  std::filesystem::create_directories(options.data_directory, error);
  if (error) {
    throw std::runtime_error("cannot create the data directory " + options.data_directory + ": " +
                             error.message());
  }
  if (options.in_memory) return std::make_shared<kommander::MemoryWal>();
  return kommander::MakeRocksDbWal(kommander::RocksDbWalOptions(options.data_directory));
}

tcp::endpoint Resolve(asio::io_context& context, const kommander::Endpoint& endpoint) {
  return *tcp::resolver(context).resolve(endpoint.host, std::to_string(endpoint.port)).begin();
}

HttpServer MakeServer(asio::io_context& context, const kommander::Endpoint& endpoint, KvApi& api) {
  try {
    return HttpServer(context, Resolve(context, endpoint),
                      [&api](RequestPointer request) { return api.Handle(std::move(request)); });
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error("cannot serve HTTP at " + endpoint.ToString() + ": " +
                             error.code().message());
  }
}

}  // namespace

KvService::KvService(const Options& options)
    : signals_(context_, SIGTERM, SIGINT),
      store_(options.raft.initial_partitions()),
      raft_(context_.get_executor(), options.raft, MakeWal(options),
            std::make_shared<kommander::TcpTransport>(kommander::MakeSteadyClock()),
            std::make_shared<kommander::StaticDiscovery>(options.raft.initial_members())),
      peers_(context_.get_executor(), options.raft.id(), options.http_endpoints),
      api_(raft_, store_, peers_, options.request_timeout),
      server_(MakeServer(context_, options.http_endpoints.at(options.raft.id()), api_)) {
  RegisterHandlers();
}

void KvService::RegisterHandlers() {
  // The same function for what the log held before the start and for what comes later: a node's
  // state depends on the order of the log alone.
  const auto apply = [this](const kommander::RaftLog& log) { return store_.Apply(log); };
  raft_.OnLogRestored(apply);
  raft_.OnReplicationReceived(apply);
  raft_.OnReplicationError([](const kommander::RaftLog& log) {
    std::cerr << "kommander-kv: partition " << log.partition().value()
              << " has an unknown entry at " << log.index().value() << std::endl;
  });
  raft_.OnNodeError([](const kommander::error_code&, const std::string& problem) {
    std::cerr << "kommander-kv: " << problem << std::endl;
  });
}

int KvService::Run() {
  asio::co_spawn(context_, Join(), asio::detached);
  asio::co_spawn(context_, ServeUntilSignal(), asio::detached);
  context_.run();
  return exit_code_;
}

asio::awaitable<void> KvService::Join() {
  auto [error] = co_await raft_.JoinCluster(kToken);
  if (!error || stopping_) co_return;
  const std::string detail = raft_.JoinDetail();
  std::cerr << "kommander-kv: " << (detail.empty() ? error.message() : detail) << std::endl;
  exit_code_ = 1;
  signals_.cancel();
}

// A signal and a failed start end the same way.
asio::awaitable<void> KvService::ServeUntilSignal() {
  co_await signals_.async_wait(kToken);
  StopWithinSeconds(kStopSecondsMax, exit_code_);
  stopping_ = true;
  server_.Stop();
  co_await raft_.Stop(kToken);
}

}  // namespace kv
