// One node under load with a thread of its own. Its functions are called from the driver's thread
// and block.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <kommander/raft_manager.hpp>
#include <kommander/transport.hpp>

#include "load.hpp"
#include "node_report.hpp"
#include "options.hpp"

namespace kommander::bench {

// What a node has beyond its share of the load.
struct NodeExtras {
  std::shared_ptr<StateMachine> machine;
  std::shared_ptr<SnapshotStore> snapshots;
  std::function<void(RaftConfiguration&)> configure;  // after everything else
  std::function<void(PartitionId)> restored;          // on the node's thread
};

// What options.transport() names, unless it is the memory's, which a network of all nodes makes.
[[nodiscard]] std::shared_ptr<Transport> MakeSocketTransport(const Options& options,
                                                             const std::shared_ptr<Clock>& clock);

class BenchNode {
 public:
  // `members`: every node with its Raft address.
  BenchNode(const Options& options, NodeId id, std::vector<NodeAddress> members,
            std::shared_ptr<Transport> transport, const std::string& directory,
            const NodeExtras& extras = {});
  ~BenchNode();
  BenchNode(const BenchNode&) = delete;
  BenchNode& operator=(const BenchNode&) = delete;

  [[nodiscard]] RaftManager& raft() noexcept { return raft_; }
  // Begins to join; the answer comes from AwaitJoin.
  void Join();
  // Waits until it has joined and knows a leader of every partition. Throws when it cannot.
  void AwaitReady();
  void StartLoad(Call call);
  void BeginMeasuring();
  [[nodiscard]] NodeReport EndMeasuring();
  void StopLoad();
  // Once; the destructor does it too.
  void Stop();

 private:
  // Runs a function on the node's thread and waits for what it returns.
  template <class Function>
  auto OnThread(Function function);

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::uint32_t partitions_;
  RaftManager raft_;
  Load load_;
  std::future<void> joined_;
  std::chrono::steady_clock::time_point begin_;
  WalStatistics wal_begin_;
  TransportStatistics transport_begin_;
  std::thread thread_;
};

}  // namespace kommander::bench
