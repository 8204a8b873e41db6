// What people may see of a core: the names of roles, and how a leader's peers stand.
#include "raft/core_impl.hpp"

namespace kommander::raft {
namespace {

PeerStatus::State StateOf(Progress::State state) noexcept {
  switch (state) {
    case Progress::State::kProbe: return PeerStatus::State::kProbing;
    case Progress::State::kReplicate: return PeerStatus::State::kReplicating;
    case Progress::State::kSnapshot: return PeerStatus::State::kSnapshot;
  }
  return PeerStatus::State::kProbing;
}

}  // namespace

void Core::Impl::ReadPeers(std::vector<PeerStatus>& peers) const {
  peers.clear();
  const Leader* leader = AsLeader();
  if (leader == nullptr) return;
  for (const Peer& peer : leader->peers) {
    const Progress& progress = peer.progress;
    PeerStatus& status = peers.emplace_back();
    status.node = peer.id;
    status.state = StateOf(progress.state());
    status.silent = now_ - peer.heard >= options_.election_timeout;
    status.backfill = progress.next() < log_.cache_first();
    status.matched = progress.match();
    status.next = progress.next();
    status.inflight_messages = progress.inflight_messages();
    status.inflight_bytes = progress.inflight_bytes();
  }
}

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
