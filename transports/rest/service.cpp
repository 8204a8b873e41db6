// The list of connections, the start and the end.
#include "rest/service.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "rest/connection.hpp"

namespace kommander::rest {
namespace {

// Whoever has an address of IPv6 has all of its /64.
boost::asio::ip::address NetworkOf(const boost::asio::ip::address& address) {
  if (!address.is_v6()) return address;
  if (address.to_v6().is_v4_mapped()) {
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
  }
  auto bytes = address.to_v6().to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
  return boost::asio::ip::address_v6(bytes);
}

}  // namespace

Service::Service(std::shared_ptr<Clock> clock, std::shared_ptr<Router> router,
                 RestServerOptions options)
    : clock_(std::move(clock)), router_(std::move(router)), options_(options) {}

Service::~Service() = default;

error_code Service::Start(std::shared_ptr<Life> life, boost::asio::any_io_executor executor,
                          const Endpoint& listen, std::string& detail) {
  const detail::MutexLock lock(mutex_);
  if (started_) {
    detail = "the server was started before";
    return RaftErrc::InvalidArgument;
  }
  auto acceptor = std::make_shared<transports::Acceptor<Service, Connection>>(
      shared_from_this(), life, std::move(executor));
  if (const error_code error = acceptor->Open(listen, bound_, detail)) return error;
  started_ = true;
  life_ = std::move(life);
  acceptor_ = std::move(acceptor);
  acceptor_->PostBegin();
  return {};
}

Endpoint Service::BoundEndpoint() const {
  const detail::MutexLock lock(mutex_);
  return bound_;
}

RestServerStatistics Service::Statistics() const {
  RestServerStatistics result;
  {
    const detail::MutexLock lock(mutex_);
    result.connections = places_.size();
  }
  result.accepted = counters_.accepted;
  result.turned_away = counters_.turned_away;
  result.gave_way = counters_.gave_way;
  result.requests = counters_.requests;
  result.refused = counters_.refused;
  result.timed_out = counters_.timed_out;
  return result;
}

// --- Connections ---

bool Service::Admits(const std::shared_ptr<Connection>& connection) {
  error_code error;
  const auto address = NetworkOf(connection->socket().remote_endpoint(error).address());
  bool is_admitted = false;
  std::shared_ptr<Connection> evicted;
  if (!error) {
    const detail::MutexLock lock(mutex_);
    if (!life_) return false;
    evicted = MakeRoom(address, is_admitted);
    if (is_admitted) places_.push_back({connection, address});
  }
  ++(is_admitted ? counters_.accepted : counters_.turned_away);
  if (evicted) {
    ++counters_.gave_way;
    evicted->PostClose();
  }
  return is_admitted;
}

// Who has to go, if anybody, so that one more connection of `address` may come.
std::shared_ptr<Connection> Service::MakeRoom(const boost::asio::ip::address& address,
                                              bool& has_room) {
  const auto of_address = [&address](const Place& place) { return place.address == address; };
  const auto count = std::count_if(places_.begin(), places_.end(), of_address);
  const bool is_address_full =
      static_cast<std::size_t>(count) >= options_.address_connections_max();
  has_room = !is_address_full && places_.size() < options_.connections_max();
  if (has_room) return nullptr;
  for (const auto stage : {Connection::Stage::kSilent, Connection::Stage::kIdle}) {
    const auto found = std::find_if(places_.begin(), places_.end(), [&](const Place& place) {
      return place.connection->stage() == stage && (!is_address_full || of_address(place));
    });
    if (found == places_.end()) continue;
    auto evicted = std::move(found->connection);
    places_.erase(found);
    has_room = true;
    return evicted;
  }
  return nullptr;
}

void Service::Forget(const Connection* connection) {
  std::shared_ptr<Connection> held;  // let go after the mutex
  const detail::MutexLock lock(mutex_);
  const auto found = std::find_if(places_.begin(), places_.end(), [connection](const Place& place) {
    return place.connection.get() == connection;
  });
  if (found == places_.end()) return;
  held = std::move(found->connection);
  places_.erase(found);
}

// --- The end ---

void Service::Stop(bool is_graceful, std::function<void()> done) {
  std::shared_ptr<Life> life;
  decltype(acceptor_) acceptor;
  decltype(places_) places;
  {
    const detail::MutexLock lock(mutex_);
    started_ = true;  // a server that was stopped does not start
    life = life_ ? std::exchange(life_, nullptr) : ending_.lock();
    ending_ = life;
    if (life && done) life->OnEnd(std::exchange(done, nullptr));
    acceptor.swap(acceptor_);
    if (is_graceful) {
      places = places_;  // each leaves the list when it has ended
    } else {
      places.swap(places_);
    }
  }
  if (acceptor) acceptor->PostClose();
  for (const auto& place : places) {
    if (is_graceful) {
      place.connection->PostDrain();
    } else {
      place.connection->PostClose();
    }
  }
  // Never started, or ended long ago: there is no executor to use.
  if (done) done();
}

}  // namespace kommander::rest
