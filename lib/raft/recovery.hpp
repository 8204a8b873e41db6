// Whether what a store gives back after a restart can be a partition's state at all. A core is
// built only on what passes: damaged bytes are an operating error of the store, not a broken
// invariant.
#pragma once

#include <optional>
#include <string>

#include <kommander/wal_recovery.hpp>

namespace kommander::raft {

// What is wrong with `recovered`, as part of a sentence for a person; none: a core takes it.
[[nodiscard]] std::optional<std::string> FindDamage(const RecoveredPartition& recovered);

}  // namespace kommander::raft
