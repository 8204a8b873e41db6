// The clock of one simulated node: virtual time, with an offset and a rate of its own, so that no
// two nodes agree on what time it is.
#pragma once

#include <cstdint>
#include <memory>

#include <kommander/clock.hpp>

#include "world.hpp"

namespace kommander::sim {

class SimClock final : public Clock {
 public:
  explicit SimClock(World& world) : world_(world), world_at_(world.Now()), local_at_(world.Now()) {}

  [[nodiscard]] Instant Now() const noexcept override { return ToLocal(world_.Now()); }
  [[nodiscard]] std::uint64_t WallMilliseconds() const noexcept override;
  [[nodiscard]] std::unique_ptr<Timer> CreateTimer(boost::asio::any_io_executor executor,
                                                   std::weak_ptr<Sink> sink) override;

  // From now on the clock runs `parts_per_million` faster (or, negative, slower) than the world.
  // Monotonic: it never jumps. Timers that are armed keep their world instant.
  void SetRate(std::int64_t parts_per_million) noexcept;
  // The wall clock may jump, in both directions.
  void SetWallOffset(std::int64_t milliseconds) noexcept { wall_offset_ms_ = milliseconds; }

  [[nodiscard]] Instant ToLocal(Instant world_time) const noexcept;
  [[nodiscard]] Instant ToWorld(Instant local_time) const noexcept;

 private:
  class SimTimer;
  World& world_;
  Instant world_at_;  // both read the same moment, when the rate was last set
  Instant local_at_;
  std::int64_t rate_ppm_ = 0;
  std::int64_t wall_offset_ms_ = 0;
};

}  // namespace kommander::sim
