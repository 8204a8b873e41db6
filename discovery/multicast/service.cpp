#include "multicast/service.hpp"

#include <utility>

#include <boost/asio/ip/address.hpp>

#include "multicast/announcer.hpp"
#include "multicast/signature.hpp"

namespace kommander::multicast {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kSecretBytesLeast = 16;

bool IsGroup(const std::string& text, bool is_v6) {
  error_code error;
  const auto address = asio::ip::make_address(text, error);
  return !error && address.is_v6() == is_v6 && address.is_multicast();
}

template <class Value>
bool IsWithin(Value value, Value least, Value most) {
  return least <= value && value <= most;
}

// What is wrong with the options, for a person; empty: nothing.
std::string ProblemOf(const MulticastOptions& options) {
  Announcement own;
  own.cluster_id = options.cluster_id();
  own.node = NodeAddress(options.node(), options.announced());
  own.boot = own.number = 1;
  const std::string announced = "'" + options.announced().ToString() + "'";
  if (!IsSound(own)) {
    return "node " + std::to_string(options.node().value()) + " at " + announced +
           " cannot be announced: an id that is not 0, a host, a port that is not 0 and a cluster "
           "id, host and cluster id of at most " +
           std::to_string(kTextBytesMax) + " bytes";
  }
  for (const std::string& secret : options.secrets()) {
    if (secret.size() < kSecretBytesLeast) return "a secret has at least 16 bytes";
  }
  if (options.secrets().empty() != options.unauthenticated()) {
    return "either a secret, or AllowUnauthenticated: then anyone on the network can announce";
  }
  const std::string& v4 = options.group_v4();
  const std::string& v6 = options.group_v6();
  if (v4.empty() && v6.empty()) return "no group is given";
  if (!v4.empty() && !IsGroup(v4, false)) return "'" + v4 + "' is no multicast group of IPv4";
  if (!v6.empty() && !IsGroup(v6, true)) return "'" + v6 + "' is no multicast group of IPv6";
  if (!v6.empty() && options.interface().empty()) return "a group of IPv6 needs an interface";
  if (options.port() == 0) return "port 0 is nowhere";
  if (!IsWithin(options.hops(), 1, 255)) return "hops: 1 to 255";
  using std::chrono::hours;
  using std::chrono::milliseconds;
  if (!IsWithin<Duration>(options.interval(), milliseconds(100), hours(1))) {
    return "the interval: 100 ms to 1 h";
  }
  if (!IsWithin(options.expire_after(), 2, 1000)) return "a node expires after 2 to 1000 intervals";
  if (!IsWithin<Duration>(options.clock_skew(), std::chrono::seconds(1), hours(1))) {
    return "the clocks' skew: 1 s to 1 h";
  }
  if (!IsWithin<std::size_t>(options.nodes_max(), 1, 4096)) return "1 to 4096 nodes";
  return {};
}

}  // namespace

Service::Service(std::shared_ptr<Clock> clock, MulticastOptions options)
    : clock_(std::move(clock)),
      options_(std::move(options)),
      boot_(DrawBoot()),
      reception_(options_, boot_) {}

Service::~Service() = default;

error_code Service::Start(asio::any_io_executor executor, std::string& detail) {
  detail = ProblemOf(options_);
  if (detail.empty() && boot_ == 0) detail = "the system has no random numbers";
  const detail::MutexLock lock(mutex_);
  if (detail.empty() && started_) detail = "the discovery was started before";
  if (!detail.empty()) return RaftErrc::InvalidArgument;
  started_ = true;
  life_ = std::make_shared<detail::Life>(executor);
  announcer_ = std::make_shared<Announcer>(shared_from_this(), life_, std::move(executor), boot_);
  announcer_->PostBegin();
  return {};
}

std::vector<NodeAddress> Service::Nodes() const {
  const Instant now = clock_->Now();
  const detail::MutexLock lock(mutex_);
  return reception_.Nodes(now);
}

MulticastStatistics Service::Statistics() const {
  const Instant now = clock_->Now();
  const detail::MutexLock lock(mutex_);
  MulticastStatistics statistics = reception_.Statistics(now);
  statistics.sent = sent_;
  statistics.socket_errors = errors_;
  statistics.last_error = last_error_;
  return statistics;
}

bool Service::Take(ByteSpan datagram) {
  const Instant now = clock_->Now();
  const std::uint64_t wall_ms = clock_->WallMilliseconds();
  const detail::MutexLock lock(mutex_);
  return reception_.Take(datagram, now, wall_ms);
}

void Service::Expire() {
  const Instant now = clock_->Now();
  const detail::MutexLock lock(mutex_);
  reception_.Expire(now);
}

void Service::CountSent() {
  const detail::MutexLock lock(mutex_);
  ++sent_;
}

void Service::CountError(const std::string& where, error_code error) {
  std::string text = where + ": " + error.message();
  const detail::MutexLock lock(mutex_);
  ++errors_;
  last_error_ = std::move(text);
}

void Service::Stop(std::function<void()> done) {
  std::shared_ptr<detail::Life> life;
  std::shared_ptr<Announcer> announcer;
  {
    const detail::MutexLock lock(mutex_);
    started_ = true;  // what was stopped does not start
    life = life_ ? std::exchange(life_, nullptr) : ending_.lock();
    ending_ = life;
    if (life && done) life->OnEnd(std::exchange(done, nullptr));
    announcer.swap(announcer_);
  }
  if (announcer) announcer->PostClose();
  // Never started, or ended long ago: there is no executor to use.
  if (done) done();
}

}  // namespace kommander::multicast
