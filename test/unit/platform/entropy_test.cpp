#include "platform/entropy.hpp"

#include <set>

#include "catch.hpp"

TEST_CASE("Entropy fills all 64 bits and does not repeat", "[entropy]") {
  constexpr int kDraws = 256;
  std::set<std::uint64_t> seen;
  std::uint64_t ever_set = 0;
  std::uint64_t always_set = ~std::uint64_t{0};
  for (int draw = 0; draw < kDraws; ++draw) {
    const std::uint64_t bits = kommander::platform::DrawEntropyBits();
    seen.insert(bits);
    ever_set |= bits;
    always_set &= bits;
  }
  CHECK(seen.size() == kDraws);
  CHECK(ever_set == ~std::uint64_t{0});
  CHECK(always_set == 0);
}
