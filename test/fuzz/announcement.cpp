// What anyone on the network may send to the nodes of a cluster that find each other.
#include <algorithm>

#include "choices.hpp"
#include "multicast/datagram.hpp"
#include "multicast/reception.hpp"
#include "multicast/signature.hpp"
#include "target.hpp"

namespace kommander::fuzz {
namespace {

using multicast::Announcement;
using multicast::DatagramError;

const std::string kSecret = "sixteen bytes ok";
constexpr Instant kStart{std::chrono::seconds(1000)};
constexpr std::uint64_t kWall = 1'000'000;

Announcement Choose(Choices& choices) {
  Announcement announcement;
  announcement.cluster_id = choices.Coin() ? "harbour" : choices.Text(255);
  announcement.node.id = NodeId(choices.Number32());
  announcement.node.endpoint.host = choices.Coin() ? "10.0.0.7" : choices.Text(255);
  announcement.node.endpoint.port = static_cast<std::uint16_t>(choices.Number());
  announcement.boot = choices.Number();
  announcement.number = choices.Number();
  announcement.time_ms = choices.Coin() ? kWall : choices.Number();
  return announcement;
}

std::vector<std::byte> ToDatagram(const Announcement& announcement, bool is_signed) {
  auto bytes = multicast::EncodeAnnouncement(announcement, is_signed);
  if (!is_signed) return bytes;
  const auto signature = multicast::Sign(kSecret, bytes);
  bytes.insert(bytes.end(), signature.begin(), signature.end());
  return bytes;
}

// What is taken is sound, and encodes to what it was.
void Decode(ByteSpan datagram) {
  multicast::Decoded decoded;
  if (multicast::DecodeAnnouncement(datagram, decoded) != DatagramError::kNone) return;
  FUZZ_REQUIRE(multicast::IsSound(decoded.announcement));
  FUZZ_REQUIRE(datagram.size() <= multicast::kDatagramBytesMax);
  auto bytes = multicast::EncodeAnnouncement(decoded.announcement, decoded.is_signed);
  FUZZ_REQUIRE(std::equal(bytes.begin(), bytes.end(), decoded.signed_bytes.begin(),
                          decoded.signed_bytes.end()));
  if (decoded.is_signed) {
    bytes.insert(bytes.end(), decoded.signature.begin(), decoded.signature.end());
  }
  FUZZ_REQUIRE(std::equal(bytes.begin(), bytes.end(), datagram.begin(), datagram.end()));
}

std::uint64_t Counted(const MulticastStatistics& s) {
  return s.accepted + s.own + s.dropped_oversize + s.dropped_malformed + s.dropped_version +
         s.dropped_foreign + s.dropped_secret + s.dropped_stale + s.dropped_repeated +
         s.dropped_own_id + s.dropped_table_full;
}

// Of many announcements, each is counted once, none names too many nodes, and none is taken twice.
void Hear(Choices& choices) {
  MulticastOptions options("harbour", NodeId(1), Endpoint("10.0.0.1", 7001));
  const bool has_secret = choices.Coin();
  if (has_secret) {
    options.Secret(kSecret);
  } else {
    options.AllowUnauthenticated();
  }
  multicast::Reception reception(options.NodesMax(4), 99);
  Instant now = kStart;
  std::uint64_t count = 0;
  while (!choices.AtEnd()) {
    const Announcement said = Choose(choices);
    now += std::chrono::seconds(choices.Byte());
    reception.Expire(now);
    if (!multicast::IsSound(said)) continue;
    const bool is_signed = choices.Coin();
    auto datagram = ToDatagram(said, is_signed);
    const auto before = reception.Statistics(now);
    for (int i = 0; i < 2; ++i) (void)reception.Take(datagram, now, kWall);
    const auto after = reception.Statistics(now);
    count += 2;
    FUZZ_REQUIRE(Counted(after) == count);
    FUZZ_REQUIRE(after.nodes <= 4 && after.nodes == reception.Nodes(now).size());
    FUZZ_REQUIRE(after.accepted <= before.accepted + 1);
    FUZZ_REQUIRE(is_signed == has_secret || after.accepted == before.accepted);
  }
}

void Run(ByteSpan input) {
  Choices choices(input);
  if (choices.Coin()) return Hear(choices);
  Decode(choices.rest());
}

std::vector<std::string> Seeds() {
  Announcement announcement;
  announcement.cluster_id = "harbour";
  announcement.node = NodeAddress(NodeId(7), Endpoint("10.0.0.7", 7001));
  announcement.boot = 5;
  announcement.number = 1;
  announcement.time_ms = kWall;
  std::vector<std::string> seeds;
  for (const bool is_signed : {false, true}) {
    seeds.push_back('\0' + std::string(AsText(ToDatagram(announcement, is_signed))));
  }
  const std::string said{1, 7, 1, 9, 5, 1, 1, 0, 1};
  std::string later = said;
  later[5] = 2;
  seeds.push_back(std::string{1, 1} + said + later);
  return seeds;
}

}  // namespace

constexpr Target kAnnouncementTarget{"announcement", &Run, &Seeds};

}  // namespace kommander::fuzz
