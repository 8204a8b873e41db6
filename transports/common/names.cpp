#include "common/names.hpp"

#include <utility>

#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace kommander::transports {
namespace {

namespace asio = boost::asio;
using Resolver = asio::ip::basic_resolver<asio::ip::tcp, Strand>;

// More than a name has in earnest: an attempt tries them one after the other.
constexpr std::size_t kAddressesMax = 16;

class SystemNames final : public Names {
 public:
  void Find(Strand strand, std::string host, Answer answer) override {
    const auto resolver = std::make_shared<Resolver>(std::move(strand));
    resolver->async_resolve(
        host, "0", asio::ip::resolver_base::numeric_service,
        [resolver, answer = std::move(answer)](error_code error, const auto& results) {
          Addresses addresses;
          for (const auto& result : results) {
            if (addresses.size() == kAddressesMax) break;
            addresses.push_back(result.endpoint().address());
          }
          answer(error, std::move(addresses));
        });
  }
};

}  // namespace

std::shared_ptr<Names> MakeSystemNames() { return std::make_shared<SystemNames>(); }

}  // namespace kommander::transports
