// How far the parts of the I/O scheduler are in their life, and what that says to submissions.
#pragma once

#include <cstdint>

#include <kommander/errors.hpp>

namespace kommander::runtime {

// In this order; a part may skip some and never goes back.
enum class IoPhase : std::uint8_t {
  kNew,       // nothing is accepted yet
  kRunning,   // work is accepted
  kDraining,  // nothing is accepted any more, what was accepted is done
  kAborting,  // the running call is finished, the rest dropped
};

// Why nothing is accepted, if so.
[[nodiscard]] inline error_code ClosedBy(IoPhase phase) noexcept {
  if (phase == IoPhase::kRunning) return {};
  return phase == IoPhase::kNew ? RaftErrc::NodeIsNotReady : RaftErrc::NodeStopped;
}

}  // namespace kommander::runtime
