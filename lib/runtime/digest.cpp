#include "runtime/digest.hpp"

#define XXH_INLINE_ALL
#include <array>
#include <cstring>
#include <xxhash.h>

namespace kommander::runtime {

std::uint64_t ChainDigest(std::uint64_t before, const Entry& entry) noexcept {
  const std::array<std::uint64_t, 4> head{before, entry.index.value(), entry.term.value(),
                                          static_cast<std::uint64_t>(entry.kind)};
  // Little-endian machines only, as everywhere in the formats; the static check stands in the
  // codec.
  const std::uint64_t seed = XXH3_64bits(head.data(), sizeof(head));
  return XXH3_64bits_withSeed(entry.body.data(), entry.body.size(), seed);
}

}  // namespace kommander::runtime
