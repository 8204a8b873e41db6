// Judges every datagram that arrives, counts it, and keeps what may be believed. The order matters:
// what costs little refuses first, and nothing of a datagram is believed before its signature is.
#pragma once

#include <cstdint>
#include <vector>

#include <kommander/multicast_discovery.hpp>

#include "multicast/datagram.hpp"
#include "multicast/table.hpp"

namespace kommander::multicast {

// Not thread-safe.
class Reception {
 public:
  // `boot` is this process's.
  Reception(const MulticastOptions& options, std::uint64_t boot);

  // At `now`, which is `wall_ms` in Unix time. True: a node was not named before.
  bool Take(ByteSpan datagram, Instant now, std::uint64_t wall_ms);
  void Expire(Instant now);
  [[nodiscard]] std::vector<NodeAddress> Nodes(Instant now) const { return table_.Nodes(now); }
  // Without what is counted elsewhere: what was sent, and errors of sockets.
  [[nodiscard]] MulticastStatistics Statistics(Instant now) const;

 private:
  [[nodiscard]] bool IsGenuine(const Decoded& decoded) const;
  [[nodiscard]] bool IsTimely(std::uint64_t time_ms, std::uint64_t wall_ms) const;

  const std::string cluster_id_;
  const NodeId node_;
  const std::vector<std::string> secrets_;
  const std::uint64_t skew_ms_;
  const std::uint64_t boot_;
  Table table_;
  MulticastStatistics counts_;
};

}  // namespace kommander::multicast
