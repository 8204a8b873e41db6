#include <numeric>

#include <kommander/statistics.hpp>

namespace kommander {

std::uint64_t LatencyHistogram::Count() const noexcept {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

Duration LatencyHistogram::Quantile(double quantile) const noexcept {
  const std::uint64_t all = Count();
  if (all == 0) return Duration::zero();
  const double wanted = quantile * static_cast<double>(all);
  std::uint64_t passed = 0;
  for (std::size_t i = 0; i + 1 < kClasses; ++i) {
    passed += counts[i];
    if (passed != 0 && static_cast<double>(passed) >= wanted) return Bound(i);
  }
  return Bound(kClasses - 2);
}

}  // namespace kommander
