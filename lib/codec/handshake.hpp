// What two nodes say to each other before any message: hello, hello-ack, reject. Also the part of
// the judgement that needs no memory; pins, roster and bootstrap digest are the host's business.
// Bytes: docs/protocol.md. They, and the frames that they come in, are the same in every version of
// the protocol: before them none has been chosen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <kommander/errors.hpp>
#include <kommander/payload.hpp>
#include <kommander/transport.hpp>

#include "codec/messages.hpp"

namespace kommander::codec {

inline constexpr std::size_t kClusterIdBytesMax = 256;
inline constexpr std::size_t kRejectTextBytesMax = 512;

// `to` is the node that the sender means to speak to.
struct Greeting {
  Hello hello;
  NodeId to;
  friend bool operator==(const Greeting&, const Greeting&) = default;
};
// Empty when the cluster id is too long.
[[nodiscard]] Payload EncodeGreeting(const Greeting& greeting);
[[nodiscard]] bool DecodeGreeting(ByteSpan payload, Greeting& greeting);

// Errors of other categories travel as UnexpectedPeer.
[[nodiscard]] Payload EncodeReject(error_code reason);
// False when malformed. An unknown number becomes UnexpectedPeer.
[[nodiscard]] bool DecodeReject(ByteSpan payload, error_code& reason, std::string& text);

// The version that the two speak: the highest that both know, kNoVersion when there is none. Each
// side comes to the same one, so nothing has to announce it.
[[nodiscard]] std::uint16_t ChooseVersion(const Hello& local, const Hello& peer) noexcept;

// What `local` must refuse at once. `dialled` is the node that `local` meant to reach, 0 for an
// accepted connection.
[[nodiscard]] error_code CheckGreeting(const Hello& local, const Greeting& greeting,
                                       NodeId dialled) noexcept;

}  // namespace kommander::codec
