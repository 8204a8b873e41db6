// What runs: announces this node at its intervals, hears the others, and opens again what an error
// has closed. Everything happens on its strand; one timer serves whatever is due next.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <kommander/clock.hpp>
#include <kommander/detail/life.hpp>

#include "multicast/channel.hpp"
#include "multicast/service.hpp"

namespace kommander::multicast {

class Announcer final : public ChannelSink,
                        public Clock::Sink,
                        public std::enable_shared_from_this<Announcer> {
 public:
  Announcer(std::shared_ptr<Service> service, std::shared_ptr<detail::Life> life,
            boost::asio::any_io_executor executor, std::uint64_t boot);
  ~Announcer() override;
  Announcer(const Announcer&) = delete;
  Announcer& operator=(const Announcer&) = delete;

  // Thread-safe.
  void PostBegin();
  void PostClose();

  void OnDatagram(ByteSpan datagram) override;
  void OnChannelError(Channel& channel, error_code error) override;
  void OnTimer() noexcept override;

 private:
  // A channel, and when it is tried again while it is closed.
  struct Place {
    std::string group;
    std::shared_ptr<Channel> channel;
    Instant retry{};
    Duration pause{};
  };

  void Begin();
  void Close();
  // Opens what is closed and due.
  void OpenChannels(Instant now);
  void Fail(Place& place, error_code error, Instant now);
  void Announce(Instant now);
  void SendTo(Place& place);
  [[nodiscard]] Duration NextPause();
  void Arm();

  const std::shared_ptr<detail::Life> life_;  // first: ends last
  const std::shared_ptr<Service> service_;
  const std::uint64_t boot_;
  Strand strand_;
  std::vector<Place> places_;
  std::unique_ptr<Clock::Timer> timer_;
  std::uint64_t number_ = 0;
  std::uint64_t chance_;
  Instant announced_{};
  Instant next_{};
  bool closed_ = false;
};

}  // namespace kommander::multicast
