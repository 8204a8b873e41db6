// The names of roles are part of the JSON that tools read: they do not change.
#include <kommander/status.hpp>

#include "catch.hpp"

namespace kommander {
namespace {

TEST_CASE("roles have these names") {
  CHECK(ToString(Role::kFollower) == "follower");
  CHECK(ToString(Role::kCandidate) == "candidate");
  CHECK(ToString(Role::kLeader) == "leader");
  CHECK(ToString(Role::kLearner) == "learner");
  CHECK(ToString(PeerStatus::State::kProbing) == "probing");
  CHECK(ToString(PeerStatus::State::kReplicating) == "replicating");
  CHECK(ToString(PeerStatus::State::kSnapshot) == "snapshot");
}

}  // namespace
}  // namespace kommander
