// What needs OpenSSL: HMAC-SHA256 (RFC 2104, FIPS 180-4) and chance that nobody can foresee.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kommander/payload.hpp>

#include "multicast/datagram.hpp"

namespace kommander::multicast {

[[nodiscard]] Signature Sign(const std::string& secret, ByteSpan bytes) noexcept;

// With any of the secrets. Takes the same time wherever two signatures begin to differ.
[[nodiscard]] bool IsSignedWith(const std::vector<std::string>& secrets, ByteSpan bytes,
                                const Signature& signature) noexcept;

// 0: the system has no random numbers.
[[nodiscard]] std::uint64_t DrawBoot() noexcept;

}  // namespace kommander::multicast
