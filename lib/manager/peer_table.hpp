// What every thread may ask about a peer: the incarnation that this node has pinned of it, the one
// that the roster has, and whether its votes and acknowledgements count yet. Written on the node's
// strand only; peers are only ever added.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <kommander/ids.hpp>

namespace kommander {

class PeerTable {
 public:
  static constexpr std::size_t kPeersMax = 256;

  [[nodiscard]] Incarnation PinOf(NodeId node) const noexcept {
    const Peer* peer = Find(node);
    return peer == nullptr ? Incarnation() : Incarnation(peer->pin.load(std::memory_order_acquire));
  }
  // 0: none, or the roster is not known.
  [[nodiscard]] Incarnation RosterPinOf(NodeId node) const noexcept {
    const Peer* peer = Find(node);
    return peer == nullptr ? Incarnation()
                           : Incarnation(peer->roster_pin.load(std::memory_order_acquire));
  }
  [[nodiscard]] bool Counts(NodeId node) const noexcept {
    const Peer* peer = Find(node);
    return peer != nullptr && peer->counts.load(std::memory_order_acquire);
  }

  // False when the table is full.
  bool Set(NodeId node, Incarnation pin, Incarnation roster_pin, bool counts) noexcept {
    Peer* peer = const_cast<Peer*>(Find(node));
    if (peer == nullptr) {
      const std::size_t used = used_.load(std::memory_order_relaxed);
      if (used == kPeersMax) return false;
      peer = &peers_[used];
      peer->node = node;
      peer->pin.store(pin.value(), std::memory_order_relaxed);
      peer->roster_pin.store(roster_pin.value(), std::memory_order_relaxed);
      peer->counts.store(counts, std::memory_order_relaxed);
      used_.store(used + 1, std::memory_order_release);
      return true;
    }
    peer->pin.store(pin.value(), std::memory_order_release);
    peer->roster_pin.store(roster_pin.value(), std::memory_order_release);
    peer->counts.store(counts, std::memory_order_release);
    return true;
  }

 private:
  struct Peer {
    NodeId node;
    std::atomic<std::uint64_t> pin{0};
    std::atomic<std::uint64_t> roster_pin{0};
    std::atomic<bool> counts{false};
  };
  [[nodiscard]] const Peer* Find(NodeId node) const noexcept {
    const std::size_t used = used_.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < used; ++i) {
      if (peers_[i].node == node) return &peers_[i];
    }
    return nullptr;
  }

  std::array<Peer, kPeersMax> peers_{};
  std::atomic<std::size_t> used_{0};
};

}  // namespace kommander
