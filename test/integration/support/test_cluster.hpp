// Nodes of one process on a memory network, each with a log that survives its restarts and a
// journal of what its handlers were told.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <kommander/memory_transport.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/raft_manager.hpp>

#include "support/answer.hpp"
#include "support/journal.hpp"

namespace kommander::test {

// One process life of one node. Handlers that a test does not replace write into the journal.
class TestNode {
 public:
  TestNode(boost::asio::any_io_executor executor, RaftConfiguration configuration,
           std::shared_ptr<Wal> wal, std::shared_ptr<Transport> transport,
           std::shared_ptr<Journal> journal, std::function<bool()> is_misplaced,
           RaftDependencies dependencies = {}, std::shared_ptr<Discovery> discovery = nullptr);

  [[nodiscard]] RaftManager& raft() { return *raft_; }
  RaftManager* operator->() { return raft_.get(); }
  [[nodiscard]] const Journal& journal() const { return *journal_; }
  // Whether a handler or a completion has run where it must not: on a strand of the library, or
  // outside of the application's executor.
  [[nodiscard]] bool IsMisplaced() const { return misplaced_->load(); }
  // The probe itself, for handlers and completions of the test's own.
  [[nodiscard]] std::function<bool()> Probe() const { return probe_; }
  // Destroys the manager, as at the end of its scope.
  void Destroy() { raft_.reset(); }
  [[nodiscard]] bool IsAlive() const { return raft_ != nullptr; }

 private:
  void RegisterHandlers();

  std::shared_ptr<Journal> journal_;
  std::shared_ptr<std::atomic<bool>> misplaced_;
  std::unique_ptr<RaftManager> raft_;
  std::function<bool()> probe_;
};

class TestCluster {
 public:
  // Changes a node's configuration before it is used.
  using Tuning = std::function<void(RaftConfiguration&)>;

  // `runs_here`: whether the calling code runs on the application's executor; may be empty.
  TestCluster(boost::asio::any_io_executor executor, std::uint32_t nodes, Tuning tuning = {},
              std::function<bool()> runs_here = {});
  ~TestCluster();

  // --- For all worlds ---

  [[nodiscard]] RaftConfiguration ConfigurationOf(std::uint32_t id) const;
  [[nodiscard]] std::uint32_t size() const { return nodes_count_; }
  // A new process life of the node, with its log, not yet joined.
  TestNode& Create(std::uint32_t id);
  TestNode& Create(RaftConfiguration configuration, std::shared_ptr<Wal> wal,
                   RaftDependencies dependencies = {});
  void CreateAll();
  // Of the latest life.
  [[nodiscard]] TestNode& node(std::uint32_t id) { return *nodes_.at(id - 1); }
  [[nodiscard]] RaftManager& raft(std::uint32_t id) { return node(id).raft(); }
  [[nodiscard]] const Journal& journal(std::uint32_t id) { return node(id).journal(); }
  [[nodiscard]] std::shared_ptr<MemoryWal>& wal(std::uint32_t id) { return wals_.at(id - 1); }
  [[nodiscard]] MemoryNetwork& network() { return *network_; }
  // No message passes between the node and any other, or again.
  void Isolate(std::uint32_t id, bool cut = true);
  // The node that leads and is ready to, as far as it knows itself; none.
  [[nodiscard]] std::optional<std::uint32_t> LeaderNow(PartitionId partition);
  [[nodiscard]] bool AnythingMisplaced() const;

  // --- For worlds with threads of their own: these wait ---

  void JoinAll();
  void StopAll();
  void Stop(std::uint32_t id);
  // A ready leader. Another may come at any time.
  std::uint32_t WaitForLeader(PartitionId partition);
  // Makes that node the partition's ready leader, by transfers, as often as it takes.
  void MakeLeader(PartitionId partition, std::uint32_t id);
  // Through whoever leads, as often as it takes; for writes that may be in the log twice.
  ReplicateResult Write(PartitionId partition, const std::string& text);

 private:
  boost::asio::any_io_executor executor_;
  std::uint32_t nodes_count_;
  Tuning tuning_;
  std::function<bool()> runs_here_;
  std::shared_ptr<MemoryNetwork> network_;
  std::vector<std::shared_ptr<MemoryWal>> wals_;
  std::vector<std::unique_ptr<TestNode>> nodes_;
  std::vector<std::unique_ptr<TestNode>> earlier_lives_;
};

}  // namespace kommander::test
