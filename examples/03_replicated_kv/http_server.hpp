// An HTTP/1.1 server on one thread: keep-alive, pipelining, a deadline for every phase of a
// connection and a bound on everything a client can make it keep.
#pragma once

#include <cstddef>
#include <functional>
#include <list>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include "http.hpp"

namespace kv {

class HttpServer {
 public:
  using Handler = std::function<boost::asio::awaitable<Response>(RequestPointer)>;

  // Listens at once. Throws boost::system::system_error when it cannot.
  HttpServer(boost::asio::io_context& context, const boost::asio::ip::tcp::endpoint& endpoint,
             Handler handler);

  // Takes no more requests; answers in progress are still sent.
  void Stop();

 private:
  struct Connection {
    explicit Connection(boost::asio::ip::tcp::socket socket) : stream(std::move(socket)) {}
    boost::beast::tcp_stream stream;
    boost::beast::flat_buffer buffer;  // may hold the beginning of the next, pipelined request
    bool reading = false;              // no request is in progress
  };
  using Connections = std::list<Connection>;

  boost::asio::awaitable<void> Accept();
  boost::asio::awaitable<void> Serve(Connections::iterator connection);
  // Answers one request. False: the connection is over.
  boost::asio::awaitable<bool> ServeOne(Connection* connection);
  boost::asio::awaitable<bool> Refuse(Connection* connection, boost::system::error_code error);

  boost::asio::ip::tcp::acceptor acceptor_;
  Handler handler_;
  Connections connections_;
  bool stopping_ = false;
};

}  // namespace kv
