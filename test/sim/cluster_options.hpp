// What a simulated cluster looks like; drawn from the seed, so that thousands of seeds meet
// thousands of shapes.
#pragma once

#include <cstddef>
#include <cstdint>

#include <kommander/time.hpp>

#include "chance.hpp"
#include "sim_io_scheduler.hpp"

namespace kommander::sim {

class Guest;

// How a node's application keeps what is delivered to it.
enum class ApplicationKind : std::uint8_t {
  kForgetful,  // by handlers, for as long as its process lives
  kSnapshots,  // a state machine whose snapshots are all that is left of it
  kOwnDisk,    // one that also has a disk of its own, now and then written to
};

struct ClusterOptions {
  std::uint32_t nodes = 3;
  std::uint32_t partitions = 2;  // beside the system partition
  Duration election_timeout = std::chrono::milliseconds(500);
  bool tight_limits = false;              // small caps everywhere: queues, windows, caches
  std::size_t node_bytes_max = 0;         // that cap alone is small; 0: it is not
  std::uint32_t slow_apply_permille = 0;  // of the deliveries take a while
  std::uint32_t bad_apply_permille = 0;   // of the handlers return false
  bool coroutine_handlers = false;        // which alone can be slow
  std::uint32_t encode_permille = 20;     // of the messages go through the codec
  ApplicationKind application = ApplicationKind::kForgetful;
  SimIoOptions io;
  Guest* guest = nullptr;  // outlives the cluster
};

// 0 nodes or partitions: by chance, 1..7 and 1..4.
[[nodiscard]] ClusterOptions DrawClusterOptions(Chance& chance, std::uint32_t nodes,
                                                std::uint32_t partitions);

}  // namespace kommander::sim
