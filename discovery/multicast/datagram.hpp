// An announcement as bytes; docs/protocol.md has the layout. What is decoded is whole and within
// its bounds; whether it is true, the signature says.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <kommander/discovery.hpp>
#include <kommander/payload.hpp>

namespace kommander::multicast {

inline constexpr std::size_t kDatagramBytesMax = 512;
inline constexpr std::size_t kSignatureBytes = 32;
inline constexpr std::size_t kHeaderBytes = 44;
inline constexpr std::size_t kHostBytesMax = 255;
inline constexpr std::size_t kClusterIdBytesMax = 256;
// Host and cluster id together.
inline constexpr std::size_t kTextBytesMax = kDatagramBytesMax - kHeaderBytes - kSignatureBytes;

using Signature = std::array<std::byte, kSignatureBytes>;

struct Announcement {
  std::string cluster_id;
  NodeAddress node;
  std::uint64_t boot = 0;     // random per process, not 0
  std::uint64_t number = 0;   // of the process's announcements; the first has 1
  std::uint64_t time_ms = 0;  // when it was said, in Unix time
  friend bool operator==(const Announcement&, const Announcement&) = default;
};

enum class DatagramError : std::uint8_t { kNone, kOversize, kMalformed, kVersion };

// Whether it can be encoded, and others would take it.
[[nodiscard]] bool IsSound(const Announcement& announcement);

// Of a sound announcement: the bytes that are signed, which end before the signature.
[[nodiscard]] std::vector<std::byte> EncodeAnnouncement(const Announcement& announcement,
                                                        bool is_signed);

struct Decoded {
  Announcement announcement;
  bool is_signed = false;
  ByteSpan signed_bytes;  // of the datagram
  Signature signature{};
};
[[nodiscard]] DatagramError DecodeAnnouncement(ByteSpan datagram, Decoded& decoded);

}  // namespace kommander::multicast
