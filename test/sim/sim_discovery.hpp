// Where the nodes of a simulated cluster are: one list that all of them look at again and again, so
// that a machine which joins later is found.
#pragma once

#include <cstdint>
#include <vector>

#include <kommander/discovery.hpp>

namespace kommander::sim {

class SimDiscovery final : public Discovery {
 public:
  static Endpoint AddressOf(NodeId node) {
    return {"sim", static_cast<std::uint16_t>(node.value())};
  }
  void Add(NodeId node) { nodes_.emplace_back(node, AddressOf(node)); }
  [[nodiscard]] std::vector<NodeAddress> Nodes() const override { return nodes_; }

 private:
  std::vector<NodeAddress> nodes_;
};

}  // namespace kommander::sim
