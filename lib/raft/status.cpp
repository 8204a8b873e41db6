// The names of roles, for people, logs and golden scripts.
#include "raft/core.hpp"

namespace kommander::raft {

std::string_view ToString(RoleKind role) noexcept {
  switch (role) {
    case RoleKind::kFollower: return "follower";
    case RoleKind::kPreCandidate: return "pre-candidate";
    case RoleKind::kCandidate: return "candidate";
    case RoleKind::kLeader: return "leader";
    case RoleKind::kLearner: return "learner";
  }
  return "unknown";
}

}  // namespace kommander::raft
