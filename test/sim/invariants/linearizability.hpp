// The replicated log as a key/value store, and its clients' view of it judged as such (Herlihy and
// Wing 1990): every payload is a write, a delete or a swap of one key, carried out on each node as
// it is delivered; a confirmed read is followed by a look at that node. At the end of a run an
// order must exist that every client could have seen.
//
// What a payload does is kept here, by its operation and ordinal, and drawn from those alone: the
// simulated clients and their traces know nothing of it. Calls and answers are numbered as they
// happen, which is finer than virtual time.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "checkers/register_history.hpp"
#include "invariants/invariant.hpp"

namespace kommander::sim {

class Linearizability final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "linearizability"; }
  void OnLifeBegan(NodeId node) override;
  void OnBegan(const ClientOperation& operation) override;
  void OnDelivered(NodeId node, const RaftLog& log, bool restored) override;
  void OnStateReplaced(NodeId node, PartitionId partition, std::size_t count) override;
  void OnEnded(const ClientOperation& operation) override;
  void OnRunEnded() override;
  // Operations on keys that the last verdict was about.
  [[nodiscard]] std::size_t judged() const noexcept { return judged_; }

 private:
  using Key = std::uint64_t;
  // The key that a slot of a partition stands for now. A full one is left for a new one, so that
  // the search stays small: it grows with what overlaps and with what is never answered.
  struct Slot {
    Key key = 0;
    std::uint32_t begun = 0;
    std::uint32_t open = 0;
  };
  struct Node {
    std::uint64_t life = 0;
    std::unordered_map<Key, checkers::Value> values;
  };
  // Of one client's call: where its operations are in the history.
  struct Call {
    std::size_t first = 0;
    std::uint32_t count = 0;
    NodeId node;
    std::uint64_t life = 0;
  };
  // What one delivery has made of a key; none: it was none of a client's.
  struct Effect {
    Key key = 0;
    checkers::Value value{};
  };
  Key PickKey(PartitionId partition, std::uint64_t draw);
  void Add(const ClientOperation& operation, std::uint32_t ordinal);
  // Carried out on a node that had `before`; what it answers, if it was asked.
  void Judge(checkers::RegisterOperation& operation, checkers::Value before) const;
  // What a swap expects: mostly what somebody has stored lately.
  [[nodiscard]] checkers::Value Guess(Key key, std::uint64_t draw) const;

  std::int64_t now_ = 0;
  Key last_key_ = 0;
  std::map<std::pair<PartitionId, std::uint64_t>, Slot> slots_;
  std::unordered_map<Key, Slot*> slot_of_;  // of keys in use; the map above keeps its places
  std::map<NodeId, Node> nodes_;
  // Of each partition's deliveries, in their order, and how many of them each node has had.
  std::map<PartitionId, std::vector<Effect>> effects_;
  std::map<std::pair<NodeId, PartitionId>, std::size_t> positions_;
  std::unordered_map<std::uint64_t, Call> calls_;
  std::unordered_map<Key, checkers::Value> newest_;  // stored anywhere
  std::vector<checkers::RegisterOperation> history_;
  std::size_t judged_ = 0;
};

}  // namespace kommander::sim
