#include "peer_client.hpp"

#include <array>
#include <cstddef>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/span_body.hpp>
#include <boost/beast/http/write.hpp>

namespace kv {
namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

namespace {

constexpr std::size_t kIdleMax = 64;  // per peer
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

// The peer may have closed it, or died, while it lay idle; a write would notice that too late.
bool IsAlive(tcp::socket& socket) {
  boost::system::error_code error;
  std::array<char, 1> byte;
  socket.non_blocking(true, error);
  socket.receive(asio::buffer(byte), tcp::socket::message_peek, error);
  return error == asio::error::would_block;
}

}  // namespace

PeerClient::PeerClient(asio::any_io_executor executor, kommander::NodeId self,
                       std::map<kommander::NodeId, kommander::Endpoint> endpoints)
    : executor_(std::move(executor)), self_(self), endpoints_(std::move(endpoints)) {}

PeerClient::Stream PeerClient::TakeIdle(kommander::NodeId peer) {
  std::vector<Stream>& idle = idle_[peer];
  while (!idle.empty()) {
    Stream stream = std::move(idle.back());
    idle.pop_back();
    if (IsAlive(stream->socket())) return stream;
  }
  return nullptr;
}

asio::awaitable<PeerClient::Stream> PeerClient::Connect(kommander::NodeId peer,
                                                        std::chrono::nanoseconds timeout) {
  const auto known = endpoints_.find(peer);
  if (known == endpoints_.end()) co_return nullptr;
  const kommander::Endpoint& endpoint = known->second;
  auto stream = std::make_unique<beast::tcp_stream>(executor_);
  stream->expires_after(timeout);
  boost::system::error_code error;
  const auto address = asio::ip::make_address(endpoint.host, error);
  if (!error) {
    const tcp::endpoint target(address, endpoint.port);
    std::tie(error) = co_await stream->async_connect(target, kToken);
  } else {
    tcp::resolver resolver(executor_);
    auto [resolve_error, targets] =
        co_await resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), kToken);
    error = resolve_error;
    if (!error) {
      auto [connect_error, target] = co_await stream->async_connect(targets, kToken);
      error = connect_error;
    }
  }
  if (error) co_return nullptr;
  stream->socket().set_option(tcp::no_delay(true), error);  // it only saves time
  co_return stream;
}

asio::awaitable<Response> PeerClient::Forward(kommander::NodeId peer, RequestPointer request,
                                              std::chrono::nanoseconds timeout) {
  Stream stream = TakeIdle(peer);
  if (!stream) stream = co_await Connect(peer, timeout);
  if (!stream) co_return NotApplied("the leader cannot be reached");

  using Body = http::span_body<const char>;  // the bytes stay where they are
  http::request<Body> outgoing(request->method(), request->target(), 11);
  outgoing.set(http::field::host, endpoints_.at(peer).ToString());
  outgoing.set(kForwardedHeader, std::to_string(self_.value()));
  outgoing.body() = Body::value_type(request->body().data(), request->body().size());
  outgoing.prepare_payload();
  stream->expires_after(timeout);
  auto [write_error, written] = co_await http::async_write(*stream, outgoing, kToken);
  if (write_error) co_return Unknown("the connection to the leader broke");

  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kBodyBytesMax);
  auto [read_error, bytes] = co_await http::async_read(*stream, buffer, parser, kToken);
  if (read_error) co_return Unknown("the leader did not answer");
  stream->expires_never();
  std::vector<Stream>& idle = idle_[peer];
  if (parser.get().keep_alive() && idle.size() < kIdleMax) idle.push_back(std::move(stream));
  Response answer = parser.release();
  co_return MakeResponse(answer.result(), answer[http::field::content_type],
                         std::move(answer.body()));
}

}  // namespace kv
