#include "cluster/admission.hpp"

#include "mutants/mutants.hpp"

namespace kommander::cluster {
namespace {

bool HasCommonVersion(const Hello& hello) {
  return hello.version_min <= hello.version_max && hello.version_min <= kProtocolVersionMax &&
         hello.version_max >= kProtocolVersionMin;
}

// A node that has applied the roster of this very cluster was a member of it: if this node does not
// know it, then this node's own copy is behind, and the stranger may be the leader that it has to
// learn from. The stranger shows that by the incarnation of this node, which only the roster tells;
// a node that knows no roster may not be in one either.
bool IsAheadOfUs(const AdmissionFacts& facts, const Hello& hello) {
  const bool knows_us = hello.known_incarnation && hello.known_incarnation == facts.incarnation;
  return hello.knows_roster && hello.bootstrap_digest == facts.bootstrap_digest &&
         (knows_us || !facts.knows_roster);
}

}  // namespace

error_code JudgeHello(const AdmissionFacts& facts, const Hello& hello, NodeId dialled,
                      bool is_member, Incarnation pinned, bool is_live) {
  if (hello.cluster_id != facts.cluster_id) return RaftErrc::ClusterIdMismatch;
  if (!HasCommonVersion(hello)) return RaftErrc::VersionMismatch;
  if (hello.nonce == facts.nonce) return RaftErrc::UnexpectedPeer;
  if (hello.node == facts.self) return RaftErrc::DuplicateNodeId;
  if (dialled && dialled != hello.node) return RaftErrc::UnexpectedPeer;
  // Incarnation 0 means "not seen yet" in every pin, so a peer cannot be called that.
  if (!hello.incarnation) return RaftErrc::UnexpectedPeer;
  if (!is_member && !IsAheadOfUs(facts, hello)) return RaftErrc::UnexpectedPeer;
  if (!facts.knows_roster && hello.bootstrap_digest != facts.bootstrap_digest) {
    return RaftErrc::BootstrapMismatch;
  }
  if (!KOMMANDER_MUTANT(replaced_disk_heard) && pinned && pinned != hello.incarnation) {
    return is_live ? RaftErrc::DuplicateNodeId : RaftErrc::IdentityReplaced;
  }
  if (MeansAnother(facts, hello)) return RaftErrc::UnexpectedPeer;
  return {};
}

bool MeansAnother(const AdmissionFacts& facts, const Hello& hello) noexcept {
  return hello.known_incarnation && hello.known_incarnation != facts.incarnation;
}

}  // namespace kommander::cluster
