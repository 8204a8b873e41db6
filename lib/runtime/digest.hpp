// The chained digest of a partition's entries: equal digests at an index mean equal histories.
#pragma once

#include <cstdint>

#include <kommander/entry.hpp>

namespace kommander::runtime {

// The digest after `entry`, given the one before it. Covers index, term, kind, types and payloads.
[[nodiscard]] std::uint64_t ChainDigest(std::uint64_t before, const Entry& entry) noexcept;

}  // namespace kommander::runtime
