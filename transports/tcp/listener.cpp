// Binding with one clear line when it fails, and accepting.
#include "tcp/listener.hpp"

#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include "tcp/inbound.hpp"

namespace kommander::tcp {

namespace asio = boost::asio;

namespace {

// How long to leave the system alone when it is out of descriptors or memory.
constexpr Duration kExhaustedPause = std::chrono::milliseconds(100);

bool IsExhausted(const error_code& error) {
  namespace errc = boost::system::errc;
  return error == errc::too_many_files_open || error == errc::too_many_files_open_in_system ||
         error == errc::no_buffer_space || error == errc::not_enough_memory;
}

}  // namespace

Listener::Listener(std::shared_ptr<Service> service, std::shared_ptr<Life> life,
                   asio::any_io_executor executor)
    : life_(std::move(life)),
      service_(std::move(service)),
      executor_(executor),
      strand_(std::move(executor)),
      strand_executor_(strand_),
      acceptor_(strand_) {}

error_code Listener::Open(const Endpoint& listen, Endpoint& bound, std::string& detail) {
  error_code error;
  asio::ip::address address;
  if (listen.host.empty()) {
    address = asio::ip::address_v4::any();
  } else if (listen.host == "localhost") {
    address = asio::ip::address_v4::loopback();
  } else {
    address = asio::ip::make_address(listen.host, error);
  }
  if (error) {
    detail = "cannot listen on '" + listen.host + "': not an IP address";
    return RaftErrc::InvalidArgument;
  }
  const asio::ip::tcp::endpoint endpoint(address, listen.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(Acceptor::max_listen_connections, error);
  if (error) {
    detail = "cannot listen on " + Endpoint(address.to_string(), listen.port).ToString() + ": " +
             error.message();
    const bool taken = error == asio::error::address_in_use;
    return taken ? RaftErrc::AddressInUse : RaftErrc::InvalidArgument;
  }
  bound = Endpoint(address.to_string(), acceptor_.local_endpoint(error).port());
  return error;
}

void Listener::PostBegin() {
  asio::post(strand_, [self = shared_from_this()] { self->Accept(); });
}

void Listener::PostClose() {
  asio::post(strand_, [self = shared_from_this()] { self->Close(); });
}

void Listener::Close() {
  closed_ = true;
  timer_.End();
  error_code ignored;
  acceptor_.close(ignored);
}

void Listener::Accept() {
  if (closed_) return;
  const auto connection = std::make_shared<Inbound>(service_, life_, executor_);
  acceptor_.async_accept(connection->socket(),
                         [self = shared_from_this(), connection](error_code error) {
                           self->OnAccepted(connection, error);
                         });
}

void Listener::OnAccepted(const std::shared_ptr<Inbound>& connection, error_code error) {
  if (closed_) return;
  if (error && IsExhausted(error)) {
    timer_.Arm(service_->clock(), strand_executor_, weak_from_this(), &Listener::Accept,
               kExhaustedPause);
    return;
  }
  // Any other error belongs to a connection that was gone before it was accepted.
  if (!error && !service_->Admit(connection)) connection->PostBegin();
  Accept();
}

}  // namespace kommander::tcp
