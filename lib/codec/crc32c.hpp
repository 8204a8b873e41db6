// CRC-32C (Castagnoli, reflected, initial value and final inversion as in RFC 3720): the checksum
// of everything that this library puts on a disk or a wire. Uses the processor's instruction where
// there is one, found out at run time.
#pragma once

#include <cstdint>

#include <kommander/payload.hpp>

namespace kommander::codec {

// Checksum of `bytes`; of nothing: 0.
[[nodiscard]] std::uint32_t Crc32c(ByteSpan bytes) noexcept;

// Checksum of a + b, given `crc` == Crc32c(a) and `bytes` == b.
[[nodiscard]] std::uint32_t ExtendCrc32c(std::uint32_t crc, ByteSpan bytes) noexcept;

// The two ways to compute it, for tests and benches that compare them.
[[nodiscard]] std::uint32_t ExtendCrc32cPortable(std::uint32_t crc, ByteSpan bytes) noexcept;
[[nodiscard]] bool HasHardwareCrc32c() noexcept;
// Only when HasHardwareCrc32c().
[[nodiscard]] std::uint32_t ExtendCrc32cHardware(std::uint32_t crc, ByteSpan bytes) noexcept;

}  // namespace kommander::codec
