#include "multicast/reception.hpp"

#include "announcements.hpp"
#include "catch.hpp"

using namespace kommander;
using namespace kommander::testing;
using namespace std::chrono_literals;
using multicast::Announcement;
using multicast::Reception;

namespace {

constexpr Instant kNow{1000s};
constexpr std::uint64_t kWall = 1'000'000;
constexpr std::uint64_t kOwnBoot = 99;
using Counter = std::uint64_t MulticastStatistics::*;

MulticastOptions Options() {
  return MulticastOptions("harbour", NodeId(1), Endpoint("10.0.0.1", 7001));
}

std::uint64_t Counted(const MulticastStatistics& s) {
  return s.accepted + s.own + s.dropped_oversize + s.dropped_malformed + s.dropped_version +
         s.dropped_foreign + s.dropped_secret + s.dropped_stale + s.dropped_repeated +
         s.dropped_own_id + s.dropped_table_full;
}

// Exactly this counter moves by one, and only `accepted` names a node.
bool Counts(Reception& reception, ByteSpan datagram, Counter counter) {
  const auto before = reception.Statistics(kNow);
  (void)reception.Take(datagram, kNow, kWall);
  const auto after = reception.Statistics(kNow);
  const bool is_taken = counter == &MulticastStatistics::accepted;
  return after.*counter == before.*counter + 1 && Counted(after) == Counted(before) + 1 &&
         (is_taken || after.nodes == before.nodes);
}

}  // namespace

TEST_CASE("reception: each reason to drop a datagram has its count") {
  Reception reception(Options().Secret(kSecret).NodesMax(2), kOwnBoot);
  const auto counts = [&](const Announcement& said, Counter counter,
                          const std::string& secret = kSecret) {
    return Counts(reception, ToDatagram(said, secret), counter);
  };
  CHECK(counts(MakeAnnouncement(2), &MulticastStatistics::accepted));
  CHECK(counts(MakeAnnouncement(2), &MulticastStatistics::dropped_repeated));
  CHECK(counts(MakeAnnouncement(3), &MulticastStatistics::dropped_secret, {}));
  CHECK(counts(MakeAnnouncement(3), &MulticastStatistics::dropped_secret, kNewSecret));
  CHECK(counts(MakeAnnouncement(1), &MulticastStatistics::dropped_own_id));
  Announcement said = MakeAnnouncement(1);
  said.boot = kOwnBoot;
  CHECK(counts(said, &MulticastStatistics::own));
  said = MakeAnnouncement(3);
  said.cluster_id = "another";
  CHECK(counts(said, &MulticastStatistics::dropped_foreign));
  CHECK(counts(said, &MulticastStatistics::dropped_foreign, kNewSecret));
  said = MakeAnnouncement(3);
  for (const std::uint64_t time : {kWall - 60'001, kWall + 60'001, std::uint64_t{0}, ~kWall}) {
    said.time_ms = time;
    CHECK(counts(said, &MulticastStatistics::dropped_stale));
  }
  said.time_ms = kWall - 60'000;
  CHECK(counts(said, &MulticastStatistics::accepted));
  CHECK(counts(MakeAnnouncement(4), &MulticastStatistics::dropped_table_full));

  CHECK(Counts(reception, AsBytes(std::string(513, 'x')), &MulticastStatistics::dropped_oversize));
  CHECK(Counts(reception, AsBytes("KMDA"), &MulticastStatistics::dropped_malformed));
  CHECK(Counts(reception, {}, &MulticastStatistics::dropped_malformed));
  auto newer = ToDatagram(MakeAnnouncement(2), kSecret);
  newer[4] = std::byte{2};
  CHECK(Counts(reception, newer, &MulticastStatistics::dropped_version));
}

TEST_CASE("reception: with a secret each flipped bit is refused") {
  Reception reception(Options().Secret(kSecret), kOwnBoot);
  auto datagram = ToDatagram(MakeAnnouncement(2), kSecret);
  for (std::size_t bit = 0; bit < 8 * datagram.size(); ++bit) {
    datagram[bit / 8] ^= std::byte{1} << (bit % 8);
    INFO("bit " << bit);
    CHECK_FALSE(reception.Take(datagram, kNow, kWall));
    datagram[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  CHECK(reception.Statistics(kNow).accepted == 0);
  CHECK(reception.Take(datagram, kNow, kWall));
}

TEST_CASE("reception: without a secret a signature is not believed either") {
  Reception reception(Options().AllowUnauthenticated(), kOwnBoot);
  CHECK(Counts(reception, ToDatagram(MakeAnnouncement(2), kSecret),
               &MulticastStatistics::dropped_secret));
  CHECK(Counts(reception, ToDatagram(MakeAnnouncement(2)), &MulticastStatistics::accepted));
}

// Each step of a rotation meets nodes of the step before and of the one after.
TEST_CASE("reception: secrets are rotated without a gap") {
  const std::vector<std::vector<std::string>> steps{
      {kSecret}, {kSecret, kNewSecret}, {kNewSecret, kSecret}, {kNewSecret}};
  const auto hears = [&](std::size_t hearer, std::size_t speaker) {
    const auto& secrets = steps[hearer];
    MulticastOptions options = Options();
    options.Secret(secrets.front(), secrets.size() == 2 ? secrets.back() : std::string());
    Reception reception(options, kOwnBoot);
    return reception.Take(ToDatagram(MakeAnnouncement(2), steps[speaker].front()), kNow, kWall);
  };
  for (std::size_t step = 0; step + 1 < steps.size(); ++step) {
    CHECK(hears(step, step));
    CHECK(hears(step, step + 1));
    CHECK(hears(step + 1, step));
  }
  CHECK_FALSE(hears(0, 3));
  CHECK_FALSE(hears(3, 0));
}

TEST_CASE("reception: a node that falls silent is counted and not named") {
  Reception reception(Options().Secret(kSecret).Interval(1s).ExpireAfter(4), kOwnBoot);
  REQUIRE(reception.Take(ToDatagram(MakeAnnouncement(2), kSecret), kNow, kWall));
  reception.Expire(kNow + 4s - 1ns);
  CHECK(reception.Nodes(kNow + 4s - 1ns).size() == 1);
  reception.Expire(kNow + 4s);
  CHECK(reception.Nodes(kNow + 4s).empty());
  CHECK(reception.Statistics(kNow + 4s).expired == 1);
  CHECK(reception.Statistics(kNow + 4s).nodes == 0);
}
