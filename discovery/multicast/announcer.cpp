#include "multicast/announcer.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include "multicast/signature.hpp"

namespace kommander::multicast {
namespace {

namespace asio = boost::asio;

constexpr Duration kRetryLeast = std::chrono::seconds(1);
constexpr Duration kRetryMost = std::chrono::seconds(30);
// Of the interval: how much of it chance may take, and what keeps two announcements apart.
constexpr int kJitterShare = 8;
constexpr int kAnswerShare = 10;

}  // namespace

Announcer::Announcer(std::shared_ptr<Service> service, std::shared_ptr<detail::Life> life,
                     asio::any_io_executor executor, std::uint64_t boot)
    : life_(std::move(life)),
      service_(std::move(service)),
      boot_(boot),
      strand_(std::move(executor)),
      chance_(boot) {}

Announcer::~Announcer() = default;

void Announcer::PostBegin() {
  asio::post(strand_, [self = shared_from_this()] { self->Begin(); });
}

void Announcer::PostClose() {
  asio::post(strand_, [self = shared_from_this()] { self->Close(); });
}

void Announcer::Begin() {
  if (closed_) return;
  const MulticastOptions& options = service_->options();
  for (const std::string& group : {options.group_v4(), options.group_v6()}) {
    if (group.empty()) continue;
    Place place;
    place.group = group;
    place.channel = std::make_shared<Channel>(life_, strand_, asio::ip::make_address(group),
                                              options, weak_from_this());
    places_.push_back(std::move(place));
  }
  timer_ = service_->clock().CreateTimer(strand_, weak_from_this());
  OnTimer();
}

void Announcer::Close() {
  closed_ = true;
  timer_.reset();
  for (const Place& place : places_) place.channel->Close();
}

// Looks what is due, so a call that comes too soon does no harm.
void Announcer::OnTimer() noexcept {
  if (closed_) return;
  const Instant now = service_->clock().Now();
  OpenChannels(now);
  if (now >= next_) Announce(now);
  Arm();
}

void Announcer::OpenChannels(Instant now) {
  for (Place& place : places_) {
    if (place.channel->IsOpen() || now < place.retry) continue;
    if (const error_code error = place.channel->Open()) Fail(place, error, now);
  }
}

void Announcer::Fail(Place& place, error_code error, Instant now) {
  place.channel->Close();
  service_->CountError(place.group, error);
  place.pause = std::clamp(2 * place.pause, kRetryLeast, kRetryMost);
  place.retry = now + place.pause;
}

void Announcer::Announce(Instant now) {
  service_->Expire();
  announced_ = now;
  next_ = now + NextPause();
  for (Place& place : places_) {
    if (!place.channel->IsOpen()) continue;
    // An interface that went and came is another one, on which nobody joined the group.
    if (!place.channel->IsWhereItShouldBe()) {
      Fail(place, make_error_code(boost::system::errc::no_such_device), now);
    } else {
      SendTo(place);
    }
  }
}

void Announcer::SendTo(Place& place) {
  const MulticastOptions& options = service_->options();
  Announcement own;
  own.cluster_id = options.cluster_id();
  own.node = NodeAddress(options.node(), options.announced());
  own.boot = boot_;
  own.number = ++number_;
  own.time_ms = service_->clock().WallMilliseconds();
  const auto& secrets = options.secrets();
  std::vector<std::byte> datagram = EncodeAnnouncement(own, !secrets.empty());
  if (!secrets.empty()) {
    const Signature signature = Sign(secrets.front(), datagram);
    datagram.insert(datagram.end(), signature.begin(), signature.end());
  }
  if (const error_code error = place.channel->Send(datagram)) {
    Fail(place, error, announced_);
  } else {
    service_->CountSent();
    place.pause = Duration{};
  }
}

// Uniform in the last eighth of the interval: nodes that began together do not speak together.
Duration Announcer::NextPause() {
  chance_ = chance_ * 6364136223846793005u + 1442695040888963407u;  // Knuth's MMIX
  const Duration interval = service_->options().interval();
  const Duration spread = interval / kJitterShare;
  return interval - spread * static_cast<int>(chance_ >> 57) / 128;
}

void Announcer::OnDatagram(ByteSpan datagram) {
  if (closed_ || !service_->Take(datagram)) return;
  // A node that begins has heard nobody yet: it should not have to wait for an interval.
  const Instant soon = announced_ + service_->options().interval() / kAnswerShare;
  next_ = std::min(next_, soon);
  Arm();
}

void Announcer::OnChannelError(Channel& channel, error_code error) {
  if (closed_) return;
  for (Place& place : places_) {
    if (place.channel.get() == &channel) Fail(place, error, service_->clock().Now());
  }
  Arm();
}

void Announcer::Arm() {
  Instant due = next_;
  for (const Place& place : places_) {
    if (!place.channel->IsOpen()) due = std::min(due, place.retry);
  }
  timer_->Arm(due);
}

}  // namespace kommander::multicast
