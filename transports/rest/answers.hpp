// The bodies of the routes: what a node may be asked without waiting, as JSON. Field by field they
// are described in docs/openapi.json, which a test holds against them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <kommander/raft_routes.hpp>

namespace kommander::rest {

// {"error": {"name": ..., "message": ...}}
[[nodiscard]] RestAnswer ErrorAnswer(unsigned status, std::string_view name,
                                     std::string_view message);
[[nodiscard]] RestAnswer ErrorAnswer(unsigned status, RaftErrc errc, std::string_view message);

[[nodiscard]] RestAnswer ClusterAnswer(const RaftManager& raft);
// Those after `after` (none: from the first), `limit` of them at most.
[[nodiscard]] RestAnswer PartitionsAnswer(const RaftManager& raft,
                                          std::optional<std::uint32_t> after, std::size_t limit);
[[nodiscard]] RestAnswer PartitionAnswer(const RaftManager& raft, PartitionId partition);
[[nodiscard]] RestAnswer HealthAnswer(const RaftManager& raft, bool is_readiness);
[[nodiscard]] RestAnswer MetricsAnswer(const RaftManager& raft);

}  // namespace kommander::rest
