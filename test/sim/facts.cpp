// Keeping the outside view of a cluster up to date.
#include "facts.hpp"

#include <algorithm>
#include <xxhash.h>

#include "raft/membership.hpp"

namespace kommander::sim {

Chain ExtendChain(Chain before, const Entry& entry) noexcept {
  const std::uint64_t head[] = {before,
                                entry.term.value(),
                                entry.index.value(),
                                static_cast<std::uint64_t>(entry.kind),
                                entry.ticket.physical_ms(),
                                entry.ticket.counter()};
  return XXH3_64bits_withSeed(entry.body.data(), entry.body.size(), XXH3_64bits(head, sizeof head));
}

void LogView::Append(const Entry& entry) {
  const Chain before = items_.empty() ? base_item_.chain : items_.back().chain;
  items_.push_back(Item{entry.term, ExtendChain(before, entry)});
  if (entry.kind != EntryKind::kConfiguration) return;
  if (auto decoded = raft::DecodeConfiguration(entry.body.bytes())) {
    configurations_.push_back(Version{entry.index, std::move(*decoded)});
  }
}

void LogView::Truncate(LogIndex from) {
  const auto kept = LogIndex::Distance(base_, from.Previous());
  if (kept >= items_.size()) return;
  items_.resize(kept);
  while (configurations_.size() > 1 && configurations_.back().index >= from) {
    configurations_.pop_back();
  }
}

void LogView::Reset(const DiskPartition& disk, std::optional<Chain> boundary_chain) {
  base_ = disk.boundary.index;
  base_item_ = Item{disk.boundary.term, boundary_chain.value_or(0)};
  items_.clear();
  hard_state_ = disk.hard_state;
  configurations_ = {Version{base_, disk.boundary.configuration}};
  for (const Entry& entry : disk.entries) Append(entry);
}

void LogView::Apply(const WriteUnit& unit, std::optional<Chain> boundary_chain) {
  if (unit.boundary) {
    const LogIndex index = unit.boundary->index;
    const auto item = At(index);
    const bool keeps = item && !unit.drop_log;
    const auto removed = keeps ? LogIndex::Distance(base_, index) : items_.size();
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(removed));
    base_ = index;
    base_item_ = Item{unit.boundary->term, boundary_chain.value_or(item ? item->chain : 0)};
    std::erase_if(configurations_,
                  [&](const Version& version) { return version.index <= index || !keeps; });
    configurations_.insert(configurations_.begin(), Version{index, unit.boundary->configuration});
  }
  if (unit.truncate_from) Truncate(*unit.truncate_from);
  for (const Entry& entry : unit.entries) Append(entry);
  if (unit.hard_state) hard_state_ = *unit.hard_state;
}

std::optional<LogView::Item> LogView::At(LogIndex index) const noexcept {
  if (index == base_) return base_item_;
  if (index < base_ || index > last()) return std::nullopt;
  return items_[LogIndex::Distance(base_, index) - 1];
}

std::size_t LogView::CountConfigurationsAfter(LogIndex index) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(configurations_.begin(), configurations_.end(),
                    [&](const Version& version) { return version.index > index; }));
}

void Facts::BeginLife(NodeId node) {
  std::erase_if(views_, [&](const auto& view) { return view.first >> 32 == node.value(); });
  EndLife(node);
}

void Facts::EndLife(NodeId node) {
  std::erase_if(statuses_, [&](const auto& status) { return status.first >> 32 == node.value(); });
}

void Facts::Recovered(NodeId node, PartitionId partition) {
  const DiskPartition* disk = Disk(node, partition);
  if (disk == nullptr) return;
  views_[Key(node, partition)].Reset(*disk,
                                     ChainOf(partition, disk->boundary.index, disk->boundary.term));
}

void Facts::Submitted(NodeId node, const WriteUnit& unit) {
  std::optional<Chain> chain;
  if (unit.boundary) chain = ChainOf(unit.partition, unit.boundary->index, unit.boundary->term);
  views_[Key(node, unit.partition)].Apply(unit, chain);
}

void Facts::Synced(NodeId node, const WriteUnit& unit) {
  if (!views_.contains(Key(node, unit.partition))) Recovered(node, unit.partition);
}

void Facts::StatusChanged(NodeId node, const PartitionStatus& now) {
  statuses_[Key(node, now.partition)] = now;
  auto& committed = committed_[now.partition];
  if (now.committed.value() <= committed.size()) return;
  const LogView* view = View(node, now.partition);
  if (view == nullptr) return;
  for (LogIndex index(committed.size() + 1); index <= now.committed; index = index.Next()) {
    const auto item = view->At(index);
    if (!item) return;
    committed.push_back(CommittedItem{item->term, item->chain, now.term});
  }
}

const LogView* Facts::View(NodeId node, PartitionId partition) const noexcept {
  const auto found = views_.find(Key(node, partition));
  return found == views_.end() ? nullptr : &found->second;
}

const DiskPartition* Facts::Disk(NodeId node, PartitionId partition) const noexcept {
  const auto found = disks_.find(node);
  return found == disks_.end() ? nullptr : found->second->Find(partition);
}

const PartitionStatus* Facts::Status(NodeId node, PartitionId partition) const noexcept {
  const auto found = statuses_.find(Key(node, partition));
  return found == statuses_.end() ? nullptr : &found->second;
}

const std::vector<CommittedItem>& Facts::Committed(PartitionId partition) const noexcept {
  static const std::vector<CommittedItem> kNone;
  const auto found = committed_.find(partition);
  return found == committed_.end() ? kNone : found->second;
}

std::optional<Chain> Facts::ChainOf(PartitionId partition, LogIndex index,
                                    Term term) const noexcept {
  if (index.value() == 0) return Chain{0};
  const auto found = contenders_.find(partition);
  if (found == contenders_.end() || index.value() > found->second.size()) return std::nullopt;
  for (const LogView::Item& item : found->second[index.value() - 1]) {
    if (item.term == term) return item.chain;
  }
  return std::nullopt;
}

bool Facts::RecordChain(PartitionId partition, LogIndex index, Term term, Chain chain) {
  auto& all = contenders_[partition];
  if (index.value() > all.size()) all.resize(index.value());
  Contenders& contenders = all[index.value() - 1];
  for (const LogView::Item& item : contenders) {
    if (item.term == term) return item.chain == chain;
  }
  contenders.push_back(LogView::Item{term, chain});
  return true;
}

}  // namespace kommander::sim
