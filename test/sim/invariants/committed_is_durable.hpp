// What a leader calls committed ends with an entry of its own term (thesis 3.6.2: it never counts
// copies of an earlier term's) and lies, synced, on the disks of a quorum.
#pragma once

#include "invariants/invariant.hpp"
#include "invariants/quorum.hpp"

namespace kommander::sim {

class CommittedIsDurable final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "committed is durable"; }
  void OnStatus(NodeId node, const PartitionStatus& before, const PartitionStatus& now) override {
    const bool leads_on = before.role == Role::kLeader && now.role == Role::kLeader;
    if (!leads_on || before.term != now.term || now.committed <= before.committed) return;
    const LogView* view = facts().View(node, now.partition);
    if (view == nullptr) return;
    const Term term = view->TermAt(now.committed);
    if (term != now.term) {
      Violate(Place(node, now.partition) + " leads term " + Text(now.term) + " and commits entry " +
              Text(now.committed) + " of term " + Text(term));
      return;
    }
    const auto has = [&](NodeId other) {
      const DiskPartition* disk = facts().Disk(other, now.partition);
      return disk != nullptr &&
             (disk->boundary.index >= now.committed || disk->TermAt(now.committed) == term);
    };
    // Any configuration that was in force from the entry on will do, as for acknowledgements.
    const auto& versions = view->configurations();
    for (std::size_t i = 0; i < versions.size(); ++i) {
      const bool is_over = i + 1 < versions.size() && versions[i + 1].index <= now.committed;
      if (!is_over && IsQuorum(versions[i].configuration, has)) return;
    }
    Violate(Place(node, now.partition) + " commits entry " + Text(now.committed) + " of term " +
            Text(term) + " that is on no quorum of disks");
  }
};

}  // namespace kommander::sim
