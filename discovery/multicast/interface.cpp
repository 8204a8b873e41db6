#include "multicast/interface.hpp"

#include <cerrno>
#include <ifaddrs.h>
#include <memory>
#include <net/if.h>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>

namespace kommander::multicast {
namespace {

namespace asio = boost::asio;

std::optional<asio::ip::address> AddressOf(const sockaddr* address) {
  if (address == nullptr) return std::nullopt;
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    return asio::ip::address_v4(ntohl(v4->sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    asio::ip::address_v6::bytes_type bytes;
    std::copy(std::begin(v6->sin6_addr.s6_addr), std::end(v6->sin6_addr.s6_addr), bytes.begin());
    return asio::ip::address_v6(bytes);
  }
  return std::nullopt;
}

unsigned FindByAddress(const asio::ip::address& address, error_code& error) {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) {
    error = error_code(errno, boost::system::system_category());
    return 0;
  }
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owned(all, &freeifaddrs);
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (AddressOf(one->ifa_addr) == address) return if_nametoindex(one->ifa_name);
  }
  return 0;
}

}  // namespace

unsigned FindInterface(const std::string& interface, error_code& error) {
  error.clear();
  if (interface.empty()) return 0;
  error_code not_literal;
  const auto address = asio::ip::make_address(interface, not_literal);
  const unsigned index =
      not_literal ? if_nametoindex(interface.c_str()) : FindByAddress(address, error);
  if (index == 0 && !error) error = make_error_code(boost::system::errc::no_such_device);
  return index;
}

}  // namespace kommander::multicast
