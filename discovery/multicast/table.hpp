// Who was heard, where and when. One record per node, bounded; it outlives the node's address for
// as long as something that was said could be repeated, and refuses that.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include <kommander/discovery.hpp>
#include <kommander/time.hpp>

#include "multicast/datagram.hpp"

namespace kommander::multicast {

// Not thread-safe.
class Table {
 public:
  struct Limits {
    std::size_t nodes_max = 0;
    Duration expiry{};      // after its last announcement a node is not named any more
    Duration clock_skew{};  // what is told of another time was refused before it came here
  };
  enum class Verdict : std::uint8_t { kNew, kKnown, kRepeated, kFull };

  explicit Table(Limits limits) noexcept : limits_(limits) {}

  // kNew: of a node, or a process of it, that was not named.
  Verdict Accept(const Announcement& announcement, Instant now);
  // Named now, in the order of their ids.
  [[nodiscard]] std::vector<NodeAddress> Nodes(Instant now) const;
  // Forgets what neither names a node nor refuses a repetition; how many fell silent since the last
  // call.
  std::uint64_t Expire(Instant now);

 private:
  struct Record {
    Endpoint endpoint;
    std::uint64_t boot = 0;
    std::uint64_t number = 0;
    std::uint64_t time_ms = 0;
    Instant heard{};
    bool speaks = false;  // its silence has not been counted
  };
  [[nodiscard]] bool IsNamed(const Record& record, Instant now) const noexcept {
    return record.boot != 0 && now - record.heard < limits_.expiry;
  }

  const Limits limits_;
  std::unordered_map<NodeId, Record> records_;
};

}  // namespace kommander::multicast
