// Signs of life of worker processes: a number each, in memory that they share with the one that
// watches them.
#pragma once

#include <atomic>
#include <cstdint>

namespace kommander::sim {

class Pulses {
 public:
  // Made before the workers are forked.
  explicit Pulses(std::uint32_t workers);
  ~Pulses();
  Pulses(const Pulses&) = delete;
  Pulses& operator=(const Pulses&) = delete;
  [[nodiscard]] std::atomic<std::uint64_t>& Of(std::uint32_t worker) noexcept {
    return pulses_[worker];
  }

 private:
  const std::uint32_t workers_;
  std::atomic<std::uint64_t>* pulses_;
};

}  // namespace kommander::sim
