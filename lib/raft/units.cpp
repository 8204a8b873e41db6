// The bookkeeping of durability (thesis 10.2.1: the leader's own disk is one more follower).
#include "raft/units.hpp"

#include <algorithm>

#include <kommander/assert.hpp>

#include "mutants/mutants.hpp"

namespace kommander::raft {

std::optional<Instant> Units::OldestIssue() const noexcept {
  if (unanswered_.empty()) return std::nullopt;
  return unanswered_.front().issued_at;
}

UnitId Units::Issue(LogIndex last, Instant now) {
  issued_ = issued_.Next();
  unanswered_.push_back({last, now});
  return issued_;
}

void Units::Truncate(LogIndex from) noexcept {
  const LogIndex limit = from.Previous();
  if (!KOMMANDER_MUTANT(durable_kept_on_truncation)) durable_ = std::min(durable_, limit);
  if (KOMMANDER_MUTANT(unanswered_unit_kept_on_truncation)) return;
  for (std::size_t i = 0; i < unanswered_.size(); ++i) {
    unanswered_[i].last = std::min(unanswered_[i].last, limit);
  }
}

bool Units::Answer(UnitId unit) noexcept {
  KOMMANDER_ASSERT(unit <= issued_, "only issued units are answered");
  if (unit <= answered_) return false;
  while (answered_ < unit) {
    durable_ = std::max(durable_, unanswered_.front().last);
    unanswered_.pop_front();
    answered_ = answered_.Next();
    if (KOMMANDER_MUTANT(answer_covers_one_unit)) break;
  }
  return true;
}

}  // namespace kommander::raft
