// The names of roles, for people, logs and JSON.
#include <kommander/status.hpp>

namespace kommander {

std::string_view ToString(Role role) noexcept {
  switch (role) {
    case Role::kFollower: return "follower";
    case Role::kCandidate: return "candidate";
    case Role::kLeader: return "leader";
    case Role::kLearner: return "learner";
  }
  return "unknown";
}

}  // namespace kommander
