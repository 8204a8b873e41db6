// An application that is not the simulation's own, with clients of its own: what runs on the nodes
// when users test theirs (include/kommander/testing). Without a guest the simulation's own clients
// are at work, and its nodes only record what is delivered to them.
#pragma once

#include <memory>
#include <vector>

#include "checker.hpp"
#include "cluster_options.hpp"
#include "world.hpp"

namespace kommander::sim {

class SimNode;

class Guest {
 public:
  virtual ~Guest() = default;
  // What it lives among, before the first node starts, and until Leave.
  virtual void Enter(World& world, Checker& checker,
                     const std::vector<std::unique_ptr<SimNode>>& nodes,
                     const ClusterOptions& cluster) = 0;
  virtual void Leave() = 0;
  // A life of the node begins, and its manager has not joined. What this returns is kept until
  // nothing of the life's process may run any more.
  [[nodiscard]] virtual std::shared_ptr<void> Begin(SimNode& node, std::uint64_t seed) = 0;
  virtual void ProcessEnded(const ProcessRecord& process) = 0;

  virtual void BeginLoad() = 0;
  virtual void EndLoad() = 0;
  [[nodiscard]] virtual bool IsLoadOver() const = 0;
  // A function of a node has run.
  virtual void Stepped() = 0;
  // Every node runs and has applied the same.
  virtual void Converged() = 0;
};

}  // namespace kommander::sim
