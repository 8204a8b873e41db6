// The birth of a cluster. A node with an empty store cannot tell a new cluster from one that has
// forgotten nothing but this node's disk, so it neither votes nor campaigns until a majority of the
// initial members has said that there is no cluster yet, or somebody that it is admitted.
#pragma once

#include <cstdint>
#include <vector>

#include <kommander/configuration.hpp>
#include <kommander/ids.hpp>
#include <kommander/transport.hpp>

namespace kommander::cluster {

// What two nodes compare to know that they were started with the same initial members. The same on
// every machine: see docs/protocol.md.
[[nodiscard]] std::uint64_t BootstrapDigest(const Configuration& initial);

// Used from one strand. Once open it stays open.
class BootstrapGate {
 public:
  // Open at once for a sole member, and on a store that is not empty: its node was admitted before,
  // or its log has entries, which only a leader that knows this incarnation sends.
  BootstrapGate(NodeId self, Incarnation own, Configuration initial, bool store_is_empty);

  // A peer's latest word replaces its earlier one: one that knows a roster, or another incarnation
  // of this node, does not count. Hand in admitted hellos only, and also those refused because the
  // peer knows another incarnation.
  void OnHello(const Hello& hello);

  [[nodiscard]] bool IsOpen() const noexcept { return is_open_; }
  // The roster has been applied here: whatever was unknown is known now.
  void Open() noexcept { is_open_ = true; }

 private:
  NodeId self_;
  Incarnation own_;
  Configuration initial_;
  std::vector<NodeId> in_favour_;  // initial members, this node among them if it is one
  bool is_open_ = false;
};

}  // namespace kommander::cluster
