// One multicast group: the socket that is a member of it, sends to it and receives from it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_datagram_socket.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/strand.hpp>

#include <kommander/detail/life.hpp>
#include <kommander/errors.hpp>
#include <kommander/multicast_discovery.hpp>

#include "multicast/datagram.hpp"

namespace kommander::multicast {

using Strand = boost::asio::strand<boost::asio::any_io_executor>;

class Channel;

// The owner of channels, called on their strand, never inside a call of a channel.
class ChannelSink {
 public:
  virtual ~ChannelSink() = default;
  virtual void OnDatagram(ByteSpan datagram) = 0;
  // It has closed the channel.
  virtual void OnChannelError(Channel& channel, error_code error) = 0;
};

// Used on one strand. Whoever owns it opens it, and opens it again after an error has closed it.
class Channel final : public std::enable_shared_from_this<Channel> {
 public:
  Channel(std::shared_ptr<detail::Life> life, const Strand& strand, boost::asio::ip::address group,
          const MulticastOptions& options, std::weak_ptr<ChannelSink> sink);

  // Joins the group and begins to receive.
  error_code Open();
  [[nodiscard]] bool IsOpen() const noexcept { return socket_.is_open(); }
  // Whether the interface is still the one that it was opened on.
  [[nodiscard]] bool IsWhereItShouldBe() const;
  error_code Send(ByteSpan datagram);
  void Close() noexcept;

 private:
  using Socket = boost::asio::basic_datagram_socket<boost::asio::ip::udp, Strand>;
  error_code Prepare(unsigned interface);
  void Receive();

  const std::shared_ptr<detail::Life> life_;  // first: ends last
  const boost::asio::ip::address group_;
  const std::string interface_;
  const std::uint16_t port_;
  const int hops_;
  const std::weak_ptr<ChannelSink> sink_;
  Socket socket_;
  unsigned index_ = 0;  // of the interface
  boost::asio::ip::udp::endpoint sender_;
  std::array<std::byte, kDatagramBytesMax + 1> buffer_{};  // one more tells what is too long
  std::uint64_t opening_ = 0;                              // what is received belongs to one
};

}  // namespace kommander::multicast
