// Passes writes on to the node that leads: one hop, over connections that are kept for the next.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <kommander/discovery.hpp>
#include <kommander/ids.hpp>

#include "http.hpp"

namespace kv {

class PeerClient {
 public:
  // `endpoints`: where the nodes serve HTTP.
  PeerClient(boost::asio::any_io_executor executor, kommander::NodeId self,
             std::map<kommander::NodeId, kommander::Endpoint> endpoints);

  // The peer's answer. 503 when the request certainly never reached it, 504 once it was sent and
  // no answer came: it is never sent twice.
  boost::asio::awaitable<Response> Forward(kommander::NodeId peer, RequestPointer request,
                                           std::chrono::nanoseconds timeout);

 private:
  using Stream = std::unique_ptr<boost::beast::tcp_stream>;
  // A connection whose peer has not closed it, or nullptr.
  Stream TakeIdle(kommander::NodeId peer);
  // nullptr when it cannot be reached in time.
  boost::asio::awaitable<Stream> Connect(kommander::NodeId peer, std::chrono::nanoseconds timeout);

  boost::asio::any_io_executor executor_;
  kommander::NodeId self_;
  std::map<kommander::NodeId, kommander::Endpoint> endpoints_;
  std::map<kommander::NodeId, std::vector<Stream>> idle_;
};

}  // namespace kv
