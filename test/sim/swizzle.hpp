// Swizzle-clogging: links die one after the other, and come back one after the other, in another
// order. What was true of the cluster when the first one died is not when the last one lives again.
#pragma once

#include <cstdint>
#include <vector>

#include <kommander/time.hpp>

namespace kommander::sim {

struct Outage {
  std::uint32_t from = 0;  // numbers of nodes, from 0
  std::uint32_t to = 0;
  Duration down{};  // since the clog began
  Duration up{};
};

// Of some of the directed links between `nodes` nodes, two at least: those that die, in the order
// in which they do, within the first half of `length`; all live again at its end.
[[nodiscard]] std::vector<Outage> DrawSwizzle(std::uint64_t draw, std::uint32_t nodes,
                                              Duration length);

}  // namespace kommander::sim
