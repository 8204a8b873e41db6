// Which units go into the next write, and what a run of them becomes.
#include "runtime/write_lanes.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "mutants/mutants.hpp"

namespace kommander::runtime {
namespace {

constexpr std::size_t kFreeNodesMax = 4096;

std::size_t SizeOf(const WriteUnit& unit) noexcept {
  return unit.SizeBytes() + (unit.boundary ? unit.boundary->ledger.size() : 0);
}

// `last_entry`: the last one before `next` in the run, if any.
bool CanFollow(const WriteUnit& next, const Entry* last_entry) noexcept {
  if (next.boundary || next.drop_log || next.truncate_from) return false;
  if (next.entries.empty() || last_entry == nullptr) return true;
  return next.entries.front().index == last_entry->index.Next();
}

const Entry* LastEntry(const WriteUnit& unit, const Entry* before) noexcept {
  return unit.entries.empty() ? before : &unit.entries.back();
}

void MergeInto(WriteUnit& first, WriteUnit& next) {
  first.entries.insert(first.entries.end(), std::make_move_iterator(next.entries.begin()),
                       std::make_move_iterator(next.entries.end()));
  if (next.hard_state) first.hard_state = next.hard_state;
  if (next.commit_hint) first.commit_hint = next.commit_hint;
  if (next.application) first.application = next.application;
  first.unit = next.unit;
}

}  // namespace

WriteBatch::WriteBatch(std::size_t partitions_max) {
  runs_.reserve(partitions_max);
  units_.reserve(partitions_max);
}

void WriteBatch::Merge() {
  spent_.Clear();  // what was not taken back for reuse
  for (Run& run : runs_) {
    WriteNode* const first = run.nodes.front();
    if (run.nodes.size() > 1) {
      std::size_t entries = first->unit.entries.size();
      for (const WriteNode* node = first->next; node != nullptr; node = node->next) {
        entries += node->unit.entries.size();
      }
      first->unit.entries.reserve(entries);
      for (WriteNode* node = first->next; node != nullptr; node = node->next) {
        MergeInto(first->unit, node->unit);
      }
    }
    units_.push_back(&first->unit);
  }
}

void WriteBatch::Answer(error_code error) noexcept {
  for (Run& run : runs_) {
    const WriteNode* told = nullptr;
    for (WriteNode* node = run.nodes.front(); node != nullptr; node = node->next) {
      if (error) {
        if (told != nullptr && told->sink == node->sink) continue;
        node->sink->OnWritten(node->unit.partition, node->id, error);
        told = node;
      } else {
        if (node->next != nullptr && node->next->sink == node->sink) continue;
        node->sink->OnWritten(node->unit.partition, node->id, error);
      }
    }
  }
  for (Run& run : runs_) {
    for (WriteNode* node = run.nodes.front(); node != nullptr; node = node->next) {
      // All that a spent unit could hold on to; the rest is overwritten by the next one.
      node->unit.boundary.reset();
      std::vector<Entry>().swap(node->unit.entries);
      node->sink.reset();
    }
    spent_.Append(std::move(run.nodes));
  }
  runs_.clear();
  units_.clear();
  bytes_ = 0;
  unit_count_ = 0;
}

WriteLanes::WriteLanes(const IoSchedulerOptions& options) : options_(options) {}
WriteLanes::~WriteLanes() = default;

std::unique_ptr<WriteNode> WriteLanes::TakeNode() {
  return free_.empty() ? std::make_unique<WriteNode>() : free_.PopFront();
}

void WriteLanes::Push(WriteUnit&& unit, std::shared_ptr<IoSink>&& sink) {
  WriteLane& lane = lanes_[unit.partition];
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks): the lane's queue owns it below.
  std::unique_ptr<WriteNode> node = TakeNode();
  node->id = unit.unit;
  node->bytes = SizeOf(unit);
  node->unit = std::move(unit);
  node->sink = std::move(sink);
  const std::size_t bytes = node->bytes;
  units_ += 1;
  bytes_ += bytes;
  lane.units += 1;
  lane.bytes += bytes;
  if (!lane.in_flight) {
    if (lane.queue.empty()) ready_.PushBack(&lane);
    ready_bytes_ += bytes;
  }
  lane.queue.PushBack(std::move(node));
}

bool WriteLanes::IsSaturated(PartitionId partition) const {
  const auto found = lanes_.find(partition);
  if (found == lanes_.end()) return false;
  const WriteLane& lane = found->second;
  return lane.units >= options_.lane_units_max || lane.bytes >= options_.lane_bytes_max;
}

