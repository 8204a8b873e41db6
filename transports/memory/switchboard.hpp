// Who listens where, and what befalls messages between whom. Shared by all nodes of a network; its
// mutex is the innermost one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include <kommander/detail/mutex.hpp>
#include <kommander/memory_transport.hpp>

#include "common/back_off.hpp"

namespace kommander::memory {

class Node;

// What happens to one message: how many copies arrive, and how late each.
struct Fate {
  int copies = 1;
  Duration delays[2] = {};
  bool reorder = false;
};

class Switchboard {
 public:
  explicit Switchboard(MemoryNetworkOptions options) : options_(options), chance_(options.seed()) {}

  [[nodiscard]] const MemoryNetworkOptions& options() const noexcept { return options_; }

  // False when another node that still lives listens there.
  [[nodiscard]] bool Listen(const std::string& name, std::weak_ptr<Node> node);
  void Leave(const std::string& name, const Node* node) noexcept;
  [[nodiscard]] std::shared_ptr<Node> Find(const std::string& name);

  [[nodiscard]] Fate Draw(NodeId from, NodeId to);
  [[nodiscard]] bool IsCut(NodeId from, NodeId to);
  [[nodiscard]] std::uint64_t DrawSeed();
  void SetFaults(NodeId from, NodeId to, LinkFaults faults);
  void SetDefaultFaults(LinkFaults faults);
  void Heal();

 private:
  [[nodiscard]] const LinkFaults& FaultsOf(NodeId from, NodeId to) const KOMMANDER_REQUIRES(mutex_);

  const MemoryNetworkOptions options_;
  detail::Mutex mutex_;
  std::map<std::string, std::weak_ptr<Node>> listeners_ KOMMANDER_GUARDED_BY(mutex_);
  std::map<std::pair<NodeId, NodeId>, LinkFaults> faults_ KOMMANDER_GUARDED_BY(mutex_);
  LinkFaults default_faults_ KOMMANDER_GUARDED_BY(mutex_);
  transports::Chance chance_ KOMMANDER_GUARDED_BY(mutex_);
};

}  // namespace kommander::memory
