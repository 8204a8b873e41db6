// Announcements as tests need them, and their datagrams.
#pragma once

#include <string>
#include <vector>

#include "multicast/datagram.hpp"
#include "multicast/signature.hpp"

namespace kommander::testing {

inline const std::string kSecret = "sixteen bytes ok";
inline const std::string kNewSecret = "seventeen bytes ok";

inline multicast::Announcement MakeAnnouncement(std::uint32_t node = 7,
                                                const std::string& host = "10.0.0.7") {
  multicast::Announcement announcement;
  announcement.cluster_id = "harbour";
  announcement.node = NodeAddress(NodeId(node), Endpoint(host, 7001));
  announcement.boot = 0x0807060504030201;
  announcement.number = 1;
  announcement.time_ms = 1'000'000;
  return announcement;
}

// Signed when there is a secret.
inline std::vector<std::byte> ToDatagram(const multicast::Announcement& announcement,
                                         const std::string& secret = {}) {
  auto bytes = multicast::EncodeAnnouncement(announcement, !secret.empty());
  if (!secret.empty()) {
    const auto signature = multicast::Sign(secret, bytes);
    bytes.insert(bytes.end(), signature.begin(), signature.end());
  }
  return bytes;
}

}  // namespace kommander::testing
