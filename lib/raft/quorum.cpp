// Majorities as plain arithmetic.
#include "raft/quorum.hpp"

#include <algorithm>

namespace kommander::raft {

std::uint64_t MajorityValue(std::span<std::uint64_t> values) noexcept {
  if (values.empty()) return 0;
  // With n values, the majority is n/2 + 1: that many are at or above position n - (n/2 + 1).
  const std::size_t extra = KOMMANDER_MUTANT(half_commits) ? values.size() % 2 : 1;
  const std::size_t position = values.size() - (values.size() / 2 + extra);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(position),
                   values.end());
  return values[position];
}

VoteResult MajorityVote(std::size_t voters, std::size_t granted, std::size_t refused) noexcept {
  const std::size_t needed = voters / 2 + (KOMMANDER_MUTANT(half_elects) ? voters % 2 : 1);
  if (granted >= needed) return VoteResult::kWon;
  if (refused + needed > voters) return VoteResult::kLost;
  return VoteResult::kPending;
}

VoteResult Both(VoteResult first, VoteResult second) noexcept {
  if (first == VoteResult::kLost || second == VoteResult::kLost) return VoteResult::kLost;
  if (first == VoteResult::kWon && second == VoteResult::kWon) return VoteResult::kWon;
  return VoteResult::kPending;
}

}  // namespace kommander::raft
