#include "http_server.hpp"

#include <chrono>
#include <exception>
#include <iostream>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

namespace kv {
namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

namespace {

constexpr std::size_t kConnectionsMax = 512;
constexpr auto kHeaderTimeout = std::chrono::seconds(60);  // from idle to a whole header
constexpr auto kBodyTimeout = std::chrono::seconds(30);
constexpr auto kWriteTimeout = std::chrono::seconds(30);
constexpr auto kDrainTimeout = std::chrono::seconds(2);
constexpr std::size_t kDrainBytesMax = 64u << 20;
constexpr auto kAcceptPause = std::chrono::milliseconds(50);
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

bool IsHttpError(const boost::system::error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_method).category();
}

}  // namespace

HttpServer::HttpServer(asio::io_context& context, const tcp::endpoint& endpoint, Handler handler)
    : acceptor_(context, endpoint), handler_(std::move(handler)) {
  asio::co_spawn(context, Accept(), asio::detached);
}

void HttpServer::Stop() {
  stopping_ = true;
  boost::system::error_code ignored;  // closing is all that is left to do
  acceptor_.close(ignored);
  for (Connection& connection : connections_) {
    if (connection.reading) connection.stream.cancel();
  }
}

asio::awaitable<void> HttpServer::Accept() {
  asio::steady_timer pause(acceptor_.get_executor());
  while (!stopping_) {
    auto [error, socket] = co_await acceptor_.async_accept(kToken);
    if (stopping_) break;
    if (error) {  // out of descriptors, most likely: let some connections end first
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(kToken);
      continue;
    }
    if (connections_.size() >= kConnectionsMax) continue;  // closes it
    connections_.emplace_front(std::move(socket));
    asio::co_spawn(acceptor_.get_executor(), Serve(connections_.begin()), asio::detached);
  }
}

asio::awaitable<void> HttpServer::Serve(Connections::iterator connection) {
  try {
    boost::system::error_code ignored;  // the option only saves time
    connection->stream.socket().set_option(tcp::no_delay(true), ignored);
    while (!stopping_ && co_await ServeOne(&*connection)) {
    }
  } catch (const std::exception& failure) {
    std::cerr << "kommander-kv: a connection failed: " << failure.what() << std::endl;
  }
  connections_.erase(connection);
}

asio::awaitable<bool> HttpServer::ServeOne(Connection* connection) {
  beast::tcp_stream& stream = connection->stream;
  http::request_parser<http::string_body> parser;
  parser.body_limit(kBodyBytesMax);

  connection->reading = true;
  stream.expires_after(kHeaderTimeout);
  auto [header_error, header_bytes] =
      co_await http::async_read_header(stream, connection->buffer, parser, kToken);
  if (header_error) co_return co_await Refuse(connection, header_error);

  stream.expires_after(kBodyTimeout);
  if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    http::response<http::empty_body> go_on(http::status::continue_, 11);
    auto [error, bytes] = co_await http::async_write(stream, go_on, kToken);
    if (error) co_return false;
  }
  auto [body_error, body_bytes] =
      co_await http::async_read(stream, connection->buffer, parser, kToken);
  if (body_error) co_return co_await Refuse(connection, body_error);
  connection->reading = false;
  stream.expires_never();  // the handler has a deadline of its own

  auto request = std::make_shared<const Request>(parser.release());
  Response response = co_await handler_(request);
  response.version(request->version());
  response.keep_alive(request->keep_alive() && !stopping_);
  if (request->method() == http::verb::head) response.body().clear();

  stream.expires_after(kWriteTimeout);
  auto [error, bytes] = co_await http::async_write(stream, response, kToken);
  co_return !error && response.keep_alive();
}

// Says what was wrong with a request that cannot be read, where there is somebody to tell.
asio::awaitable<bool> HttpServer::Refuse(Connection* connection, boost::system::error_code error) {
  if (!IsHttpError(error) || error == http::error::end_of_stream ||
      error == http::error::partial_message) {
    co_return false;
  }
  beast::tcp_stream& stream = connection->stream;
  Response response = error == http::error::body_limit
                          ? MakeError(http::status::payload_too_large, "the body is too large")
                          : MakeError(http::status::bad_request, error.message());
  response.keep_alive(false);
  stream.expires_after(kWriteTimeout);
  auto [write_error, written] = co_await http::async_write(stream, response, kToken);
  if (write_error) co_return false;
  // Closing now, with bytes unread, would take the answer away from a client that still sends.
  boost::system::error_code ignored;
  stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream.expires_after(kDrainTimeout);
  for (std::size_t drained = 0; drained < kDrainBytesMax;) {
    connection->buffer.clear();
    auto [read_error, bytes] =
        co_await stream.async_read_some(connection->buffer.prepare(1u << 16), kToken);
    if (read_error) break;
    drained += bytes;
  }
  co_return false;
}

}  // namespace kv
