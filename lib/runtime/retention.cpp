#include "runtime/retention.hpp"

#include <algorithm>
#include <utility>

#include "mutants/mutants.hpp"

namespace kommander::runtime {

// The newest one is always kept; one that it follows too closely gives way to it.
void Retention::Add(CutPoint point) {
  const std::size_t count = points_.size();
  if (count != 0 && point.index <= points_.back().index) return;
  const bool is_close =
      count >= 2 && LogIndex::Distance(points_[count - 2].index, points_.back().index) < gap_;
  if (is_close) {
    point_bytes_ -= points_.back().Bytes();
    points_.pop_back();
  }
  point_bytes_ += point.Bytes();
  points_.push_back(std::move(point));
  while (points_.size() > kPointsMax || (points_.size() > 2 && point_bytes_ > kPointBytesMax)) {
    Thin();
  }
}

// Half as many, evenly, for it is not known where the floor will come to lie.
void Retention::Thin() {
  gap_ = LogIndex::Distance(points_.front().index, points_.back().index) / (points_.size() / 2);
  std::deque<CutPoint> all = std::exchange(points_, {});
  point_bytes_ = 0;
  for (CutPoint& point : all) {
    const bool is_close =
        !points_.empty() && LogIndex::Distance(points_.back().index, point.index) < gap_;
    if (is_close && point.index != all.back().index) continue;
    point_bytes_ += point.Bytes();
    points_.push_back(std::move(point));
  }
}

void Retention::RaiseFloor(LogIndex floor) noexcept { floor_ = std::max(floor_, floor); }

std::uint64_t Retention::Hold(LogIndex first) {
  holds_.emplace(next_hold_, first);
  return next_hold_++;
}

std::optional<CutPoint> Retention::Take(LogIndex boundary, LogIndex limit,
                                        std::uint64_t entries_max) {
  if (!KOMMANDER_MUTANT(log_cut_above_floor)) limit = std::min(limit, floor_);
  if (keep_from_) limit = std::min(limit, keep_from_.Previous());
  if (!KOMMANDER_MUTANT(holds_ignored)) {
    for (const auto& [hold, first] : holds_) limit = std::min(limit, first.Previous());
  }
  std::optional<CutPoint> taken;
  while (!points_.empty() && points_.front().index <= limit) {
    const bool is_far = points_.front().index > boundary + entries_max;
    if (taken && is_far) break;
    point_bytes_ -= points_.front().Bytes();
    if (points_.front().index > boundary) taken = std::move(points_.front());
    points_.pop_front();
  }
  if (points_.size() < kPointsMax / 4) gap_ = 0;
  return taken;
}

void Retention::Reset(LogIndex boundary) {
  points_.clear();
  point_bytes_ = gap_ = 0;
  RaiseFloor(boundary);
}

}  // namespace kommander::runtime
