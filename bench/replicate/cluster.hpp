// All nodes of a run, whether they share this process or have one each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "node_report.hpp"
#include "options.hpp"

namespace kommander::bench {

class Cluster {
 public:
  virtual ~Cluster() = default;  // ends whatever was started

  // Every function concerns all nodes and throws std::runtime_error when one of them fails.
  virtual void Start() = 0;  // and waits until every partition has a leader
  // Proposers do this from now on, whatever they did before.
  virtual void StartLoad(Call call) = 0;
  virtual void BeginMeasuring() = 0;
  [[nodiscard]] virtual std::vector<NodeReport> EndMeasuring() = 0;
  virtual void StopLoad() = 0;
  // Of all processes of the cluster, this one included.
  [[nodiscard]] virtual std::vector<ProcessUsage> Usage() = 0;
  virtual void Stop() = 0;
};

[[nodiscard]] std::unique_ptr<Cluster> MakeLocalCluster(const Options& options,
                                                        const std::string& directory);
[[nodiscard]] std::unique_ptr<Cluster> MakeProcessCluster(const Options& options,
                                                          const std::string& directory);
// The main function of a child of a process cluster.
int RunChild(const Options& options);

// Free TCP ports of the loopback interface. Another program may take one before it is used.
[[nodiscard]] std::vector<std::uint16_t> FreePorts(std::uint32_t count);
[[nodiscard]] std::vector<NodeAddress> LoopbackMembers(const std::vector<std::uint16_t>& ports);

}  // namespace kommander::bench
