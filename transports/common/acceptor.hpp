// Binding with one clear line when it fails, and accepting until closed. A system that has no room
// for one more connection is left alone for a while.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <kommander/detail/life.hpp>
#include <kommander/discovery.hpp>
#include <kommander/errors.hpp>

#include "common/timer.hpp"

namespace kommander::transports {

using Strand = boost::asio::strand<boost::asio::any_io_executor>;
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Strand>;

// `Service` has clock() and Admits(connection), which says whether it may begin. `Connection` is
// made of a service, a life and an executor; it has socket() and PostBegin().
template <class Service, class Connection>
class Acceptor final : public std::enable_shared_from_this<Acceptor<Service, Connection>> {
 public:
  Acceptor(std::shared_ptr<Service> service, std::shared_ptr<detail::Life> life,
           boost::asio::any_io_executor executor)
      : life_(std::move(life)),
        service_(std::move(service)),
        executor_(executor),
        strand_(std::move(executor)),
        strand_executor_(strand_),
        acceptor_(strand_) {}

  // Before anything else; `bound` is where it listens then.
  error_code Open(const Endpoint& listen, Endpoint& bound, std::string& detail) {
    error_code error;
    boost::asio::ip::address address;
    if (listen.host.empty()) {
      address = boost::asio::ip::address_v4::any();
    } else if (listen.host == "localhost") {
      address = boost::asio::ip::address_v4::loopback();
    } else {
      address = boost::asio::ip::make_address(listen.host, error);
    }
    if (error) {
      detail = "cannot listen on '" + listen.host + "': not an IP address";
      return RaftErrc::InvalidArgument;
    }
    const boost::asio::ip::tcp::endpoint endpoint(address, listen.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(boost::asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
    if (error) {
      detail = "cannot listen on " + Endpoint(address.to_string(), listen.port).ToString() + ": " +
               error.message();
      const bool taken = error == boost::asio::error::address_in_use;
      return taken ? RaftErrc::AddressInUse : RaftErrc::InvalidArgument;
    }
    bound = Endpoint(address.to_string(), acceptor_.local_endpoint(error).port());
    return error;
  }
  // Thread-safe, each at most once.
  void PostBegin() {
    boost::asio::post(strand_, [self = this->shared_from_this()] { self->Accept(); });
  }
  void PostClose() {
    boost::asio::post(strand_, [self = this->shared_from_this()] { self->Close(); });
  }

 private:
  // How long to leave the system alone when it is out of descriptors or memory.
  static constexpr Duration kExhaustedPause = std::chrono::milliseconds(100);

  static bool IsExhausted(const error_code& error) {
    namespace errc = boost::system::errc;
    return error == errc::too_many_files_open || error == errc::too_many_files_open_in_system ||
           error == errc::no_buffer_space || error == errc::not_enough_memory;
  }
  void Accept() {
    if (closed_) return;
    const auto connection = std::make_shared<Connection>(service_, life_, executor_);
    acceptor_.async_accept(connection->socket(),
                           [self = this->shared_from_this(), connection](error_code error) {
                             self->OnAccepted(connection, error);
                           });
  }
  void OnAccepted(const std::shared_ptr<Connection>& connection, error_code error) {
    if (closed_) return;
    if (error && IsExhausted(error)) {
      timer_.Arm(service_->clock(), strand_executor_, this->weak_from_this(), &Acceptor::Accept,
                 kExhaustedPause);
      return;
    }
    // Any other error belongs to a connection that was gone before it was accepted.
    if (!error && service_->Admits(connection)) connection->PostBegin();
    Accept();
  }
  void Close() {
    closed_ = true;
    timer_.End();
    error_code ignored;
    acceptor_.close(ignored);
  }

  const std::shared_ptr<detail::Life> life_;  // first: ends last
  const std::shared_ptr<Service> service_;
  const boost::asio::any_io_executor executor_;
  const Strand strand_;
  const boost::asio::any_io_executor strand_executor_;
  boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, Strand> acceptor_;
  Timer<Acceptor> timer_;
  bool closed_ = false;
};

}  // namespace kommander::transports
