// Snapshots in a directory, one file for each partition (docs/formats.md, "Snapshots").
#pragma once

#include <memory>
#include <string>

#include <kommander/detail/export.hpp>
#include <kommander/snapshot_store.hpp>

namespace kommander {

// Not yet open. The directory is made with mode 0700 when it is missing, its parents too, and
// locked from Open to Close; it holds nothing else.
[[nodiscard]] KOMMANDER_EXPORT std::shared_ptr<SnapshotStore> MakeFileSnapshots(
    std::string directory);

}  // namespace kommander
