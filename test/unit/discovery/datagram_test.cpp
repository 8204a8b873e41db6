#include "multicast/datagram.hpp"

#include <iomanip>
#include <sstream>

#include "announcements.hpp"
#include "catch.hpp"

using namespace kommander;
using namespace kommander::testing;
using multicast::Announcement;
using multicast::DatagramError;
using multicast::Decoded;

namespace {

std::string ToHex(ByteSpan bytes) {
  std::ostringstream text;
  for (const std::byte byte : bytes) {
    text << std::hex << std::setw(2) << std::setfill('0') << std::to_integer<int>(byte);
  }
  return text.str();
}

DatagramError Judge(ByteSpan datagram) {
  Decoded decoded;
  return multicast::DecodeAnnouncement(datagram, decoded);
}

}  // namespace

// The example of docs/protocol.md.
TEST_CASE("datagram: golden bytes") {
  const std::string body =
      "4b4d4441"          // KMDA
      "01"                // version
      "01"                // signed
      "5b00"              // 91 bytes
      "07000000"          // node 7
      "591b"              // port 7001
      "0000"              //
      "0102030405060708"  // boot
      "0100000000000000"  // number 1
      "40420f0000000000"  // 1,000,000 ms
      "08000700"          // lengths
      "31302e302e302e37"  // 10.0.0.7
      "686172626f7572";   // harbour
  const std::string signature = "0caab1b27634de77db1db3549943e816f0834d704e9949267333a547be757145";
  CHECK(ToHex(ToDatagram(MakeAnnouncement(), kSecret)) == body + signature);
  std::string unsigned_body = body;
  unsigned_body.replace(10, 6, "003b00");
  CHECK(ToHex(ToDatagram(MakeAnnouncement())) == unsigned_body);
}

TEST_CASE("datagram: what was encoded comes back") {
  for (const char* host : {"10.0.0.7", "::1", "fe80::1%eth0", "node-7.harbour.example"}) {
    for (const auto& secret : {std::string(), kSecret}) {
      const Announcement announcement = MakeAnnouncement(0xffffffff, host);
      const auto datagram = ToDatagram(announcement, secret);
      Decoded decoded;
      REQUIRE(multicast::DecodeAnnouncement(datagram, decoded) == DatagramError::kNone);
      CHECK(decoded.announcement == announcement);
      CHECK(decoded.is_signed == !secret.empty());
    }
  }
}

TEST_CASE("datagram: the longest has 512 bytes") {
  Announcement announcement = MakeAnnouncement(7, std::string(180, 'h'));
  announcement.cluster_id.assign(256, 'c');
  REQUIRE(multicast::IsSound(announcement));
  auto datagram = ToDatagram(announcement, kSecret);
  CHECK(datagram.size() == multicast::kDatagramBytesMax);
  CHECK(Judge(datagram) == DatagramError::kNone);
  datagram.push_back(std::byte{0});
  CHECK(Judge(datagram) == DatagramError::kOversize);
  announcement.node.endpoint.host += 'h';
  CHECK_FALSE(multicast::IsSound(announcement));
}

TEST_CASE("datagram: cut anywhere it is malformed") {
  const auto datagram = ToDatagram(MakeAnnouncement(), kSecret);
  for (std::size_t count = 0; count < datagram.size(); ++count) {
    INFO(count << " bytes");
    CHECK(Judge(ByteSpan(datagram).first(count)) == DatagramError::kMalformed);
  }
}

TEST_CASE("datagram: values that mean nothing are malformed") {
  const auto spoil = [](void (*change)(Announcement&)) {
    Announcement announcement = MakeAnnouncement();
    change(announcement);
    CHECK_FALSE(multicast::IsSound(announcement));
    return Judge(ToDatagram(announcement));
  };
  const std::vector<void (*)(Announcement&)> changes{
      [](Announcement& a) { a.node.id = NodeId(); },
      [](Announcement& a) { a.node.endpoint.port = 0; },
      [](Announcement& a) { a.node.endpoint.host.clear(); },
      [](Announcement& a) { a.node.endpoint.host = "a b"; },
      [](Announcement& a) { a.node.endpoint.host = std::string("a\0b", 3); },
      [](Announcement& a) { a.node.endpoint.host.assign(256, 'h'); },
      [](Announcement& a) { a.cluster_id.clear(); },
      [](Announcement& a) { a.cluster_id.assign(257, 'c'); },
      [](Announcement& a) { a.boot = 0; },
      [](Announcement& a) { a.number = 0; },
  };
  for (const auto change : changes) CHECK(spoil(change) == DatagramError::kMalformed);
}

TEST_CASE("datagram: an unknown version, flag or reserved value") {
  const auto with = [](std::size_t offset, unsigned char value) {
    auto datagram = ToDatagram(MakeAnnouncement());
    datagram[offset] = std::byte{value};
    return Judge(datagram);
  };
  CHECK(with(4, 2) == DatagramError::kVersion);
  CHECK(with(5, 2) == DatagramError::kMalformed);
  CHECK(with(14, 1) == DatagramError::kMalformed);
  CHECK(with(0, 'k') == DatagramError::kMalformed);
}
