// Who may talk to this node: one pure judgement of a peer's hello, the same for every transport.
#pragma once

#include <cstdint>
#include <string>

#include <kommander/errors.hpp>
#include <kommander/ids.hpp>
#include <kommander/transport.hpp>

namespace kommander::cluster {

// What this node says of itself.
struct AdmissionFacts {
  std::string cluster_id;
  NodeId self;
  Incarnation incarnation;
  std::uint64_t nonce = 0;
  std::uint64_t bootstrap_digest = 0;
  bool knows_roster = false;
};

// No error: the peer may talk. Otherwise the first of, in this order:
// ClusterIdMismatch; VersionMismatch, no version in common; UnexpectedPeer, this node dialled
// itself; DuplicateNodeId, the peer claims this node's id; UnexpectedPeer, not the node that was
// dialled (`dialled` 0: an accepted connection); UnexpectedPeer, without incarnation, or no member
// (one whose roster is ahead of this node's passes: it teaches, and counts once it is known here);
// BootstrapMismatch, started with other initial members, asked only while this node knows no
// roster; the peer is pinned under another incarnation (`pinned` 0: none): DuplicateNodeId while
// the pinned one is connected (`is_live`), else IdentityReplaced; UnexpectedPeer, the peer means
// another incarnation of this node: it is told that it has not found whom it knows, while this node
// has to conclude that its own disk was replaced (MeansAnother).
[[nodiscard]] error_code JudgeHello(const AdmissionFacts& facts, const Hello& hello, NodeId dialled,
                                    bool is_member, Incarnation pinned, bool is_live);

// Whether the peer has pinned another incarnation of this node.
[[nodiscard]] bool MeansAnother(const AdmissionFacts& facts, const Hello& hello) noexcept;

}  // namespace kommander::cluster
