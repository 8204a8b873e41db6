// A member that lies: for a while one node's words reach nobody, and somebody else speaks in its
// name, in valid frames, to nodes that have pinned it and count its votes. It knows the cluster
// from outside, so that its lies come close to the truth.
//
// A disturber stays within what an honest node could do to others: it asks for votes with logs that
// it does not have, calls elections off and on, refuses everything, claims to lead terms that
// nobody else is in. It forges no vote, acknowledgement, read round, entry or commit. Every promise
// holds against it, and when it falls silent the cluster recovers.
//
// A deceiver says anything. One such member can make two nodes commit different entries, forge the
// members of a partition and use up the terms, so neither agreement nor recovery can be promised.
// What each node owes to itself and its callers can: no assertion, bounded queues and memory, an
// end of every call and of Stop, and that what it promises is on its own disk.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include <kommander/messages.hpp>

#include "chance.hpp"
#include "facts.hpp"
#include "sim_network.hpp"
#include "sim_node.hpp"
#include "world.hpp"

namespace kommander::sim {

class Liar {
 public:
  enum class Manner : std::uint8_t { kDisturbs, kDeceives };

  Liar(World& world, SimNetwork& network, const std::vector<std::unique_ptr<SimNode>>& nodes,
       const Facts& facts, std::uint32_t partitions);

  // Lies now and then until `end`, each time in the name of some node.
  void Begin(Instant end);
  void FallSilent();

  [[nodiscard]] Manner manner() const noexcept { return manner_; }
  // How often a node was seen in a term that the liar alone has made up.
  [[nodiscard]] std::uint64_t followed() const noexcept { return followed_; }

 private:
  void Next();
  void Speak();
  [[nodiscard]] Message MakeUp(const SimNode& to);
  [[nodiscard]] MessageBody Disturb(PartitionId partition, Term& term);
  [[nodiscard]] MessageBody Deceive(Term term);
  [[nodiscard]] AppendRequest AnyAppend(Term term);
  [[nodiscard]] Payload AnyConfiguration();
  void Replay(Message& message);
  // A term that no honest node is in or near.
  [[nodiscard]] Term MakeUpTerm(PartitionId partition);
  // One that it has made up before, or a new one.
  [[nodiscard]] Term ClaimedTerm(PartitionId partition);
  [[nodiscard]] Term AnyTerm();
  [[nodiscard]] Term TermNear(LogIndex index);
  [[nodiscard]] LogIndex AnyIndex();
  [[nodiscard]] std::uint64_t AnyNumber();
  [[nodiscard]] NodeId AnyNode();
  void Listen(const Message& message);

  World& world_;
  SimNetwork& network_;
  const std::vector<std::unique_ptr<SimNode>>& nodes_;
  const Facts& facts_;
  const std::uint32_t partitions_;
  Chance chance_;
  const Manner manner_;
  Process process_;
  Instant end_{};
  Instant stretch_end_{};
  NodeId self_;             // in whose name it speaks; 0: it is silent
  NodeId to_;               // whom it speaks to,
  PartitionStatus status_;  // and how that node is
  std::map<PartitionId, std::map<Term, NodeId>> claimed_;  // terms that it made up, in whose name
  std::vector<Message> heard_;
  std::uint64_t followed_ = 0;
};

}  // namespace kommander::sim
