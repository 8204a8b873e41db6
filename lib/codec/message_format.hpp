// The numbers that encoder and decoder of messages share. On the wire: never reuse one.
#pragma once

#include <cstddef>
#include <cstdint>

#include <kommander/transport.hpp>

#include "codec/frame.hpp"

namespace kommander::codec {

enum class MessageType : std::uint8_t {
  kVoteRequest = 1,
  kVoteReply = 2,
  kAppendRequest = 3,
  kAppendReply = 4,
  kHeartbeat = 5,
  kHeartbeatReply = 6,
  kReadIndexRequest = 7,
  kReadIndexReply = 8,
  kTransferRequest = 9,
  kSnapshotOffer = 10,
  kSnapshotChunk = 11,
  kSnapshotReply = 12,
  kForwardRequest = 13,
  kForwardReply = 14,
};
inline constexpr std::uint8_t kMessageTypeMax = 14;

// The last type of message that a version of the protocol has; 0 for one that is not spoken here.
// What a version adds, nobody says to a peer with which an older one was chosen.
static_assert(kProtocolVersionMin == 1 && kProtocolVersionMax == 1, "each version has its case");
constexpr std::uint8_t LastTypeOf(std::uint16_t version) noexcept {
  return version == 1 ? kMessageTypeMax : std::uint8_t{0};
}

inline constexpr std::uint8_t kFlagPreVote = 1;     // kVoteRequest, kVoteReply
inline constexpr std::uint8_t kFlagTransfer = 2;    // kVoteRequest
inline constexpr std::uint8_t kFlagGranted = 2;     // kVoteReply
inline constexpr std::uint8_t kFlagAccepted = 1;    // kAppendReply
inline constexpr std::uint8_t kFlagConfirmed = 1;   // kReadIndexReply
inline constexpr std::uint8_t kFlagAwaitApply = 1;  // kForwardRequest

// What follows the header of a message; for an append, what precedes its entries, and for a chunk,
// what precedes its bytes.
inline constexpr std::size_t kFixedBytes[kMessageTypeMax + 1] = {0,  24, 0,  32, 32, 16, 16, 8,
                                                                 16, 0,  56, 20, 16, 32, 56};
// A reply to a snapshot has its state there.
inline constexpr std::uint8_t kFlagMask[kMessageTypeMax + 1] = {0, 3, 3, 0, 1, 0, 0, 0,
                                                                1, 0, 0, 0, 3, 1, 0};
inline constexpr std::uint8_t kSnapshotStateMax = 2;
inline constexpr FrameKind kKindOfType[kMessageTypeMax + 1] = {
    FrameKind::kVotes, FrameKind::kVotes,   FrameKind::kVotes, FrameKind::kAppends,
    FrameKind::kBeats, FrameKind::kBeats,   FrameKind::kBeats, FrameKind::kBeats,
    FrameKind::kBeats, FrameKind::kVotes,   FrameKind::kVotes, FrameKind::kAppends,
    FrameKind::kVotes, FrameKind::kAppends, FrameKind::kBeats};

}  // namespace kommander::codec
