// The names of roles and states, for people, logs and JSON.
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

std::string_view ToString(PeerStatus::State state) noexcept {
  switch (state) {
    case PeerStatus::State::kProbing: return "probing";
    case PeerStatus::State::kReplicating: return "replicating";
    case PeerStatus::State::kSnapshot: return "snapshot";
  }
  return "unknown";
}

}  // namespace kommander
