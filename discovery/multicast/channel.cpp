#include "multicast/channel.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/v6_only.hpp>

#include "multicast/interface.hpp"

namespace kommander::multicast {

namespace asio = boost::asio;

namespace {

error_code SetOption(int socket, int level, int name, const void* value, socklen_t size) {
  if (::setsockopt(socket, level, name, value, size) == 0) return {};
  return {errno, boost::system::system_category()};
}

// By index, for which Asio has no option with IPv4.
error_code JoinV4(int socket, const asio::ip::address_v4& group, unsigned interface) {
  ip_mreqn request{};
  request.imr_multiaddr.s_addr = htonl(group.to_uint());
  request.imr_ifindex = static_cast<int>(interface);
  error_code error = SetOption(socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request);
  if (!error && interface != 0) {
    error = SetOption(socket, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request);
  }
  return error;
}

error_code JoinV6(int socket, const asio::ip::address_v6& group, unsigned interface) {
  ipv6_mreq request{};
  const auto bytes = group.to_bytes();
  std::copy(bytes.begin(), bytes.end(), std::begin(request.ipv6mr_multiaddr.s6_addr));
  request.ipv6mr_interface = interface;
  error_code error = SetOption(socket, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request);
  if (!error && interface != 0) {
    const int index = static_cast<int>(interface);
    error = SetOption(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index);
  }
  return error;
}

}  // namespace

Channel::Channel(std::shared_ptr<detail::Life> life, const Strand& strand, asio::ip::address group,
                 const MulticastOptions& options, std::weak_ptr<ChannelSink> sink)
    : life_(std::move(life)),
      group_(std::move(group)),
      interface_(options.interface()),
      port_(options.port()),
      hops_(options.hops()),
      sink_(std::move(sink)),
      socket_(strand) {}

error_code Channel::Open() {
  error_code error;
  const unsigned interface = FindInterface(interface_, error);
  if (!error) error = Prepare(interface);
  if (error) {
    Close();
    return error;
  }
  index_ = interface;
  Receive();
  return {};
}

// Bound to the group, so that nothing else that comes to this port is received. Several processes
// of one machine share the port, and hear each other because what is sent comes back.
error_code Channel::Prepare(unsigned interface) {
  asio::ip::address group = group_;
  if (group.is_v6()) {
    auto scoped = group.to_v6();
    scoped.scope_id(interface);
    group = scoped;
  }
  const asio::ip::udp::endpoint bound(group, port_);
  error_code error;
  socket_.open(bound.protocol(), error);
  if (!error) socket_.non_blocking(true, error);
  if (!error) socket_.set_option(Socket::reuse_address(true), error);
  if (!error && group.is_v6()) socket_.set_option(asio::ip::v6_only(true), error);
  if (!error) socket_.bind(bound, error);
  if (!error) {
    const int handle = socket_.native_handle();
    error = group.is_v6() ? JoinV6(handle, group.to_v6(), interface)
                          : JoinV4(handle, group.to_v4(), interface);
  }
  if (!error) socket_.set_option(asio::ip::multicast::enable_loopback(true), error);
  if (!error) socket_.set_option(asio::ip::multicast::hops(hops_), error);
  return error;
}

bool Channel::IsWhereItShouldBe() const {
  error_code error;
  return FindInterface(interface_, error) == index_ && !error;
}

error_code Channel::Send(ByteSpan datagram) {
  asio::ip::address group = group_;
  if (group.is_v6()) {
    auto scoped = group.to_v6();
    scoped.scope_id(index_);
    group = scoped;
  }
  error_code error;
  (void)socket_.send_to(asio::buffer(datagram.data(), datagram.size()), {group, port_}, 0, error);
  return error;
}

void Channel::Receive() {
  socket_.async_receive_from(
      asio::buffer(buffer_), sender_,
      [self = shared_from_this(), opening = opening_](error_code error, std::size_t count) {
        const auto sink = self->sink_.lock();
        if (opening != self->opening_ || !sink) return;
        if (error) {
          self->Close();
          sink->OnChannelError(*self, error);
          return;
        }
        sink->OnDatagram(ByteSpan(self->buffer_).first(count));
        if (opening == self->opening_) self->Receive();
      });
}

void Channel::Close() noexcept {
  ++opening_;
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace kommander::multicast
