// A node's statistics in Prometheus' words; names and meanings are in docs/operations.md. Nothing
// runs between two questions: all is read from counters when somebody asks, on the asker's thread.
#pragma once

#include <memory>
#include <string>

#include <kommander/detail/export.hpp>
#include <kommander/raft_manager.hpp>

namespace prometheus {
class Collectable;
}

namespace kommander {

// The text exposition format, version 0.0.4, to be served as `text/plain; version=0.0.4`.
// Thread-safe.
[[nodiscard]] KOMMANDER_EXPORT std::string PrometheusText(const RaftManager& raft);

// For a program that has a prometheus::Exposer or registry of its own. `raft` lives longer.
[[nodiscard]] KOMMANDER_EXPORT std::shared_ptr<prometheus::Collectable> MakePrometheusCollectable(
    const RaftManager& raft);

}  // namespace kommander
