// The queues of the I/O scheduler's readers: one FIFO lane per partition, lanes served in turn, at
// most one read of a lane at a time so that its answers come in order. Pure bookkeeping.
#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>
#include <utility>

#include <kommander/errors.hpp>
#include <kommander/io_scheduler.hpp>

#include "runtime/intrusive_queue.hpp"
#include "runtime/io_scheduler_options.hpp"

namespace kommander::runtime {

struct ReadLane;

struct ReadNode {
  ReadRequest request;
  std::shared_ptr<IoSink> sink;
  ReadLane* lane = nullptr;
  ReadNode* next = nullptr;
};

struct ReadLane {
  OwningQueue<ReadNode> queue;
  bool in_flight = false;
  ReadLane* next = nullptr;  // in the ready list
};

class ReadLanes {
 public:
  explicit ReadLanes(const IoSchedulerOptions& options) : options_(options) {}

  // ProposalQueueFull when a cap is met; nothing is taken then.
  error_code Push(const ReadRequest& request, std::shared_ptr<IoSink>&& sink) {
    ReadLane& lane = lanes_[request.partition];
    if (reads_ >= options_.reads_max || lane.queue.size() >= options_.lane_reads_max) {
      return RaftErrc::ProposalQueueFull;
    }
    const bool was_idle = lane.queue.empty() && !lane.in_flight;
    lane.queue.PushBack(
        std::make_unique<ReadNode>(ReadNode{request, std::move(sink), &lane, nullptr}));
    ++reads_;
    if (was_idle) ready_.PushBack(&lane);
    return {};
  }

  [[nodiscard]] bool HasReady() const noexcept { return !ready_.empty(); }

  // The next read in turn; not without a ready lane.
  [[nodiscard]] std::unique_ptr<ReadNode> Take() noexcept {
    ReadLane& lane = *ready_.PopFront();
    lane.in_flight = true;
    --reads_;
    return lane.queue.PopFront();
  }

  // The read has been answered.
  void Complete(const ReadNode& node) noexcept {
    node.lane->in_flight = false;
    if (!node.lane->queue.empty()) ready_.PushBack(node.lane);
  }

  // Takes everything back that is queued, for dropping it without the lock.
  [[nodiscard]] OwningQueue<ReadNode> DropAll() noexcept {
    OwningQueue<ReadNode> dropped;
    ready_ = {};
    for (auto& [partition, lane] : lanes_) dropped.Append(std::move(lane.queue));
    reads_ = 0;
    return dropped;
  }

 private:
  const IoSchedulerOptions options_;
  std::unordered_map<PartitionId, ReadLane> lanes_;  // stay for as long as the scheduler
  IntrusiveList<ReadLane> ready_;
  std::size_t reads_ = 0;
};

}  // namespace kommander::runtime
