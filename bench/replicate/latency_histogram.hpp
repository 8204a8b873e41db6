// Latencies of every commit, exact to one microsecond, in a fixed amount of memory as long as they
// stay below a tenth of a second.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <ostream>
#include <vector>

namespace kommander::bench {

class LatencyHistogram {
 public:
  void Record(std::chrono::nanoseconds latency) {
    const auto us = static_cast<std::uint64_t>(latency.count()) / 1000;
    ++total_;
    if (us < kFineUs) {
      ++fine_[us];
    } else {
      slow_us_.push_back(us);
    }
  }

  void Merge(const LatencyHistogram& other) {
    for (std::size_t us = 0; us < kFineUs; ++us) fine_[us] += other.fine_[us];
    slow_us_.insert(slow_us_.end(), other.slow_us_.begin(), other.slow_us_.end());
    total_ += other.total_;
  }

  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }

  // The latency that this share of all commits did not exceed; 0 without commits.
  [[nodiscard]] std::uint64_t QuantileUs(double share) {
    if (total_ == 0) return 0;
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_ - 1));
    std::uint64_t below = 0;
    for (std::size_t us = 0; us < kFineUs; ++us) {
      below += fine_[us];
      if (below > wanted) return us;
    }
    std::sort(slow_us_.begin(), slow_us_.end());
    return slow_us_[wanted - below];
  }

  // As text without a line end, for a pipe.
  void Write(std::ostream& out) const {
    std::size_t used = 0;
    for (const std::uint32_t count : fine_) used += count != 0 ? 1 : 0;
    out << used;
    for (std::size_t us = 0; us < kFineUs; ++us) {
      if (fine_[us] != 0) out << ' ' << us << ' ' << fine_[us];
    }
    out << ' ' << slow_us_.size();
    for (const std::uint64_t us : slow_us_) out << ' ' << us;
    out << ' ';
  }
  // The stream fails on text that Write did not write.
  void Read(std::istream& in) {
    *this = LatencyHistogram();
    std::size_t used = 0;
    for (in >> used; used > 0 && in; --used) {
      std::size_t us = 0;
      std::uint32_t count = 0;
      if (!(in >> us >> count)) return;
      if (us >= kFineUs) return in.setstate(std::ios::failbit);
      fine_[us] = count;
      total_ += count;
    }
    std::size_t slow = 0;
    for (in >> slow; slow > 0 && in; --slow) {
      std::uint64_t us = 0;
      if (in >> us) slow_us_.push_back(us);
    }
    total_ += slow_us_.size();
  }

 private:
  static constexpr std::size_t kFineUs = 100'000;
  std::vector<std::uint32_t> fine_ = std::vector<std::uint32_t>(kFineUs);
  std::vector<std::uint64_t> slow_us_;
  std::uint64_t total_ = 0;
};

}  // namespace kommander::bench
