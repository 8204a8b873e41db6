// HTTP as a small service needs it: a server that bounds everything a client can make it keep, and
// the way to the other nodes.
#pragma once

#include <functional>
#include <memory>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>

#include <kommander/kommander.hpp>

namespace web {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace json = boost::json;
using namespace std::chrono_literals;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;
using Handler = std::function<asio::awaitable<Response>(const Request*)>;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kBodyBytesMax = 13u << 20;
constexpr long kConnectionsMax = 512;
// On a request that another node has passed on; it is not passed on again.
constexpr std::string_view kForwardedHeader = "X-Kommander-Forwarded";

inline Response Answer(unsigned status, std::string body, std::string_view type) {
  Response response(http::status(status), 11, std::move(body));
  response.set(http::field::content_type, type);
  response.prepare_payload();
  return response;
}
inline Response Answer(unsigned status, const json::value& body) {
  return Answer(status, json::serialize(body), "application/json");
}
// 503: a write that certainly had no effect, or a read that cannot be served. 504: a write that may
// have taken effect, or may do so yet.
inline Response Error(unsigned status, std::string_view text) {
  json::object body{{"error", text}};
  if (status >= 503) body["outcome"] = status == 503 ? "not_applied" : "unknown";
  return Answer(status, body);
}

// Coroutines handle the errors they expect. Any other ends the program, out of io_context::run.
inline void Rethrow(std::exception_ptr failure) {
  if (failure) std::rethrow_exception(failure);
}

// For a call that leaves its error here.
inline auto Into(boost::system::error_code& error) {
  return asio::redirect_error(asio::use_awaitable, error);
}

// Serves one client, one request after the other.
inline asio::awaitable<void> Serve(tcp::socket socket, std::shared_ptr<const Handler> handler) {
  beast::tcp_stream stream(std::move(socket));
  beast::flat_buffer buffer;  // may hold the beginning of the next, pipelined request
  boost::system::error_code error;
  for (bool is_kept = true; is_kept && !error;) {
    http::request_parser<http::string_body> parser;
    const Request& request = parser.get();
    parser.body_limit(kBodyBytesMax);
    stream.expires_after(60s);  // from idle to a whole request
    co_await http::async_read_header(stream, buffer, parser, Into(error));
    if (!error && beast::iequals(request[http::field::expect], "100-continue")) {
      http::response<http::empty_body> go_on(http::status::continue_, 11);
      co_await http::async_write(stream, go_on, Into(error));
    }
    if (!error) co_await http::async_read(stream, buffer, parser, Into(error));
    if (error == http::error::end_of_stream) co_return;  // the client has left
    is_kept = !error && request.keep_alive() && request.version() == 11;
    Response response;
    if (error) response = Error(error == http::error::body_limit ? 413 : 400, error.message());
    if (!error) response = co_await (*handler)(&request);  // has a deadline of its own
    if (request.method() == http::verb::head) response.body().clear();
    response.keep_alive(is_kept);
    stream.expires_after(30s);
    co_await http::async_write(stream, response, Into(error));
  }
  // Closing with bytes unread would take the last answer away from a client that still sends.
  stream.socket().shutdown(tcp::socket::shutdown_send, error);
  stream.expires_after(2s);
  while (!error) {
    buffer.clear();
    co_await stream.async_read_some(buffer.prepare(65536), Into(error));
  }
}

inline asio::awaitable<void> Listen(tcp::acceptor acceptor, Handler handle) {
  const auto handler = std::make_shared<const Handler>(std::move(handle));
  asio::steady_timer pause(acceptor.get_executor());
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(kToken);
    if (error) {  // out of descriptors, most likely: let some connections end first
      pause.expires_after(50ms);
      co_await pause.async_wait(kToken);
    } else if (handler.use_count() <= kConnectionsMax) {  // every connection holds one
      socket.set_option(tcp::no_delay(true), error);
      asio::co_spawn(acceptor.get_executor(), Serve(std::move(socket), handler), Rethrow);
    }
  }
}

// Another node. Connections to it are kept for the next request.
struct Peer {
  kommander::Endpoint http;
  std::vector<std::shared_ptr<beast::tcp_stream>> idle;
};

// Passes the request on and brings the answer: 503 when the request certainly never arrived, 504
// once it was sent and no answer came. It is never sent twice.
inline asio::awaitable<Response> Forward(Peer* peer, const Request* request,
                                         Clock::time_point deadline) {
  boost::system::error_code error;
  std::shared_ptr<beast::tcp_stream> stream;
  while (error != asio::error::would_block && !peer->idle.empty()) {
    stream = std::move(peer->idle.back());
    peer->idle.pop_back();
    // Has the peer closed it, or died? The write would notice that too late.
    char byte = 0;
    stream->socket().receive(asio::buffer(&byte, 1), tcp::socket::message_peek, error);
  }
  if (error != asio::error::would_block) {
    stream = std::make_shared<beast::tcp_stream>(co_await asio::this_coro::executor);
    stream->expires_at(deadline);
    const auto& [host, port] = peer->http;
    tcp::resolver resolver(stream->get_executor());
    const auto found = co_await resolver.async_resolve(host, std::to_string(port), Into(error));
    if (!error) co_await stream->async_connect(found, Into(error));
    if (error) co_return Error(503, "the leader cannot be reached");
    stream->socket().set_option(tcp::no_delay(true), error);
    stream->socket().non_blocking(true, error);
  }
  Request outgoing(request->method(), request->target(), 11, request->body());
  outgoing.set(http::field::host, peer->http.ToString());
  outgoing.set(kForwardedHeader, "1");
  outgoing.prepare_payload();
  http::response_parser<http::string_body> parser;
  parser.body_limit(kBodyBytesMax);
  beast::flat_buffer buffer;
  stream->expires_at(deadline);
  co_await http::async_write(*stream, outgoing, Into(error));
  if (!error) co_await http::async_read(*stream, buffer, parser, Into(error));
  if (error) co_return Error(504, "the leader did not answer");
  if (parser.keep_alive()) peer->idle.push_back(stream);
  co_return parser.release();
}

}  // namespace web
