// Where the log begins and what of it leaves this core: boundary and snapshot install, hand-off to
// the applier, entries read back from disk, and the bounded cache.
#include <algorithm>
#include <utility>

#include <kommander/assert.hpp>

#include "raft/core_impl.hpp"

namespace kommander::raft {

// Not what was on its way when a snapshot took its place, whose import is still to come.
void Core::Impl::On(KeepApplication& input) {
  if (input.record.floor < application_floor_) return;
  application_floor_ = input.record.floor;
  application_ = input.record;
}

void Core::Impl::On(MarkLedger&) { mark_wanted_ = true; }

std::size_t Core::Impl::Mark(bool is_asked) {
  Payload ledger = ledger_.Serialize();
  const std::size_t bytes = ledger.size();
  effects_->marks.push_back({handed_off_, log_.TermAt(handed_off_), std::move(ledger), is_asked});
  return bytes;
}

void Core::Impl::On(Compact& input) {
  const LogIndex index = input.boundary.index;
  if (stopped_ || failed_ || index <= log_.boundary().index) return;
  KOMMANDER_ASSERT(index <= applied_, "only what is applied is removed");
  BoundaryRecord boundary = std::move(input.boundary);
  boundary.term = log_.TermAt(index);
  boundary.configuration = members_.At(index);
  log_.CompactTo(index);
  members_.CompactTo(index);
  new_boundary_ = std::move(boundary);
}

void Core::Impl::On(SnapshotStaged& input) {
  if (stopped_ || failed_) return;
  const BoundaryRecord& boundary = input.boundary;
  // From elsewhere, like a message: what no leader has is ignored.
  const bool credible = boundary.term <= input.term && input.term <= kTermMax &&
                        boundary.index <= kIndexMax && !boundary.configuration.voters.empty();
  if (!credible) return;
  if (input.term > term_) AdoptTerm(input.term);
  if (AsLeader() != nullptr) return;
  if (input.term == term_) FollowLeader(input.from);
  const bool held = KOMMANDER_MUTANT(snapshot_keeps_conflict)
                        ? boundary.index <= log_.last()
                        : log_.Matches({boundary.index, boundary.term});
  if (held) {
    committed_ = std::max(committed_, boundary.index);
  } else if (KOMMANDER_MUTANT(old_snapshot_installed) ||
             boundary.index > std::max(committed_, matched_)) {
    InstallSnapshot(input);
  }
  // Whatever is committed equals the leader's log.
  matched_ = std::max(matched_, committed_);
  ack_owed_ = true;
}

// The snapshot replaces log and state. Until its unit is answered the old log is still on disk, and
// of that only what is committed counts.
void Core::Impl::InstallSnapshot(SnapshotStaged& input) {
  BoundaryRecord& boundary = input.boundary;
  if (!ledger_.Restore(boundary.ledger.bytes())) return;
  stamp_ = std::max(stamp_, ledger_.greatest_stamp());
  units_.Truncate(committed_.Next());
  log_.Reset({boundary.index, boundary.term});
  if (!KOMMANDER_MUTANT(snapshot_keeps_configurations)) {
    members_.Reset(boundary.index, boundary.configuration);
  }
  committed_ = handed_off_ = boundary.index;
  applied_ = start_floor_ = boundary.index;
  written_to_ = boundary.index;
  truncate_from_.reset();
  drop_log_ = true;
  handing_.clear();
  handing_bytes_ = 0;
  taken_.clear();
  waiters_.TakeUpTo(boundary.index, taken_);
  judged_.TakeUpTo(boundary.index, taken_);
  for (const Waiter& waiter : taken_) CompleteWrite(waiter, RaftErrc::OutcomeUnknown);
  std::erase_if(changes_, [&](const PendingChange& change) {
    if (change.index > boundary.index) return false;
    Complete(change.request, RaftErrc::OutcomeUnknown);
    return true;
  });
  // In the same unit: a crash before the import is done imports again.
  application_ = ApplicationRecord(boundary.index, boundary.index);
  application_floor_ = boundary.index;
  new_boundary_ = std::move(boundary);
}

void Core::Impl::On(SnapshotSent& input) {
  Leader* leader = AsLeader();
  Peer* peer = leader != nullptr ? leader->Find(input.peer) : nullptr;
  if (peer == nullptr) return;
  if (input.success) {
    peer->progress.SnapshotArrived(input.index, Moment());
  } else {
    peer->progress.SnapshotFailed(Moment());
  }
}

void Core::Impl::On(Applied& input) {
  if (stopped_ || input.index <= applied_) return;
  KOMMANDER_ASSERT(input.index <= handed_off_, "only what was handed off is applied");
  applied_ = input.index;
  while (!handing_.empty() && handing_.front().last <= applied_) {
    handing_bytes_ -= handing_.front().bytes;
    handing_.pop_front();
  }
}

// What comes back from disk is used in this step only; what the log no longer holds is dropped.
void Core::Impl::On(Fetched& input) {
  if (stopped_) return;
  std::erase_if(fetches_, [&](const PendingFetch& f) { return f.fetch == input.fetch; });
  std::size_t valid = 0;
  for (; valid < input.entries.size(); ++valid) {
    const Entry& entry = input.entries[valid];
    const LogIndex index = input.first + valid;
    if (entry.index != index || index <= log_.boundary().index ||
        log_.TermAt(index) != entry.term) {
      break;
    }
  }
  if (valid == 0) {
    fetch_retry_at_ = now_ + options_.heartbeat_interval;
    return;
  }
  input.entries.resize(valid);
  fetched_.push_back(std::move(input));
}

const Entry* Core::Impl::FindEntry(LogIndex index) const noexcept {
  if (const Entry* entry = log_.Find(index)) return entry;
  for (const Fetched& fetched : fetched_) {
    if (index < fetched.first || index > log_.last()) continue;
    const std::uint64_t offset = LogIndex::Distance(fetched.first, index);
    // Checked when it came; a later input of the same step may have changed the log since.
    if (offset >= fetched.entries.size()) continue;
    if (log_.TermAt(index) == fetched.entries[offset].term) return &fetched.entries[offset];
  }
  return nullptr;
}

// At most one read per range is under way, and `places` in all; who needs the same entries waits
// for the same answer, and who finds no place asks again in the step that takes one.
void Core::Impl::WantFetch(LogIndex first, LogIndex last, std::size_t bytes_max,
                           std::size_t places) {
  last = std::min(last, log_.cache_first().Previous());
  KOMMANDER_ASSERT(first <= last, "entries that are not in memory are on disk");
  for (const PendingFetch& fetch : fetches_) {
    if (fetch.first <= first && first <= fetch.last) return;
  }
  if (fetches_.size() >= places) return;
  if (now_ < fetch_retry_at_) {
    fetch_wanted_ = true;
    return;
  }
  fetches_.push_back({++fetch_number_, first, last});
  effects_->fetches.push_back({fetch_number_, first, last, bytes_max});
}

void Core::Impl::HandOff() {
  const LogIndex safe = KOMMANDER_MUTANT(applied_before_sync) ? committed_ : SafeIndex();
  const std::size_t mark_bytes = options_.apply_bytes_max / 16;
  while (handed_off_ < safe) {
    const LogIndex next = handed_off_.Next();
    const Entry* entry = FindEntry(next);
    if (entry == nullptr) {
      const std::size_t room =
          options_.apply_bytes_max - std::min(options_.apply_bytes_max, handing_bytes_);
      if (room == 0) return;
      // The peers leave one place free, so that none of them can starve the application.
      return WantFetch(next, safe, std::min(room, options_.append_bytes_max),
                       options_.fetches_max + 1);
    }
    const std::size_t bytes = entry->SizeBytes();
    const bool fits_in = handing_bytes_ + bytes <= options_.apply_bytes_max;
    if (handing_bytes_ != 0 && !fits_in && !KOMMANDER_MUTANT(apply_bound_ignored)) return;
    std::size_t handed_bytes = bytes + Judge(*entry);
    handed_off_ = next;
    since_mark_bytes_ += handed_bytes;
    // A large ledger is not copied for less than has come since.
    const bool is_worth_it = since_mark_bytes_ >= last_mark_bytes_;
    if (next.value() % options_.mark_entries == 0 && is_worth_it) {
      last_mark_bytes_ = Mark(false);
      handed_bytes += last_mark_bytes_;
      since_mark_bytes_ = 0;
    }
    handing_bytes_ += handed_bytes;
    const bool fits = !handing_.empty() && handing_.back().bytes + handed_bytes <= mark_bytes;
    if (fits && effects_->apply.size() > 1) {
      handing_.back().last = next;
      handing_.back().bytes += handed_bytes;
    } else {
      handing_.push_back({next, handed_bytes});
    }
  }
}

// Whatever lies at or below the start floor was delivered in an earlier life: it builds the ledger.
// Answers what is handed off beside the entry itself, in bytes.
std::size_t Core::Impl::Judge(const Entry& entry) {
  Judgement judgement = ledger_.Step(entry);
  ApplyItem& item = effects_->apply.emplace_back();
  item.entry = entry;
  item.verdict = judgement.verdict;
  item.prepared = judgement.prepared;
  const bool is_held = entry.index <= start_floor_ && item.verdict == Verdict::kDeliver;
  if (is_held && !KOMMANDER_MUTANT(held_entry_delivered)) item.verdict = Verdict::kHeld;
  Leader* leader = AsLeader();
  if (leader != nullptr && IsPrepared(entry.kind)) {
    if (entry.term == term_) {
      --leader->prepared_count;
      leader->prepared_bytes -= entry.SizeBytes();
    }
    if (ledger_.IsOpen(entry.ticket)) WatchTicket(*leader, entry.ticket);
  }
  if (judged_.size() != 0 && IsJudged(entry.kind)) {
    judgements_.emplace_back(entry.index, std::move(judgement));
  }
  return item.prepared ? item.prepared->SizeBytes() : 0;
}

// Keeps what somebody alive may still need from memory, and no more than the bound of it.
void Core::Impl::TrimCache() {
  LogIndex needed_by_none = std::min(handed_off_, units_.durable());
  if (const Leader* leader = AsLeader()) {
    for (const Peer& peer : leader->peers) {
      if (now_ - peer.heard >= options_.election_timeout) continue;
      needed_by_none = std::min(needed_by_none, peer.progress.match());
    }
  }
  log_.EvictTo(needed_by_none);
  while (log_.cache_bytes() > options_.cache_bytes_max && log_.cache_first() <= units_.durable()) {
    log_.EvictTo(log_.cache_first());
  }
}

}  // namespace kommander::raft
