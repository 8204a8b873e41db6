#include "runtime/snapshot_receiver.hpp"

#include <utility>

namespace kommander::runtime {

void SnapshotReceiver::Answered(SnapshotReply::State state) {
  answer_ = Answer{from_, SnapshotReply(info_->index, kept_, state)};
}

void SnapshotReceiver::Reset() noexcept {
  stage_ = Stage::kIdle;
  info_.reset();
  queue_.clear();
  queued_to_ = kept_ = 0;
  idle_at_ = kNever;
}

void SnapshotReceiver::OnOffer(NodeId leader, const SnapshotInfo& info, LogIndex applied,
                               Instant now) {
  from_ = leader;
  if (info.index <= applied) {
    answer_ = Answer{leader, SnapshotReply(info.index, 0, SnapshotReply::State::kInstalled)};
    return;
  }
  idle_at_ = now + idle_timeout_;
  if (info_ == info) return Answered(SnapshotReply::State::kWanted);
  // Another one. What the store does for the old one must end first; the offer comes again.
  if (working_ || stage_ == Stage::kPublished) return Refuse(leader, info.index);
  Reset();
  info_ = info;
  idle_at_ = now + idle_timeout_;
  stage_ = Stage::kBegin;
}

void SnapshotReceiver::OnChunk(NodeId leader, SnapshotChunk chunk, Instant now) {
  if (leader != from_ || !info_ || chunk.index != info_->index) return;
  if (stage_ != Stage::kReceiving && stage_ != Stage::kBegin) return;
  idle_at_ = now + idle_timeout_;
  const bool follows = chunk.offset == queued_to_ && !chunk.bytes.empty() &&
                       chunk.bytes.size() <= info_->bytes - queued_to_;
  const bool has_room = queued_to_ - kept_ + chunk.bytes.size() <= kQueuedBytesMax;
  if (!follows || !has_room) return Answered(SnapshotReply::State::kWanted);
  queued_to_ += chunk.bytes.size();
  queue_.push_back(std::move(chunk.bytes));
}

SnapshotReceiver::Work SnapshotReceiver::TakeWork() {
  Work work;
  if (working_) return work;
  const bool discards = std::exchange(discards_, false);  // a new one begins by that anyway
  if (stage_ == Stage::kBegin) {
    work.kind = Work::Kind::kBegin;
  } else if (stage_ == Stage::kReceiving && !queue_.empty()) {
    work.kind = Work::Kind::kAppend;
    work.bytes = queue_.front();
  } else if (stage_ == Stage::kReceiving && kept_ == info_->bytes) {
    stage_ = Stage::kPublish;
    work.kind = Work::Kind::kPublish;
  } else if (discards) {
    work.kind = Work::Kind::kDiscard;
  }
  working_ = work.kind != Work::Kind::kNone;
  return work;
}

void SnapshotReceiver::OnWorkDone(error_code error, Instant now) {
  working_ = false;
  if (!info_) return;
  if (error) {
    Answered(SnapshotReply::State::kRefused);
    return Reset();
  }
  idle_at_ = now + idle_timeout_;
  switch (stage_) {
    case Stage::kBegin: stage_ = Stage::kReceiving; break;
    case Stage::kReceiving:
      kept_ += queue_.front().size();
      queue_.pop_front();
      break;
    case Stage::kPublish: stage_ = Stage::kPublished; return;
    case Stage::kIdle:
    case Stage::kPublished: return;
  }
  Answered(SnapshotReply::State::kWanted);
}

void SnapshotReceiver::OnInstalled(bool success) {
  if (stage_ != Stage::kPublished) return;
  Answered(success ? SnapshotReply::State::kInstalled : SnapshotReply::State::kRefused);
  Reset();
}

void SnapshotReceiver::Refuse(NodeId leader, LogIndex index) {
  answer_ = Answer{leader, SnapshotReply(index, 0, SnapshotReply::State::kRefused)};
}

void SnapshotReceiver::OnTime(Instant now) {
  if (now < idle_at_ || working_ || stage_ == Stage::kPublished) return;
  discards_ = stage_ == Stage::kReceiving;
  Reset();
}

std::optional<SnapshotReceiver::Answer> SnapshotReceiver::TakeAnswer() {
  return std::exchange(answer_, std::nullopt);
}

Instant SnapshotReceiver::Due() const noexcept {
  return working_ || stage_ == Stage::kPublished ? kNever : idle_at_;
}

}  // namespace kommander::runtime
