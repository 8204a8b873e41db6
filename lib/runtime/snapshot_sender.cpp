#include "runtime/snapshot_sender.hpp"

#include <algorithm>

#include "mutants/mutants.hpp"

namespace kommander::runtime {

SnapshotSender::SnapshotSender(NodeId peer, const SnapshotInfo& info, SnapshotSenderOptions options,
                               Instant now)
    : peer_(peer), info_(info), options_(options), repeat_at_(now), advanced_(now) {}

void SnapshotSender::OnReply(const SnapshotReply& reply, Instant now) {
  if (end_ || reply.index != info_.index || reply.received > info_.bytes) return;
  if (reply.state != SnapshotReply::State::kWanted) {
    end_ = reply.state == SnapshotReply::State::kInstalled;
    return;
  }
  if (answered_ && reply.received < acknowledged_) return;  // late
  if (reply.received > acknowledged_) advanced_ = now;
  if (!began_at_) began_at_ = reply.received;
  // The first answer to an offer may also go back: the follower has begun anew.
  sent_ = answered_ ? std::max(sent_, reply.received) : reply.received;
  acknowledged_ = reply.received;
  answered_ = true;
  offers_ = 0;
  repeat_at_ = now + options_.repeat_after;
}

// While the limit keeps bytes back the follower cannot get further.
Instant SnapshotSender::LateAt() const noexcept {
  return std::max(advanced_, paced_until_) + options_.step_timeout;
}

SnapshotSender::Step SnapshotSender::Proceed(Instant now) {
  Step step;
  const bool is_late = now >= LateAt();
  if (is_late && !KOMMANDER_MUTANT(snapshot_step_without_end)) end_ = end_.value_or(false);
  if (now >= repeat_at_ && offers_ == options_.offers_max) end_ = false;
  if (end_) return step;
  if (now >= repeat_at_) {
    ++offers_;
    step.offer = true;
    answered_ = false;
    repeat_at_ = now + options_.repeat_after;
  }
  const std::uint64_t window = std::uint64_t{options_.chunk_bytes} * options_.chunks_ahead;
  while (answered_ && sent_ < info_.bytes && sent_ - acknowledged_ < window &&
         now >= paced_until_) {
    const auto bytes = static_cast<std::size_t>(
        std::min<std::uint64_t>(options_.chunk_bytes, info_.bytes - sent_));
    step.ranges.push_back({sent_, bytes});
    sent_ += bytes;
    if (options_.bytes_per_second == 0) continue;
    const double seconds =
        static_cast<double>(bytes) / static_cast<double>(options_.bytes_per_second);
    paced_until_ = std::max(paced_until_, now) +
                   std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  }
  return step;
}

Instant SnapshotSender::Due() const noexcept {
  if (end_) return kNever;
  Instant due = std::min(repeat_at_, LateAt());
  const std::uint64_t window = std::uint64_t{options_.chunk_bytes} * options_.chunks_ahead;
  const bool is_paced = answered_ && sent_ < info_.bytes && sent_ - acknowledged_ < window;
  if (is_paced) due = std::min(due, paced_until_);
  return due;
}

}  // namespace kommander::runtime
