// The clock of production: the system's monotonic clock and Asio timers.
#pragma once

#include <memory>

#include <kommander/clock.hpp>
#include <kommander/detail/export.hpp>

namespace kommander {

// Its timers are to be used, and their executor to run, on one strand (or one thread): the wait and
// the re-arming share state without a lock. While a timer is armed its executor has outstanding
// work. A timer that is re-armed for later keeps its running wait and looks again when that ends,
// so postponing a deadline costs nothing.
[[nodiscard]] KOMMANDER_EXPORT std::shared_ptr<Clock> MakeSteadyClock();

}  // namespace kommander
