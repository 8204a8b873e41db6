// What outlives a start: the options, who was heard, and the counts. Shared by the face and by what
// runs.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include <kommander/clock.hpp>
#include <kommander/detail/life.hpp>
#include <kommander/detail/mutex.hpp>
#include <kommander/multicast_discovery.hpp>

#include "multicast/reception.hpp"

namespace kommander::multicast {

class Announcer;

class Service final : public std::enable_shared_from_this<Service> {
 public:
  Service(std::shared_ptr<Clock> clock, MulticastOptions options);
  ~Service();

  error_code Start(boost::asio::any_io_executor executor, std::string& detail);
  [[nodiscard]] std::vector<NodeAddress> Nodes() const;
  [[nodiscard]] MulticastStatistics Statistics() const;
  void Stop(std::function<void()> done);

  // --- For the announcer ---

  [[nodiscard]] Clock& clock() const noexcept { return *clock_; }
  [[nodiscard]] const MulticastOptions& options() const noexcept { return options_; }
  // True: a node was not named before.
  bool Take(ByteSpan datagram);
  void Expire();
  void CountSent();
  void CountError(const std::string& where, error_code error);

 private:
  const std::shared_ptr<Clock> clock_;
  const MulticastOptions options_;
  const std::uint64_t boot_;

  mutable detail::Mutex mutex_;
  Reception reception_ KOMMANDER_GUARDED_BY(mutex_);
  std::uint64_t sent_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  std::uint64_t errors_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  std::string last_error_ KOMMANDER_GUARDED_BY(mutex_);
  bool started_ KOMMANDER_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Announcer> announcer_ KOMMANDER_GUARDED_BY(mutex_);  // while it runs
  std::shared_ptr<detail::Life> life_ KOMMANDER_GUARDED_BY(mutex_);    // likewise
  std::weak_ptr<detail::Life> ending_ KOMMANDER_GUARDED_BY(mutex_);    // while the last parts go
};

}  // namespace kommander::multicast
