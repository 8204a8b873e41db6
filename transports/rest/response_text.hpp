// The head of an answer, as it goes over the wire.
#pragma once

#include <cstdint>
#include <string>

#include <kommander/raft_routes.hpp>

namespace kommander::rest {

// `wall_ms`: Unix time, for the Date field.
[[nodiscard]] std::string ResponseHead(const RestAnswer& answer, bool keep_alive,
                                       std::uint64_t wall_ms);

}  // namespace kommander::rest
