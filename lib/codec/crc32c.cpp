// CRC-32C by tables (eight bytes a step) and by the SSE4.2 instruction (three streams at once: the
// instruction takes three cycles but one can start in each).
#include "codec/crc32c.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define KOMMANDER_CRC32C_SSE42 1
#include <nmmintrin.h>
#endif

namespace kommander::codec {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // 0x1edc6f41, reflected

using Table = std::array<std::uint32_t, 256>;

// Tables for slicing by eight: tables[k][b] is the effect of byte b with k zero bytes after it.
constexpr std::array<Table, 8> MakeSlicingTables() {
  std::array<Table, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t previous = tables[k - 1][byte];
      tables[k][byte] = (previous >> 8) ^ tables[0][previous & 0xff];
    }
  }
  return tables;
}
constexpr std::array<Table, 8> kSlicing = MakeSlicingTables();

std::uint64_t Load64(const std::byte* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

std::uint32_t StepByte(std::uint32_t state, std::byte byte) noexcept {
  return (state >> 8) ^ kSlicing[0][(state ^ static_cast<std::uint32_t>(byte)) & 0xff];
}

std::uint32_t RunPortable(std::uint32_t state, const std::byte* at, std::size_t size) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    for (; size >= 8; at += 8, size -= 8) {
      const std::uint64_t word = Load64(at) ^ state;
      state = 0;
      for (unsigned k = 0; k < 8; ++k) state ^= kSlicing[7 - k][(word >> (8 * k)) & 0xff];
    }
  }
  for (; size > 0; ++at, --size) state = StepByte(state, *at);
  return state;
}

#ifdef KOMMANDER_CRC32C_SSE42

// Appending zero bytes is linear: a state's image is the XOR of the images of its four bytes.
using ShiftTable = std::array<Table, 4>;

constexpr ShiftTable MakeShiftTable(std::size_t zero_bytes) {
  std::array<std::uint32_t, 32> images{};
  for (unsigned bit = 0; bit < 32; ++bit) {
    std::uint32_t state = std::uint32_t{1} << bit;
    for (std::size_t i = 0; i < zero_bytes; ++i) {
      state = (state >> 8) ^ kSlicing[0][state & 0xff];
    }
    images[bit] = state;
  }
  ShiftTable table{};
  for (unsigned position = 0; position < 4; ++position) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        if ((byte >> bit & 1) != 0) table[position][byte] ^= images[8 * position + bit];
      }
    }
  }
  return table;
}

std::uint32_t Shift(const ShiftTable& table, std::uint64_t wide) noexcept {
  const auto state = static_cast<std::uint32_t>(wide);
  return table[0][state & 0xff] ^ table[1][state >> 8 & 0xff] ^ table[2][state >> 16 & 0xff] ^
         table[3][state >> 24];
}

constexpr std::size_t kLongBytes = 4096;
constexpr std::size_t kShortBytes = 256;
constexpr ShiftTable kShortShift = MakeShiftTable(kShortBytes);
const ShiftTable& LongShift() noexcept {
  static const ShiftTable table = MakeShiftTable(kLongBytes);
  return table;
}

// Takes blocks of three adjacent parts of kPart bytes each, as many as there are.
template <std::size_t kPart>
__attribute__((target("sse4.2"))) std::uint64_t RunThreeStreams(std::uint64_t state,
                                                                const ShiftTable& shift,
                                                                const std::byte*& at,
                                                                std::size_t& size) noexcept {
  while (size >= 3 * kPart) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (const std::byte* end = at + kPart; at != end; at += 8) {
      state = _mm_crc32_u64(state, Load64(at));
      second = _mm_crc32_u64(second, Load64(at + kPart));
      third = _mm_crc32_u64(third, Load64(at + 2 * kPart));
    }
    state = Shift(shift, state) ^ second;
    state = Shift(shift, state) ^ third;
    at += 2 * kPart;
    size -= 3 * kPart;
  }
  return state;
}

__attribute__((target("sse4.2"))) std::uint32_t RunHardware(std::uint32_t initial,
                                                            const std::byte* at,
                                                            std::size_t size) noexcept {
  std::uint64_t state = initial;
  if (size >= 3 * kLongBytes) state = RunThreeStreams<kLongBytes>(state, LongShift(), at, size);
  if (size >= 3 * kShortBytes) state = RunThreeStreams<kShortBytes>(state, kShortShift, at, size);
  for (; size >= 8; at += 8, size -= 8) state = _mm_crc32_u64(state, Load64(at));
  auto narrow = static_cast<std::uint32_t>(state);
  for (; size > 0; ++at, --size) narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(*at));
  return narrow;
}

#endif

}  // namespace

std::uint32_t ExtendCrc32cPortable(std::uint32_t crc, ByteSpan bytes) noexcept {
  return ~RunPortable(~crc, bytes.data(), bytes.size());
}

#ifdef KOMMANDER_CRC32C_SSE42
bool HasHardwareCrc32c() noexcept {
  static const bool has = __builtin_cpu_supports("sse4.2") != 0;
  return has;
}
std::uint32_t ExtendCrc32cHardware(std::uint32_t crc, ByteSpan bytes) noexcept {
  return ~RunHardware(~crc, bytes.data(), bytes.size());
}
#else
bool HasHardwareCrc32c() noexcept { return false; }
std::uint32_t ExtendCrc32cHardware(std::uint32_t crc, ByteSpan bytes) noexcept {
  return ExtendCrc32cPortable(crc, bytes);
}
#endif

std::uint32_t ExtendCrc32c(std::uint32_t crc, ByteSpan bytes) noexcept {
  return HasHardwareCrc32c() ? ExtendCrc32cHardware(crc, bytes) : ExtendCrc32cPortable(crc, bytes);
}

std::uint32_t Crc32c(ByteSpan bytes) noexcept { return ExtendCrc32c(0, bytes); }

}  // namespace kommander::codec
