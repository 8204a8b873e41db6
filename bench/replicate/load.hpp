// The proposers of one node: coroutines that write as fast as they are answered, in the partitions
// that this node leads. Lives on the node's one thread.
#pragma once

#include <cstdint>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <kommander/ids.hpp>
#include <kommander/payload.hpp>
#include <kommander/raft_manager.hpp>

#include "node_report.hpp"
#include "options.hpp"

namespace kommander::bench {

class Load {
 public:
  Load(boost::asio::io_context& context, RaftManager& raft, const Options& options);

  // Proposers start where this node leads and end where it no longer does.
  void Start();
  void Stop() noexcept { running_ = false; }
  void OnLeaderChanged(PartitionId partition);

  void BeginMeasuring() {
    measured_ = NodeReport();
    measuring_ = true;
  }
  [[nodiscard]] NodeReport EndMeasuring() {
    measuring_ = false;
    return std::move(measured_);
  }

 private:
  [[nodiscard]] bool Leads(PartitionId partition) const {
    return raft_.GetPartitionLeaderHint(partition) == raft_.id();
  }
  // The share of a partition in all that is outstanding.
  [[nodiscard]] std::uint32_t Proposers(PartitionId partition) const noexcept;
  boost::asio::awaitable<void> Propose(PartitionId partition);
  boost::asio::awaitable<error_code> ProposeOnce(PartitionId partition);

  boost::asio::io_context& context_;
  RaftManager& raft_;
  std::uint32_t partitions_;
  std::uint32_t outstanding_;
  std::uint32_t batch_;
  Payload payload_;
  std::vector<std::uint32_t> active_;  // proposers by partition
  bool running_ = false;
  bool measuring_ = false;
  NodeReport measured_;
};

}  // namespace kommander::bench
