// Addresses that the application knows and changes as it runs: from its own registry, a file that
// it watches, an operator's command.
//
//   auto discovery = std::make_shared<kommander::DynamicDiscovery>(addresses);
//   kommander::RaftManager raft(executor, configuration, wal, transport, discovery);
//   discovery->Add({NodeId(3), Endpoint("10.0.0.9", 7001)});  // node 3 is elsewhere now
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <kommander/detail/export.hpp>
#include <kommander/detail/mutex.hpp>
#include <kommander/discovery.hpp>

namespace kommander {

// One address per node. Nothing here blocks, waits or decides who is a member; a running node sees
// a change when it asks again, after one election timeout at the latest. All of it is thread-safe.
//
// An id of 0, an empty host and port 0 mean nothing that could be dialled: such an address is not
// taken. The own id may be among them; the node passes it over.
class KOMMANDER_EXPORT DynamicDiscovery final : public Discovery {
 public:
  // As Set.
  explicit DynamicDiscovery(std::vector<NodeAddress> nodes = {}) { (void)Set(std::move(nodes)); }

  // All of them at once, in the place of those before. Of several addresses of one node the last
  // one holds. Returns how many were not taken because they mean nothing; the others are.
  std::size_t Set(std::vector<NodeAddress> nodes) {
    std::vector<NodeAddress> taken;
    std::size_t refused = 0;
    for (NodeAddress& node : nodes) {
      if (IsAddress(node)) {
        Put(taken, std::move(node));
      } else {
        ++refused;
      }
    }
    const detail::MutexLock lock(mutex_);
    nodes_.swap(taken);
    return refused;
  }

  // A node that is new, or is somewhere else now. False: it means nothing and changes nothing.
  bool Add(NodeAddress node) {
    if (!IsAddress(node)) return false;
    const detail::MutexLock lock(mutex_);
    Put(nodes_, std::move(node));
    return true;
  }

  // It is not named any more; whoever has dialled it keeps the last known address, and a member
  // stays a member. False: there is no such node here.
  bool Remove(NodeId node) {
    const detail::MutexLock lock(mutex_);
    return std::erase_if(nodes_, [node](const NodeAddress& known) { return known.id == node; }) !=
           0;
  }

  // In the order in which the nodes came.
  [[nodiscard]] std::vector<NodeAddress> Nodes() const override {
    const detail::MutexLock lock(mutex_);
    return nodes_;
  }

 private:
  static bool IsAddress(const NodeAddress& node) noexcept {
    return node.id && !node.endpoint.host.empty() && node.endpoint.port != 0;
  }
  static void Put(std::vector<NodeAddress>& nodes, NodeAddress node) {
    const auto found = std::find_if(nodes.begin(), nodes.end(), [&node](const NodeAddress& known) {
      return known.id == node.id;
    });
    if (found == nodes.end()) {
      nodes.push_back(std::move(node));
    } else {
      found->endpoint = std::move(node.endpoint);
    }
  }

  mutable detail::Mutex mutex_;
  std::vector<NodeAddress> nodes_ KOMMANDER_GUARDED_BY(mutex_);
};

}  // namespace kommander
