// The exchangeable parts of a node, as the options name them.
#pragma once

#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <kommander/discovery.hpp>
#include <kommander/raft_manager.hpp>
#include <kommander/transport.hpp>
#include <kommander/wal.hpp>

#include "options.hpp"

namespace kommander::server {

struct Parts {
  std::shared_ptr<Wal> wal;
  std::shared_ptr<Transport> transport;
  std::shared_ptr<Discovery> discovery;
  // Ends what a discovery does by itself; empty where it does nothing.
  std::function<void()> stop_discovery;
};

// Over HTTP, where the options ask for it.
class HttpPart {
 public:
  HttpPart(const RaftManager& raft, const Options& options);
  ~HttpPart();
  HttpPart(const HttpPart&) = delete;
  HttpPart& operator=(const HttpPart&) = delete;

  boost::asio::awaitable<void> Stop();

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

// Throws what keeps a part from being made, in one line for a person.
[[nodiscard]] Parts MakeParts(const boost::asio::any_io_executor& executor, const Options& options);

}  // namespace kommander::server
