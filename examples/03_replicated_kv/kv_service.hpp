// One node of the service: everything it is made of, put together on one thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <kommander/errors.hpp>
#include <kommander/raft_manager.hpp>

#include "http_server.hpp"
#include "kv_api.hpp"
#include "kv_store.hpp"
#include "options.hpp"
#include "peer_client.hpp"

namespace kv {

class KvService {
 public:
  // Throws std::exception when the data directory or the HTTP port cannot be had.
  explicit KvService(const Options& options);

  // Serves until SIGTERM or SIGINT, or until the node cannot join its cluster; the exit code.
  int Run();

 private:
  void RegisterHandlers();
  boost::asio::awaitable<void> Join();
  boost::asio::awaitable<void> ServeUntilSignal();

  boost::asio::io_context context_{1};
  boost::asio::signal_set signals_;
  KvStore store_;
  kommander::RaftManager raft_;
  PeerClient peers_;
  KvApi api_;
  HttpServer server_;
  bool stopping_ = false;
  int exit_code_ = 0;
};

}  // namespace kv
