// What a node is in its partition, each role owning only its own state.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include <kommander/ids.hpp>
#include <kommander/time.hpp>

#include "raft/inputs.hpp"
#include "raft/ledger.hpp"
#include "raft/progress.hpp"
#include "raft/ring.hpp"

namespace kommander::raft {

// Learners are followers that their configuration does not let vote.
struct Follower {
  NodeId leader;      // of the current term; 0: none known
  Instant contact{};  // when it was last heard, if known
};

struct Candidate {
  bool pre_vote = true;  // asks about the next term without entering it (thesis 9.6)
  bool transfer = false;
  std::vector<NodeId> granted;
  std::vector<NodeId> refused;
};

// A peer as the leader sees it.
struct Peer {
  NodeId id;
  Progress progress;
  Instant heard{};             // any message of this term
  std::uint64_t answered = 0;  // the newest heartbeat round that it answered
  LogIndex told_commit;        // the commit index that it certainly or probably knows
};

// A read barrier at the leader; `asker` is the leader itself for its own.
struct LeaderRead {
  NodeId asker;
  std::uint64_t number = 0;
  std::uint64_t round = 0;  // 0: no round begun after it yet
  LogIndex index;
};

struct LeaderTransfer {
  NodeId target;
  Instant deadline{};
  bool asked = false;  // the target has been told
};

// A ticket that this leader has seen open, and when it has waited long enough for a decision.
struct TicketWatch {
  Instant deadline{};
  Ticket ticket;
};

// A session as this leader saw it last, and since when it looks so.
struct SessionWatch {
  Ledger::SessionUse use;
  Instant since{};
};

struct Leader {
  std::vector<Peer> peers;  // every member but this node, ascending
  LogIndex term_start;      // the no-op that opened the term
  Instant heartbeat_due{};
  std::uint64_t read_round = 0;  // the newest round that a read waits for
  std::vector<LeaderRead> reads;
  std::optional<LeaderTransfer> transfer;
  Ring<TicketWatch> open_tickets;      // ascending by deadline
  std::vector<SessionWatch> sessions;  // ascending by session
  Instant sessions_due = kNever;       // to be looked at
  // Appended in this term and prepared, not handed off yet.
  std::size_t prepared_count = 0;
  std::size_t prepared_bytes = 0;

  [[nodiscard]] Peer* Find(NodeId id) noexcept {
    const auto at = std::lower_bound(peers.begin(), peers.end(), id,
                                     [](const Peer& peer, NodeId node) { return peer.id < node; });
    return at != peers.end() && at->id == id ? &*at : nullptr;
  }
  [[nodiscard]] const Peer* Find(NodeId id) const noexcept {
    return const_cast<Leader*>(this)->Find(id);
  }
};

using Role = std::variant<Follower, Candidate, Leader>;

}  // namespace kommander::raft
