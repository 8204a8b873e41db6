// Sends a message through its bytes and back, so that a run of the world exercises the codec too.
#pragma once

#include <kommander/messages.hpp>

namespace kommander::sim {

// False when what comes back is not what went in.
[[nodiscard]] bool PassThroughCodec(Message& message);

}  // namespace kommander::sim
