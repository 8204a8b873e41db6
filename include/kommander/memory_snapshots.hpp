// Snapshots without a disk, for tests, benches and examples: nothing survives the process.
#pragma once

#include <memory>

#include <kommander/detail/export.hpp>
#include <kommander/snapshot_store.hpp>

namespace kommander {

// Keeps its contents as long as the object lives: closing and opening it again is what a restart
// looks like to a node, within one process.
[[nodiscard]] KOMMANDER_EXPORT std::shared_ptr<SnapshotStore> MakeMemorySnapshots();

}  // namespace kommander
