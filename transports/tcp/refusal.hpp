// How a connection is refused: the name of the reason for the peer, and an error for the host.
#pragma once

#include <kommander/errors.hpp>

#include "codec/frame.hpp"
#include "codec/messages.hpp"
#include "tcp/socket.hpp"

namespace kommander::tcp {

[[nodiscard]] error_code ToErrorCode(codec::FrameError error) noexcept;

// Writes the rejection if the system takes it at once, which it does unless the peer has not read
// for long. No write may be running.
void TellRejection(Socket& socket, codec::FrameEncoder& encoder, error_code reason);

}  // namespace kommander::tcp
