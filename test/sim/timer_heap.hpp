// The pending instants of a world: a binary heap whose members know their place, so that re-arming
// and disarming cost a sift and leave nothing stale behind. Actors re-arm far more often than they
// wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <kommander/time.hpp>

namespace kommander::sim {

// Something that can be due. `fire` is called after the entry has left the heap.
struct TimerEntry {
  static constexpr std::size_t kIdle = static_cast<std::size_t>(-1);
  explicit TimerEntry(void (*function)(TimerEntry*)) noexcept : fire(function) {}
  std::size_t place = kIdle;
  void (*fire)(TimerEntry*);
};

class TimerHeap {
 public:
  [[nodiscard]] bool empty() const noexcept { return nodes_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return nodes_.size(); }
  [[nodiscard]] Instant NextDue() const noexcept { return nodes_.front().when; }

  // Equal instants fire in the order of their arming.
  void Arm(TimerEntry& entry, Instant when) {
    const Node node{when, ++sequence_, &entry};
    if (entry.place == TimerEntry::kIdle) {
      nodes_.push_back(node);
      Up(nodes_.size() - 1, node);
    } else {
      Replace(entry.place, node);
    }
  }
  void Disarm(TimerEntry& entry) noexcept {
    const std::size_t place = entry.place;
    if (place == TimerEntry::kIdle) return;
    entry.place = TimerEntry::kIdle;
    const Node last = nodes_.back();
    nodes_.pop_back();
    if (place < nodes_.size()) Replace(place, last);
  }
  TimerEntry& PopFirst() noexcept {
    TimerEntry& entry = *nodes_.front().entry;
    Disarm(entry);
    return entry;
  }
  // Disarms every entry that `predicate` names, in the order of the heap.
  template <class Predicate>
  void DisarmIf(Predicate predicate) {
    std::vector<TimerEntry*> found;
    for (const Node& node : nodes_) {
      if (predicate(*node.entry)) found.push_back(node.entry);
    }
    for (TimerEntry* entry : found) Disarm(*entry);
  }

 private:
  struct Node {
    Instant when;
    std::uint64_t sequence;
    TimerEntry* entry;
    [[nodiscard]] bool Before(const Node& other) const noexcept {
      return when != other.when ? when < other.when : sequence < other.sequence;
    }
  };
  void Put(std::size_t place, const Node& node) noexcept {
    nodes_[place] = node;
    node.entry->place = place;
  }
  void Replace(std::size_t place, const Node& node) noexcept {
    if (place > 0 && node.Before(nodes_[(place - 1) / 2])) {
      Up(place, node);
    } else {
      Down(place, node);
    }
  }
  void Up(std::size_t place, const Node& node) noexcept {
    while (place > 0) {
      const std::size_t parent = (place - 1) / 2;
      if (!node.Before(nodes_[parent])) break;
      Put(place, nodes_[parent]);
      place = parent;
    }
    Put(place, node);
  }
  void Down(std::size_t place, const Node& node) noexcept {
    for (;;) {
      std::size_t child = place * 2 + 1;
      if (child >= nodes_.size()) break;
      if (child + 1 < nodes_.size() && nodes_[child + 1].Before(nodes_[child])) ++child;
      if (!nodes_[child].Before(node)) break;
      Put(place, nodes_[child]);
      place = child;
    }
    Put(place, node);
  }

  std::vector<Node> nodes_;
  std::uint64_t sequence_ = 0;
};

}  // namespace kommander::sim
