// The only place that asks the operating system for random bits.
#include "platform/entropy.hpp"

#include <limits>
#include <random>

namespace kommander::platform {

std::uint64_t DrawEntropyBits() {
  static_assert(std::numeric_limits<std::random_device::result_type>::digits == 32);
  std::random_device device;
  const std::uint64_t high = device();
  return high << 32 | device();
}

}  // namespace kommander::platform
