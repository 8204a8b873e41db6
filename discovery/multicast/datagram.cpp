#include "multicast/datagram.hpp"

#include <algorithm>

#include "codec/little_endian.hpp"

namespace kommander::multicast {
namespace {

constexpr std::string_view kMagic = "KMDA";
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kFlagSigned = 1;

// What a dialler could make nothing of is no address.
bool IsAddress(const Endpoint& endpoint) {
  return endpoint.port != 0 && endpoint.host.size() <= kHostBytesMax &&
         Endpoint::Parse(endpoint.ToString()) == endpoint;
}

}  // namespace

bool IsSound(const Announcement& announcement) {
  const std::size_t host_bytes = announcement.node.endpoint.host.size();
  const std::size_t cluster_bytes = announcement.cluster_id.size();
  return announcement.node.id && announcement.boot != 0 && announcement.number != 0 &&
         IsAddress(announcement.node.endpoint) && cluster_bytes != 0 &&
         cluster_bytes <= kClusterIdBytesMax && host_bytes + cluster_bytes <= kTextBytesMax;
}

std::vector<std::byte> EncodeAnnouncement(const Announcement& announcement, bool is_signed) {
  const std::string& host = announcement.node.endpoint.host;
  const std::string& cluster_id = announcement.cluster_id;
  std::vector<std::byte> bytes(kHeaderBytes + host.size() + cluster_id.size());
  const std::size_t whole = bytes.size() + (is_signed ? kSignatureBytes : 0);
  codec::ByteWriter writer(bytes.data());
  writer.PutBytes(AsBytes(kMagic));
  writer.Put(kVersion);
  writer.Put(is_signed ? kFlagSigned : std::uint8_t{0});
  writer.Put(static_cast<std::uint16_t>(whole));
  writer.Put(announcement.node.id.value());
  writer.Put(announcement.node.endpoint.port);
  writer.Put(std::uint16_t{0});
  writer.Put(announcement.boot);
  writer.Put(announcement.number);
  writer.Put(announcement.time_ms);
  writer.Put(static_cast<std::uint16_t>(host.size()));
  writer.Put(static_cast<std::uint16_t>(cluster_id.size()));
  writer.PutBytes(AsBytes(host));
  writer.PutBytes(AsBytes(cluster_id));
  return bytes;
}

DatagramError DecodeAnnouncement(ByteSpan datagram, Decoded& decoded) {
  if (datagram.size() > kDatagramBytesMax) return DatagramError::kOversize;
  codec::ByteReader reader(datagram);
  if (AsText(reader.GetBytes(kMagic.size())) != kMagic) return DatagramError::kMalformed;
  const auto version = reader.Get<std::uint8_t>();
  if (!reader.ok()) return DatagramError::kMalformed;
  if (version != kVersion) return DatagramError::kVersion;
  const auto flags = reader.Get<std::uint8_t>();
  const auto whole = reader.Get<std::uint16_t>();
  Announcement& announcement = decoded.announcement;
  announcement.node.id = NodeId(reader.Get<std::uint32_t>());
  announcement.node.endpoint.port = reader.Get<std::uint16_t>();
  const auto zero = reader.Get<std::uint16_t>();
  announcement.boot = reader.Get<std::uint64_t>();
  announcement.number = reader.Get<std::uint64_t>();
  announcement.time_ms = reader.Get<std::uint64_t>();
  const auto host_bytes = reader.Get<std::uint16_t>();
  const auto cluster_bytes = reader.Get<std::uint16_t>();
  announcement.node.endpoint.host = AsText(reader.GetBytes(host_bytes));
  announcement.cluster_id = AsText(reader.GetBytes(cluster_bytes));
  if (!reader.ok()) return DatagramError::kMalformed;
  decoded.is_signed = flags == kFlagSigned;
  decoded.signed_bytes = datagram.first(reader.offset());
  if (decoded.is_signed) {
    const ByteSpan signature = reader.GetBytes(kSignatureBytes);
    std::copy(signature.begin(), signature.end(), decoded.signature.begin());
  }
  const bool is_whole = reader.AtEnd() && whole == datagram.size() && zero == 0;
  const bool knows_flags = flags == 0 || flags == kFlagSigned;
  return is_whole && knows_flags && IsSound(announcement) ? DatagramError::kNone
                                                          : DatagramError::kMalformed;
}

}  // namespace kommander::multicast
