// What others may read, without the strand, of the peers that a leader feeds.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <kommander/status.hpp>

#include "runtime/partition_view.hpp"

namespace kommander::runtime {

class PeersView {
 public:
  // Of the one writer's strand. The same peers as before are written in place, beside readers.
  void Publish(std::span<const PeerStatus> peers) {
    if (!Matches(peers)) {
      current_ = peers.empty() ? nullptr : std::make_shared<Slots>(peers);
      slots_.store(current_);
    }
    for (std::size_t i = 0; i < peers.size(); ++i) current_->words[i].Store(Pack(peers[i]));
  }
  // Thread-safe.
  [[nodiscard]] std::vector<PeerStatus> Read() const {
    std::vector<PeerStatus> peers;
    const std::shared_ptr<const Slots> slots = slots_.load();
    if (slots == nullptr) return peers;
    peers.reserve(slots->nodes.size());
    for (std::size_t i = 0; i < slots->nodes.size(); ++i) {
      peers.push_back(Unpack(slots->nodes[i], slots->words[i].Load()));
    }
    return peers;
  }

 private:
  using Lock = SequenceLock<9>;
  struct Slots {
    explicit Slots(std::span<const PeerStatus> peers)
        : words(std::make_unique<Lock[]>(peers.size())) {
      nodes.reserve(peers.size());
      for (std::size_t i = 0; i < peers.size(); ++i) {
        nodes.push_back(peers[i].node);
        words[i].Store(Pack(peers[i]));
      }
    }
    std::vector<NodeId> nodes;
    std::unique_ptr<Lock[]> words;
  };

  [[nodiscard]] bool Matches(std::span<const PeerStatus> peers) const noexcept {
    if (current_ == nullptr) return peers.empty();
    return std::equal(peers.begin(), peers.end(), current_->nodes.begin(), current_->nodes.end(),
                      [](const PeerStatus& peer, NodeId node) { return peer.node == node; });
  }
  static Lock::Values Pack(const PeerStatus& peer) noexcept {
    const std::uint64_t flags = static_cast<std::uint64_t>(peer.state) |
                                (peer.silent ? 0x100u : 0u) | (peer.backfill ? 0x200u : 0u);
    return {flags,
            peer.matched.value(),
            peer.next.value(),
            peer.inflight_messages,
            peer.inflight_bytes,
            peer.snapshot.value(),
            peer.snapshot_bytes,
            peer.snapshot_bytes_received,
            peer.snapshot_failures};
  }
  static PeerStatus Unpack(NodeId node, const Lock::Values& words) noexcept {
    PeerStatus peer;
    peer.node = node;
    peer.state = static_cast<PeerStatus::State>(words[0] & 0xff);
    peer.silent = (words[0] & 0x100) != 0;
    peer.backfill = (words[0] & 0x200) != 0;
    peer.matched = LogIndex(words[1]);
    peer.next = LogIndex(words[2]);
    peer.inflight_messages = words[3];
    peer.inflight_bytes = words[4];
    peer.snapshot = LogIndex(words[5]);
    peer.snapshot_bytes = words[6];
    peer.snapshot_bytes_received = words[7];
    peer.snapshot_failures = words[8];
    return peer;
  }

  std::shared_ptr<Slots> current_;  // the writer's own reference
  std::atomic<std::shared_ptr<Slots>> slots_;
};

}  // namespace kommander::runtime
