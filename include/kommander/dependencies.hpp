// The seams that production never replaces and simulation always does.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <kommander/clock.hpp>
#include <kommander/io_scheduler.hpp>

namespace kommander {

// Whatever is left empty is what production uses.
struct RaftDependencies {
  RaftDependencies() = default;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<IoScheduler> io_scheduler;
  std::optional<std::uint64_t> seed;  // of every random choice; identity included
};

}  // namespace kommander
