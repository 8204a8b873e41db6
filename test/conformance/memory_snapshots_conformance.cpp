// The suite over the store without a disk.
#include <kommander/memory_snapshots.hpp>

#include "snapshot_conformance.hpp"

namespace kommander::conformance {
namespace {

class MemoryPlace final : public SnapshotPlace {
 public:
  std::shared_ptr<SnapshotStore> Attach() override { return store_; }

 private:
  std::shared_ptr<SnapshotStore> store_ = MakeMemorySnapshots();
};

}  // namespace

std::unique_ptr<SnapshotPlace> MakeSnapshotPlace() { return std::make_unique<MemoryPlace>(); }

}  // namespace kommander::conformance