bool WriteLanes::IsBatchFull() const noexcept {
  return ready_.size() >= options_.batch_partitions_max || ready_bytes_ >= options_.batch_bytes_max;
}

void WriteLanes::TakeRun(WriteLane& lane, WriteBatch& batch) {
  // With nobody to leave room for, a lane may fill the batch.
  const bool alone = (ready_.empty() && batch.empty()) || KOMMANDER_MUTANT(hot_lane_first);
  const std::size_t run_units_max =
      alone ? options_.batch_units_max : options_.batch_lane_units_max;
  const std::size_t run_bytes_max =
      alone ? options_.batch_bytes_max : options_.batch_lane_bytes_max;
  WriteBatch::Run& run = batch.runs_.emplace_back(WriteBatch::Run{&lane, {}, 0});
  ready_bytes_ -= lane.bytes;  // what stays behind is not ready before this run is written
  lane.in_flight = true;
  const Entry* last_entry = nullptr;
  while (true) {
    const WriteNode& node = *lane.queue.front();
    run.bytes += node.bytes;
    batch.bytes_ += node.bytes;
    batch.unit_count_ += 1;
    last_entry = LastEntry(node.unit, last_entry);
    run.nodes.PushBack(lane.queue.PopFront());
    if (lane.queue.empty()) break;
    const WriteNode& next = *lane.queue.front();
    if (run.nodes.size() >= run_units_max || batch.unit_count_ >= options_.batch_units_max) break;
    if (run.bytes + next.bytes > run_bytes_max) break;
    if (batch.bytes_ + next.bytes > options_.batch_bytes_max) break;
    if (!CanFollow(next.unit, last_entry)) break;
  }
}

void WriteLanes::Collect(WriteBatch& batch) {
  while (!ready_.empty()) {
    if (!batch.empty()) {
      if (batch.runs_.size() >= options_.batch_partitions_max) break;
      if (batch.unit_count_ >= options_.batch_units_max) break;
      const std::size_t next_bytes = ready_.front()->queue.front()->bytes;
      if (batch.bytes_ + next_bytes > options_.batch_bytes_max) break;
    }
    TakeRun(*ready_.PopFront(), batch);
  }
}

void WriteLanes::Complete(WriteBatch& batch) noexcept {
  for (WriteBatch::Run& run : batch.runs_) {
    WriteLane& lane = *run.lane;
    lane.in_flight = false;
    lane.units -= run.nodes.size();
    lane.bytes -= run.bytes;
    units_ -= run.nodes.size();
    bytes_ -= run.bytes;
    if (lane.queue.empty()) continue;
    ready_bytes_ += lane.bytes;
    if (KOMMANDER_MUTANT(hot_lane_first)) {
      auto others = std::exchange(ready_, {});
      ready_.PushBack(&lane);
      ready_.Append(std::move(others));
    } else {
      ready_.PushBack(&lane);
    }
  }
}

void WriteLanes::FailAll(WriteBatch& batch) {
  for (WriteBatch::Run& run : batch.runs_) {
    run.nodes.Append(std::move(run.lane->queue));
    run.lane->in_flight = false;
    run.lane->units = 0;
    run.lane->bytes = 0;
  }
  while (!ready_.empty()) {
    WriteLane& lane = *ready_.PopFront();
    batch.runs_.emplace_back(WriteBatch::Run{&lane, std::move(lane.queue), lane.bytes});
    lane.units = 0;
    lane.bytes = 0;
  }
  units_ = 0;
  bytes_ = 0;
  ready_bytes_ = 0;
}

OwningQueue<WriteNode> WriteLanes::DropAll() noexcept {
  OwningQueue<WriteNode> dropped;
  while (!ready_.empty()) dropped.Append(std::move(ready_.PopFront()->queue));
  for (auto& [partition, lane] : lanes_) {
    dropped.Append(std::move(lane.queue));
    lane.units = 0;
    lane.bytes = 0;
  }
  units_ = 0;
  bytes_ = 0;
  ready_bytes_ = 0;
  return dropped;
}

void WriteLanes::Recycle(WriteBatch& batch) noexcept {
  while (!batch.spent_.empty() && free_.size() < kFreeNodesMax) {
    free_.PushBack(batch.spent_.PopFront());
  }
}

}  // namespace kommander::runtime
