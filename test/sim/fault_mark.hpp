// Where the thing that a fault has changed tells that the change was felt: by a message that was
// lost, a write that failed. Each fault of a plan has one of its own, so that none is counted for
// what another has done.
#pragma once

#include <cstdint>

namespace kommander::sim {

class FaultMark {
 public:
  // Nobody's: what is told to it is forgotten.
  FaultMark() = default;
  // `effects` outlives whatever carries the mark.
  explicit FaultMark(std::uint64_t& effects) noexcept : effects_(&effects) {}
  void Felt(std::uint64_t times = 1) const noexcept {
    if (effects_ != nullptr) *effects_ += times;
  }

 private:
  std::uint64_t* effects_ = nullptr;
};

}  // namespace kommander::sim
