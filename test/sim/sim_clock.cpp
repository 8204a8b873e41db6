// Timers of a simulated node.
#include "sim_clock.hpp"

#include <utility>

namespace kommander::sim {

namespace {

constexpr std::int64_t kMillion = 1'000'000;
// Some moment of 2023; only differences matter.
constexpr std::int64_t kWallEpochMs = 1'700'000'000'000;

Duration Scale(Duration duration, std::int64_t numerator, std::int64_t denominator) noexcept {
  __extension__ using Wide = __int128;
  return Duration(
      static_cast<Duration::rep>(static_cast<Wide>(duration.count()) * numerator / denominator));
}

}  // namespace

// Armed in the world's heap; when due, posts one call of the sink to the timer's executor.
class SimClock::SimTimer final : public Timer, private TimerEntry {
 public:
  SimTimer(SimClock& clock, boost::asio::any_io_executor executor, std::weak_ptr<Sink> sink)
      : TimerEntry(&WhenDue),
        clock_(clock),
        world_(clock.world_),
        executor_(std::move(executor)),
        sink_(std::move(sink)) {}
  ~SimTimer() override { world_.Disarm(*this); }
  void Arm(Instant when) override {
    if (when == kNever) {
      Disarm();
    } else {
      world_.Arm(*this, clock_.ToWorld(when));
    }
  }
  void Disarm() noexcept override { world_.Disarm(*this); }

 private:
  static void WhenDue(TimerEntry* entry) {
    auto* self = static_cast<SimTimer*>(entry);
    self->executor_.execute([sink = self->sink_] {
      if (auto locked = sink.lock()) locked->OnTimer();
    });
  }
  SimClock& clock_;  // the node keeps its clock for as long as it has timers
  World& world_;
  boost::asio::any_io_executor executor_;
  std::weak_ptr<Sink> sink_;
};

Instant SimClock::ToLocal(Instant world_time) const noexcept {
  if (rate_ppm_ == 0) return local_at_ + (world_time - world_at_);
  return local_at_ + Scale(world_time - world_at_, kMillion + rate_ppm_, kMillion);
}

Instant SimClock::ToWorld(Instant local_time) const noexcept {
  if (rate_ppm_ == 0) return world_at_ + (local_time - local_at_);
  // Rounded up: a timer that fires must find its instant reached.
  return world_at_ + Scale(local_time - local_at_, kMillion, kMillion + rate_ppm_) + Duration(2);
}

std::uint64_t SimClock::WallMilliseconds() const noexcept {
  const auto since =
      std::chrono::duration_cast<std::chrono::milliseconds>(world_.Now().time_since_epoch());
  return static_cast<std::uint64_t>(kWallEpochMs + since.count() + wall_offset_ms_);
}

void SimClock::SetRate(std::int64_t parts_per_million) noexcept {
  local_at_ = Now();
  world_at_ = world_.Now();
  rate_ppm_ = parts_per_million;
}

std::unique_ptr<Clock::Timer> SimClock::CreateTimer(boost::asio::any_io_executor executor,
                                                    std::weak_ptr<Sink> sink) {
  return std::make_unique<SimTimer>(*this, std::move(executor), std::move(sink));
}

}  // namespace kommander::sim
