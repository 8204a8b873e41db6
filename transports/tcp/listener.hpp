// Accepts connections until it is closed, and waits a while when the system has no room for more.
#pragma once

#include <memory>
#include <string>

#include <kommander/discovery.hpp>
#include <kommander/errors.hpp>

#include "tcp/service.hpp"
#include "tcp/socket.hpp"
#include "tcp/timer.hpp"

namespace kommander::tcp {

class Listener final : public std::enable_shared_from_this<Listener> {
 public:
  Listener(std::shared_ptr<Service> service, std::shared_ptr<Life> life,
           boost::asio::any_io_executor executor);

  // Before anything else; `bound` is where it listens then.
  error_code Open(const Endpoint& listen, Endpoint& bound, std::string& detail);
  // Thread-safe, each at most once.
  void PostBegin();
  void PostClose();

 private:
  void Accept();
  void OnAccepted(const std::shared_ptr<Inbound>& connection, error_code error);
  void Close();

  const std::shared_ptr<Life> life_;  // first: ends last
  const std::shared_ptr<Service> service_;
  const boost::asio::any_io_executor executor_;
  const Strand strand_;
  const boost::asio::any_io_executor strand_executor_;
  Acceptor acceptor_;
  Timer<Listener> timer_;
  bool closed_ = false;
};

}  // namespace kommander::tcp
