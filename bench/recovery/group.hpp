// Nodes of one cluster in this process, each with a thread of its own, over TCP and with logs on
// the disk; each may be stopped and started again. Functions block, and throw std::runtime_error
// when what they wait for does not come.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../replicate/bench_node.hpp"
#include "../replicate/options.hpp"

namespace kommander::bench {

class Group {
 public:
  // `make_extras`: of a node that starts, by its number, which is counted from 0.
  Group(const Options& options, std::string directory,
        std::function<NodeExtras(std::size_t)> make_extras);

  // Begins to join; AwaitReady ends it.
  void Start(std::size_t node);
  void StartAll();
  void Stop(std::size_t node);
  [[nodiscard]] BenchNode& node(std::size_t node) { return *nodes_.at(node); }
  [[nodiscard]] std::string DirectoryOf(std::size_t node) const;
  // Whoever leads the partition, as it says itself.
  [[nodiscard]] std::size_t Leader(PartitionId partition);
  // Makes another node lead when this one does.
  void KeepFromLeading(std::size_t node, PartitionId partition);

  void StartLoad(Call call = Call::kWrite);
  void StopLoad();
  // What all running nodes did for so long.
  [[nodiscard]] std::vector<NodeReport> Measure(std::chrono::duration<double> length);
  void BeginMeasuring();
  [[nodiscard]] std::vector<NodeReport> EndMeasuring();

 private:
  const Options options_;
  const std::string directory_;
  const std::function<NodeExtras(std::size_t)> make_extras_;
  std::vector<NodeAddress> members_;
  std::vector<std::unique_ptr<BenchNode>> nodes_;  // null: stopped
};

// Lets so much time pass.
void Pass(std::chrono::duration<double> time);
// Looks every few milliseconds, for ten minutes at most; `what` is what an error names.
void Await(const std::string& what, const std::function<bool()>& holds);
// Calls that succeeded, over all reports.
[[nodiscard]] double PerSecond(const std::vector<NodeReport>& reports);

}  // namespace kommander::bench
