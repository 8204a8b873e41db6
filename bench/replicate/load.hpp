// The proposers of one node: coroutines that write as fast as they are answered, in the partitions
// that this node leads. Lives on the node's one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <kommander/ids.hpp>
#include <kommander/payload.hpp>
#include <kommander/raft_manager.hpp>
#include <kommander/session.hpp>

#include "node_report.hpp"
#include "options.hpp"

namespace kommander::bench {

class Load {
 public:
  Load(boost::asio::io_context& context, RaftManager& raft, const Options& options);

  // Proposers start where this node leads and end where it no longer does. What they do next is
  // `call`, whatever they did before.
  void Start(Call call);
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
  // `session`: the proposer's; opened when it is needed.
  boost::asio::awaitable<error_code> CallOnce(PartitionId partition,
                                              std::optional<ClientSession>& session);
  boost::asio::awaitable<error_code> Write(PartitionId partition);
  boost::asio::awaitable<error_code> WriteInSession(PartitionId partition,
                                                    std::optional<ClientSession>& session);
  boost::asio::awaitable<error_code> PrepareAndCommit(PartitionId partition);

  boost::asio::io_context& context_;
  RaftManager& raft_;
  std::uint32_t partitions_;
  std::uint32_t outstanding_;
  std::uint32_t batch_;
  std::uint32_t first_measured_;
  Payload payload_;
  std::vector<std::uint32_t> active_;  // proposers by partition
  Call call_ = Call::kWrite;
  bool running_ = false;
  bool measuring_ = false;
  NodeReport measured_;
};

}  // namespace kommander::bench
