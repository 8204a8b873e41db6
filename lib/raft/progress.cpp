// One peer's progress. `next > match` always; `match` never falls, whatever arrives twice or late.
#include "raft/progress.hpp"

#include <algorithm>

#include "mutants/mutants.hpp"

namespace kommander::raft {

bool Progress::MaySend(const Window& window) const noexcept {
  switch (state_) {
    case State::kProbe: return !probing_;
    case State::kReplicate:
      if (KOMMANDER_MUTANT(window_ignored)) return true;
      return inflight_.size() < window.messages_max && inflight_bytes_ < window.bytes_max;
    case State::kSnapshot: return false;
  }
  return false;
}

void Progress::Sent(LogIndex last, std::size_t bytes, Moment now) {
  if (state_ == State::kProbe) {
    probing_ = true;
    probe_ = {last, bytes};
    moved_ = now;
    return;
  }
  if (last < next_) return;
  if (inflight_.empty()) moved_ = now;
  inflight_.push_back({last, bytes});
  inflight_bytes_ += bytes;
  next_ = last.Next();
}

void Progress::FreeInflight(LogIndex matched) noexcept {
  while (!inflight_.empty() && inflight_.front().last <= matched) {
    inflight_bytes_ -= inflight_.front().bytes;
    inflight_.pop_front();
  }
}

void Progress::BecomeProbe(LogIndex next, Moment now) {
  state_ = State::kProbe;
  probing_ = false;
  next_ = std::max(next, match_.Next());
  inflight_.clear();
  inflight_.Shrink(0);
  inflight_bytes_ = 0;
  moved_ = now;
}

bool Progress::Accepted(LogIndex matched, Moment now) {
  const bool grown = KOMMANDER_MUTANT(match_falls) || matched > match_;
  if (grown) {
    match_ = matched;
    moved_ = now;
  }
  switch (state_) {
    case State::kProbe:
      // An answer to something older than the probe says nothing about the probe.
      if (!grown && matched < next_.Previous()) break;
      state_ = State::kReplicate;
      moved_ = now;
      if (probing_ && matched >= next_.Previous() && probe_.last > match_) {
        // What came with the probe is accepted too, only not synced yet.
        inflight_.push_back(probe_);
        inflight_bytes_ = probe_.bytes;
        next_ = probe_.last.Next();
      } else {
        next_ = match_.Next();
      }
      probing_ = false;
      break;
    case State::kReplicate:
      FreeInflight(matched);
      next_ = std::max(next_, match_.Next());
      break;
    case State::kSnapshot:
      // The core looks whether the log reaches the peer again.
      next_ = std::max(next_, match_.Next());
      break;
  }
  return grown;
}

bool Progress::Rejected(LogIndex rejected, LogIndex guess, Moment now) {
  if (rejected <= match_) return false;
  switch (state_) {
    case State::kProbe:
      if (!KOMMANDER_MUTANT(old_reject_moves_next) && rejected != next_.Previous()) return false;
      BecomeProbe(KOMMANDER_MUTANT(reject_moves_nothing) ? next_ : std::min(rejected, guess.Next()),
                  now);
      return true;
    case State::kReplicate:
      if (rejected >= next_) return false;
      BecomeProbe(match_.Next(), now);
      return true;
    case State::kSnapshot: return false;
  }
  return false;
}

bool Progress::HeartbeatAnswered(std::uint64_t round, Duration patience, Moment now) {
  // Two rounds begun after the last progress: the answer to the first could have crossed with the
  // message, the answer to the second cannot.
  if (round < moved_.round + 2 || now.time - moved_.time < patience) return false;
  switch (state_) {
    case State::kProbe:
      if (!probing_) return false;
      probing_ = false;
      return true;
    case State::kReplicate:
      if (inflight_.empty()) return false;
      BecomeProbe(match_.Next(), now);
      return true;
    case State::kSnapshot: return false;
  }
  return false;
}

void Progress::Silent(Moment now) {
  if (state_ == State::kReplicate) BecomeProbe(match_.Next(), now);
}

void Progress::NeedsSnapshot(Moment now) {
  BecomeProbe(next_, now);
  state_ = State::kSnapshot;
}

void Progress::SnapshotArrived(LogIndex index, Moment now) {
  if (state_ == State::kSnapshot) BecomeProbe(index.Next(), now);
}

void Progress::SnapshotFailed(Moment now) {
  if (state_ != State::kSnapshot) return;
  BecomeProbe(match_.Next(), now);
  probing_ = true;
}

}  // namespace kommander::raft
