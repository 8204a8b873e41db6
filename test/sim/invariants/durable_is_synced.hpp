// What a node calls durable lies on its disk, and is the entry that its log has at that index: a
// synced entry that was replaced since does not count (an acknowledgement would name bytes that are
// not there).
#pragma once

#include "invariants/invariant.hpp"

namespace kommander::sim {

class DurableIsSynced final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "durable is synced"; }
  void OnStatus(NodeId node, const PartitionStatus& before, const PartitionStatus& now) override {
    if (now.durable == before.durable && now.last == before.last) return;
    const DiskPartition* disk = facts().Disk(node, now.partition);
    const LogView* view = facts().View(node, now.partition);
    if (disk == nullptr || view == nullptr || now.durable <= view->base()) return;
    if (now.durable > disk->last()) {
      Violate(Place(node, now.partition) + " calls " + Text(now.durable) +
              " durable; its disk ends at " + Text(disk->last()));
    } else if (disk->TermAt(now.durable) != view->TermAt(now.durable)) {
      Violate(Place(node, now.partition) + " calls entry " + Text(now.durable) + " of term " +
              Text(view->TermAt(now.durable)) + " durable; on its disk is one of term " +
              Text(disk->TermAt(now.durable)));
    }
  }
};

}  // namespace kommander::sim
