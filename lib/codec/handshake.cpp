// Greetings and rejections as bytes, and the checks that need no memory.
#include "codec/handshake.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "codec/little_endian.hpp"

namespace kommander::codec {
namespace {

constexpr std::size_t kGreetingFixedBytes = 48;
constexpr std::uint8_t kFlagKnowsRoster = 1;
constexpr std::size_t kRejectFixedBytes = 6;

}  // namespace

Payload EncodeGreeting(const Greeting& greeting) {
  const Hello& hello = greeting.hello;
  if (hello.cluster_id.size() > kClusterIdBytesMax) return {};
  std::vector<std::byte> bytes(kGreetingFixedBytes + hello.cluster_id.size());
  ByteWriter writer(bytes.data());
  writer.Put(hello.node.value());
  writer.Put(greeting.to.value());
  writer.Put(hello.incarnation.value());
  writer.Put(hello.version_min);
  writer.Put(hello.version_max);
  writer.Put(hello.knows_roster ? kFlagKnowsRoster : std::uint8_t{0});
  writer.Put(std::uint8_t{0});
  writer.Put(static_cast<std::uint16_t>(hello.cluster_id.size()));
  writer.Put(hello.bootstrap_digest);
  writer.Put(hello.known_incarnation.value());
  writer.Put(hello.nonce);
  writer.PutBytes(AsBytes(hello.cluster_id));
  return Payload(std::move(bytes));
}

bool DecodeGreeting(ByteSpan payload, Greeting& greeting) {
  ByteReader reader(payload);
  Hello& hello = greeting.hello;
  hello.node = NodeId(reader.Get<std::uint32_t>());
  greeting.to = NodeId(reader.Get<std::uint32_t>());
  hello.incarnation = Incarnation(reader.Get<std::uint64_t>());
  hello.version_min = reader.Get<std::uint16_t>();
  hello.version_max = reader.Get<std::uint16_t>();
  const auto flags = reader.Get<std::uint8_t>();
  const auto reserved = reader.Get<std::uint8_t>();
  const auto id_bytes = reader.Get<std::uint16_t>();
  hello.bootstrap_digest = reader.Get<std::uint64_t>();
  hello.known_incarnation = Incarnation(reader.Get<std::uint64_t>());
  hello.nonce = reader.Get<std::uint64_t>();
  if (!reader.ok() || reserved != 0 || (flags & ~kFlagKnowsRoster) != 0) return false;
  if (id_bytes > kClusterIdBytesMax) return false;
  hello.knows_roster = flags != 0;
  hello.cluster_id = AsText(reader.GetBytes(id_bytes));
  return reader.AtEnd();
}

Payload EncodeReject(error_code reason) {
  const bool ours = reason.category() == RaftCategory();
  const auto code = ours ? reason.value() : static_cast<int>(RaftErrc::UnexpectedPeer);
  std::string text = reason.message();
  text.resize(std::min(text.size(), kRejectTextBytesMax));
  std::vector<std::byte> bytes(kRejectFixedBytes + text.size());
  ByteWriter writer(bytes.data());
  writer.Put(static_cast<std::uint32_t>(code));
  writer.Put(static_cast<std::uint16_t>(text.size()));
  writer.PutBytes(AsBytes(text));
  return Payload(std::move(bytes));
}

bool DecodeReject(ByteSpan payload, error_code& reason, std::string& text) {
  ByteReader reader(payload);
  const auto code = reader.Get<std::uint32_t>();
  const auto size = reader.Get<std::uint16_t>();
  if (size > kRejectTextBytesMax) return false;
  text = AsText(reader.GetBytes(size));
  if (!reader.AtEnd()) return false;
  // A peer cannot make this node believe that its own storage failed: only what it may say.
  const bool known = (code >= static_cast<std::uint32_t>(RaftErrc::ClusterIdMismatch) &&
                      code <= static_cast<std::uint32_t>(RaftErrc::UnexpectedPeer)) ||
                     code == static_cast<std::uint32_t>(RaftErrc::NodeIsNotReady) ||
                     code == static_cast<std::uint32_t>(RaftErrc::NodeStopped);
  reason = known ? static_cast<RaftErrc>(code) : RaftErrc::UnexpectedPeer;
  return true;
}

std::uint16_t ChooseVersion(const Hello& local, const Hello& peer) noexcept {
  if (peer.version_min > peer.version_max) return kNoVersion;
  const std::uint16_t highest = std::min(local.version_max, peer.version_max);
  return highest >= std::max(local.version_min, peer.version_min) ? highest : kNoVersion;
}

error_code CheckGreeting(const Hello& local, const Greeting& greeting, NodeId dialled) noexcept {
  const Hello& peer = greeting.hello;
  if (ChooseVersion(local, peer) == kNoVersion) return RaftErrc::VersionMismatch;
  if (peer.cluster_id != local.cluster_id) return RaftErrc::ClusterIdMismatch;
  // The node that this process dialled turned out to be this process.
  if (peer.nonce == local.nonce && peer.nonce != 0) return RaftErrc::UnexpectedPeer;
  if (peer.node == local.node) return RaftErrc::DuplicateNodeId;
  if (!peer.node || greeting.to != local.node) return RaftErrc::UnexpectedPeer;
  if (dialled && peer.node != dialled) return RaftErrc::UnexpectedPeer;
  return {};
}

}  // namespace kommander::codec
