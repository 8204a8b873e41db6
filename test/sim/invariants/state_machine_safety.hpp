// State Machine Safety (Raft, figure 3; thesis 3.6): no two nodes deliver different entries for one
// index. Stronger here: what each life of each node delivers is the same sequence from the start,
// without a gap and without a repetition, and of a batch in the order in which it was written.
#pragma once

#include <cstring>
#include <map>
#include <vector>
#include <xxhash.h>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class StateMachineSafety final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "state machine safety"; }
  void OnLifeBegan(NodeId node) override {
    std::erase_if(cursors_, [&](const auto& cursor) { return cursor.first.first == node; });
  }
  void OnDelivered(NodeId node, const RaftLog& log, bool restored) override {
    Cursor& cursor = cursors_[{node, log.partition()}];
    auto& sequence = sequences_[log.partition()];
    const Delivery delivery{
        log.index(), log.ordinal(), log.term(),
        XXH3_64bits_withSeed(log.payload().data(), log.payload().size(),
                             XXH3_64bits(log.type().data(), log.type().size()))};
    RequirePlace(node, log);
    if (restored && cursor.live) {
      Violate(Place(node, log.partition()) + ": entry " + Text(log.index()) +
              " is delivered as restored after a live one");
    }
    cursor.live = cursor.live || !restored;
    if (cursor.next == sequence.size()) {
      if (!sequence.empty() && !sequence.back().Before(delivery)) {
        Violate(Place(node, log.partition()) + ": " + Name(delivery) + " is delivered after " +
                Name(sequence.back()));
      }
      sequence.push_back(delivery);
    } else if (!(sequence[cursor.next] == delivery)) {
      Violate(Place(node, log.partition()) + ": delivery " + std::to_string(cursor.next) + " is " +
              Name(delivery) + ", elsewhere it was " + Name(sequence[cursor.next]));
    }
    ++cursor.next;
  }
  void OnStateReplaced(NodeId node, PartitionId partition, std::size_t count) override {
    cursors_[{node, partition}].next = count;
    if (count <= sequences_[partition].size()) return;
    Violate(Place(node, partition) + ": its state is of " + std::to_string(count) +
            " deliveries, but nobody has had more than " +
            std::to_string(sequences_[partition].size()));
  }
  // How many payloads the node has delivered in this life, and how many anybody has.
  [[nodiscard]] std::size_t DeliveredBy(NodeId node, PartitionId partition) const {
    const auto found = cursors_.find({node, partition});
    return found == cursors_.end() ? 0 : found->second.next;
  }
  [[nodiscard]] std::size_t Delivered(PartitionId partition) const {
    const auto found = sequences_.find(partition);
    return found == sequences_.end() ? 0 : found->second.size();
  }

 private:
  struct Delivery {
    LogIndex index;
    std::uint32_t ordinal;
    Term term;
    std::uint64_t hash;
    friend bool operator==(const Delivery&, const Delivery&) = default;
    [[nodiscard]] bool Before(const Delivery& other) const noexcept {
      return index != other.index ? index < other.index : ordinal < other.ordinal;
    }
  };
  struct Cursor {
    std::size_t next = 0;
    bool live = false;
  };
  // A client writes the operation and the payload's place in its batch into the payload.
  void RequirePlace(NodeId node, const RaftLog& log) const {
    std::uint64_t id = 0;
    std::uint32_t place = 0;
    if (log.payload().size() < sizeof id + sizeof place) return;
    std::memcpy(&place, log.payload().data() + sizeof id, sizeof place);
    if (place == log.ordinal()) return;
    Violate(Place(node, log.partition()) + ": entry " + Text(log.index()) + " has payload " +
            std::to_string(place) + " of its batch in place " + std::to_string(log.ordinal()));
  }
  static std::string Name(const Delivery& delivery) {
    return std::string("(").append(Text(delivery.index)) + "." + std::to_string(delivery.ordinal) +
           " of term " + Text(delivery.term) + ")";
  }
  std::map<std::pair<NodeId, PartitionId>, Cursor> cursors_;
  std::map<PartitionId, std::vector<Delivery>> sequences_;
};

}  // namespace kommander::sim
