// The checksum against published vectors, and its two implementations against each other.
#include "codec/crc32c.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "catch.hpp"

namespace kommander::codec {
namespace {

std::vector<std::byte> Filled(std::size_t size, int first, int step) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>(first + step * static_cast<int>(i));
  }
  return bytes;
}

// Bit by bit, from the definition.
std::uint32_t Naive(ByteSpan bytes) {
  std::uint32_t state = 0xffffffff;
  for (const std::byte byte : bytes) {
    state ^= static_cast<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) state = (state >> 1) ^ ((state & 1) != 0 ? 0x82f63b78u : 0);
  }
  return ~state;
}

TEST_CASE("crc32c: the vectors of RFC 3720 B.4", "[crc32c]") {
  CHECK(Crc32c({}) == 0);
  CHECK(Crc32c(AsBytes("123456789")) == 0xe3069283);
  CHECK(Crc32c(Filled(32, 0, 0)) == 0x8a9136aa);
  CHECK(Crc32c(Filled(32, 0xff, 0)) == 0x62a8ab43);
  CHECK(Crc32c(Filled(32, 0, 1)) == 0x46dd794e);
  CHECK(Crc32c(Filled(32, 31, -1)) == 0x113fdb5c);
}

TEST_CASE("crc32c: both implementations agree with the definition at every size and alignment",
          "[crc32c]") {
  std::mt19937_64 random(7);
  std::vector<std::byte> bytes(40'000);
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random()); });
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size < 70; ++size) sizes.push_back(size);
  for (const std::size_t edge : {768u, 1536u, 4096u, 12'288u, 24'576u, 13'056u}) {
    for (std::size_t size = edge - 9; size <= edge + 9; ++size) sizes.push_back(size);
  }
  for (int i = 0; i < 20; ++i) sizes.push_back(random() % 39'000);
  for (const std::size_t size : sizes) {
    const std::size_t offset = random() % 16;
    const ByteSpan part = ByteSpan(bytes).subspan(offset, size);
    const std::uint32_t expected = Naive(part);
    REQUIRE(ExtendCrc32cPortable(0, part) == expected);
    REQUIRE(Crc32c(part) == expected);
    if (HasHardwareCrc32c()) REQUIRE(ExtendCrc32cHardware(0, part) == expected);
  }
}

TEST_CASE("crc32c: extending equals computing at once", "[crc32c]") {
  std::mt19937_64 random(11);
  const std::vector<std::byte> bytes = Filled(20'000, 3, 7);
  const std::uint32_t whole = Crc32c(bytes);
  for (int i = 0; i < 100; ++i) {
    const std::size_t cut = random() % bytes.size();
    const ByteSpan all(bytes);
    CHECK(ExtendCrc32c(Crc32c(all.first(cut)), all.subspan(cut)) == whole);
    CHECK(ExtendCrc32cPortable(ExtendCrc32cPortable(0, all.first(cut)), all.subspan(cut)) == whole);
  }
}

}  // namespace
}  // namespace kommander::codec
