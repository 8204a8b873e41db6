// Where a partition's log may be cut, and everything that holds its entries back. Of one partition
// actor's strand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>

#include <kommander/ids.hpp>
#include <kommander/payload.hpp>
#include <kommander/state_machine.hpp>

namespace kommander::runtime {

// All that the library knows of a partition right after `index`, which the application has.
struct CutPoint {
  LogIndex index;
  Term term;
  std::uint64_t digest = 0;
  Payload ledger;
  Payload system;  // of the system partition
  // Of a mark that was asked for: the application's state there; null: none.
  std::shared_ptr<SnapshotImage> image;
  bool is_asked = false;

  [[nodiscard]] std::size_t Bytes() const noexcept { return ledger.size() + system.size(); }
};

class Retention {
 public:
  // Kept points; beyond either half of them go.
  static constexpr std::size_t kPointsMax = 1024;
  static constexpr std::size_t kPointBytesMax = 8u << 20;

  // Ascending by index; an older one is dropped.
  void Add(CutPoint point);
  // The application keeps by itself what lies at or below; never falls.
  void RaiseFloor(LogIndex floor) noexcept;
  [[nodiscard]] LogIndex floor() const noexcept { return floor_; }
  // Entries from `first` on stay; 0: no such wish. The last one counts.
  void KeepFrom(LogIndex first) noexcept { keep_from_ = first; }
  // Entries from `first` on stay until the hold is released; all holds count.
  std::uint64_t Hold(LogIndex first);
  void Release(std::uint64_t hold) { holds_.erase(hold); }

  // Whether Take could find anything at all.
  [[nodiscard]] bool MayCut() const noexcept {
    return !points_.empty() && points_.front().index <= floor_;
  }
  // The newest point that may be cut at, at or below `limit` and above `boundary`, and no more than
  // `entries_max` above it unless the first one already is. Points up to it are forgotten.
  [[nodiscard]] std::optional<CutPoint> Take(LogIndex boundary, LogIndex limit,
                                             std::uint64_t entries_max);
  // The log begins anew after a snapshot's index: nothing older is a place to cut at.
  void Reset(LogIndex boundary);

 private:
  void Thin();

  std::deque<CutPoint> points_;
  std::size_t point_bytes_ = 0;
  std::uint64_t gap_ = 0;  // between two points, at least, but for the newest one
  LogIndex floor_;
  LogIndex keep_from_;
  std::map<std::uint64_t, LogIndex> holds_;
  std::uint64_t next_hold_ = 1;
};

}  // namespace kommander::runtime
