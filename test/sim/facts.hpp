// What is known of a cluster from outside, gathered once for all invariants: every node's log as it
// handed it to its scheduler, what lies on the disks, what has been seen committed. Entries are
// known by their chain, a hash over the entry and all before it, so that comparing two logs up to
// an index is comparing two numbers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <kommander/configuration.hpp>
#include <kommander/raft_log.hpp>
#include <kommander/replicate_options.hpp>
#include <kommander/status.hpp>
#include <kommander/write_unit.hpp>

#include "observer.hpp"
#include "sim_disk.hpp"

namespace kommander::sim {

using Chain = std::uint64_t;

[[nodiscard]] Chain ExtendChain(Chain before, const Entry& entry) noexcept;

// The log of one partition on one node, synced or not.
class LogView {
 public:
  struct Item {
    Term term;
    Chain chain = 0;
  };
  struct Version {
    LogIndex index;
    Configuration configuration;
  };

  void Reset(const DiskPartition& disk, std::optional<Chain> boundary_chain);
  // False when the boundary that the unit sets is not in this log and its chain is not given.
  void Apply(const WriteUnit& unit, std::optional<Chain> boundary_chain);

  [[nodiscard]] LogIndex base() const noexcept { return base_; }
  [[nodiscard]] LogIndex last() const noexcept { return base_ + items_.size(); }
  [[nodiscard]] const HardState& hard_state() const noexcept { return hard_state_; }
  // None outside of the log.
  [[nodiscard]] std::optional<Item> At(LogIndex index) const noexcept;
  [[nodiscard]] Term TermAt(LogIndex index) const noexcept {
    const auto item = At(index);
    return item ? item->term : Term();
  }
  // Ascending; the first one is in force at the base.
  [[nodiscard]] const std::vector<Version>& configurations() const noexcept {
    return configurations_;
  }
  [[nodiscard]] std::size_t CountConfigurationsAfter(LogIndex index) const noexcept;

 private:
  void Append(const Entry& entry);
  void Truncate(LogIndex from);

  LogIndex base_;
  Item base_item_;
  std::vector<Item> items_;
  HardState hard_state_;
  std::vector<Version> configurations_{Version()};
};

// An entry that some node has said to be committed.
struct CommittedItem {
  Term term;
  Chain chain = 0;
  Term noticed_in;  // the term of the node that said it first
};

class Facts {
 public:
  void AddDisk(NodeId node, std::shared_ptr<SimDisk> disk) { disks_[node] = std::move(disk); }
  // The node starts with empty hands.
  void BeginLife(NodeId node);
  // What it shows is not looked at any more, though something of it may yet run and answer.
  void EndLife(NodeId node);
  void Recovered(NodeId node, PartitionId partition);
  void Submitted(NodeId node, const WriteUnit& unit);
  // A unit that went past the scheduler, when a partition is created, makes the view.
  void Synced(NodeId node, const WriteUnit& unit);
  void StatusChanged(NodeId node, const PartitionStatus& now);

  [[nodiscard]] const LogView* View(NodeId node, PartitionId partition) const noexcept;
  [[nodiscard]] const DiskPartition* Disk(NodeId node, PartitionId partition) const noexcept;
  [[nodiscard]] const PartitionStatus* Status(NodeId node, PartitionId partition) const noexcept;
  [[nodiscard]] const std::map<NodeId, std::shared_ptr<SimDisk>>& disks() const noexcept {
    return disks_;
  }
  // What is committed, from index 1 on.
  [[nodiscard]] const std::vector<CommittedItem>& Committed(PartitionId partition) const noexcept;
  // The chain that (index, term) stands for; none when no node has ever had that entry.
  [[nodiscard]] std::optional<Chain> ChainOf(PartitionId partition, LogIndex index,
                                             Term term) const noexcept;
  // Remembers the chain of (index, term). False: it is known as another one.
  bool RecordChain(PartitionId partition, LogIndex index, Term term, Chain chain);

 private:
  static std::uint64_t Key(NodeId node, PartitionId partition) noexcept {
    return (std::uint64_t{node.value()} << 32) | partition.value();
  }
  // Few different terms fight for one index: a short list each.
  using Contenders = std::vector<LogView::Item>;

  std::map<NodeId, std::shared_ptr<SimDisk>> disks_;
  std::unordered_map<std::uint64_t, LogView> views_;
  std::unordered_map<std::uint64_t, PartitionStatus> statuses_;
  std::map<PartitionId, std::vector<CommittedItem>> committed_;
  std::map<PartitionId, std::vector<Contenders>> contenders_;
};

}  // namespace kommander::sim
