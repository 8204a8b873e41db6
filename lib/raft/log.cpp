// Terms as runs and entries as a ring: appends and look-ups at the end are constant work, whatever
// the length of the log.
#include "raft/log.hpp"

#include <algorithm>

#include <kommander/assert.hpp>

namespace kommander::raft {

Log::Log(Position boundary, LogIndex last, std::vector<TermRun> runs)
    : boundary_(boundary), last_(last), runs_(std::move(runs)), cache_first_(last.Next()) {
  KOMMANDER_ASSERT(last_ >= boundary_.index, "a log ends at or after its boundary");
  KOMMANDER_ASSERT(runs_.empty() == (last_ == boundary_.index), "term runs cover the log");
  KOMMANDER_ASSERT(runs_.empty() || runs_.front().first == first(), "term runs cover the log");
  for (std::size_t i = 1; i < runs_.size(); ++i) {
    KOMMANDER_ASSERT(runs_[i - 1].first < runs_[i].first && runs_[i - 1].term < runs_[i].term,
                     "term runs ascend");
  }
  KOMMANDER_ASSERT(runs_.empty() || runs_.back().first <= last_, "term runs end inside the log");
}

std::size_t Log::RunOf(LogIndex index) const noexcept {
  // Nearly every question is about the newest term.
  if (runs_.back().first <= index) return runs_.size() - 1;
  const auto after = std::upper_bound(
      runs_.begin(), runs_.end(), index,
      [](LogIndex wanted, const TermRun& run) noexcept { return wanted < run.first; });
  return static_cast<std::size_t>(after - runs_.begin()) - 1;
}

Term Log::TermAt(LogIndex index) const noexcept {
  if (index == boundary_.index) return boundary_.term;
  if (index < boundary_.index || index > last_) return Term();
  return runs_[RunOf(index)].term;
}

bool Log::Matches(Position position) const noexcept {
  return position.index >= boundary_.index && position.index <= last_ &&
         TermAt(position.index) == position.term;
}

bool Log::IsCoveredBy(Position other) const noexcept {
  if (other.term != last_term()) return other.term > last_term();
  return other.index >= last_;
}

Log::Position Log::AgreementLimit(Position at) const noexcept {
  if (at.index <= boundary_.index || runs_.empty()) return boundary_;
  const LogIndex index = std::min(at.index, last_);
  std::size_t run = RunOf(index);
  if (runs_[run].term <= at.term) return {index, runs_[run].term};
  while (run > 0) {
    const LogIndex end = runs_[run].first.Previous();
    --run;
    if (runs_[run].term <= at.term) return {end, runs_[run].term};
  }
  return boundary_;
}

void Log::Append(Entry entry) {
  KOMMANDER_ASSERT(entry.index == last_.Next(), "a log has no gaps");
  KOMMANDER_ASSERT(entry.term >= last_term(), "terms never fall along a log");
  if (runs_.empty() || runs_.back().term != entry.term) {
    runs_.push_back({entry.index, entry.term});
  }
  last_ = entry.index;
  cache_bytes_ += entry.SizeBytes();
  cache_.push_back(std::move(entry));
  cache_peak_ = std::max(cache_peak_, cache_.size());
}

void Log::TruncateFrom(LogIndex from) {
  KOMMANDER_ASSERT(from > boundary_.index && from <= last_.Next(), "truncation inside the log");
  while (!cache_.empty() && last_ >= from) {
    cache_bytes_ -= cache_.back().SizeBytes();
    cache_.pop_back();
    last_ = last_.Previous();
  }
  last_ = std::min(last_, from.Previous());
  if (cache_.empty()) cache_first_ = last_.Next();
  while (!runs_.empty() && runs_.back().first >= from) runs_.pop_back();
}

void Log::CompactTo(LogIndex index) {
  KOMMANDER_ASSERT(index >= boundary_.index && index <= last_, "compaction inside the log");
  const Term term = TermAt(index);
  EvictTo(index);
  const LogIndex first_kept = index.Next();
  const auto kept = std::find_if(runs_.begin(), runs_.end(),
                                 [&](const TermRun& run) { return run.first > first_kept; });
  if (kept != runs_.begin()) {
    runs_.erase(runs_.begin(), kept - 1);
    runs_.front().first = first_kept;
    if (index == last_) runs_.clear();
  }
  boundary_ = {index, term};
  if (runs_.capacity() > 16 && runs_.size() * 4 < runs_.capacity()) runs_.shrink_to_fit();
}

void Log::Reset(Position boundary) {
  boundary_ = boundary;
  last_ = boundary.index;
  runs_.clear();
  cache_.clear();
  cache_bytes_ = 0;
  cache_first_ = last_.Next();
}

void Log::EvictTo(LogIndex index) {
  while (!cache_.empty() && cache_first_ <= index) {
    cache_bytes_ -= cache_.front().SizeBytes();
    cache_.pop_front();
    cache_first_ = cache_first_.Next();
  }
  if (cache_.empty()) cache_first_ = last_.Next();
}

void Log::ShrinkIdle() {
  if (cache_.capacity() > 16 && cache_peak_ * 4 <= cache_.capacity()) cache_.Shrink(cache_peak_);
  cache_peak_ = cache_.size();
}

}  // namespace kommander::raft
