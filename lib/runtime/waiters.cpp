#include "runtime/waiters.hpp"

#include <algorithm>
#include <utility>

#include "mutants/mutants.hpp"

namespace kommander::runtime {
namespace {

constexpr unsigned kUsesShift = 32;

std::size_t SlotOf(raft::RequestId request) noexcept {
  return static_cast<std::size_t>(request.value() & 0xffffffffu) - 1;
}

template <class Result>
detail::TypedOperation<Result>& As(const Waiter& waiter) noexcept {
  return static_cast<detail::TypedOperation<Result>&>(*waiter.operation);
}

}  // namespace

raft::RequestId Waiters::Add(Waiter waiter) {
  if (free_.empty()) {
    slots_.emplace_back();
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
  }
  const std::uint32_t number = free_.back();
  free_.pop_back();
  Slot& slot = slots_[number - 1];
  ++slot.uses;
  ++used_;
  const raft::RequestId request((static_cast<std::uint64_t>(slot.uses) << kUsesShift) | number);
  waiter.operation->request = request.value();
  waiter.since = now_;
  slot.waiter.emplace(std::move(waiter));
  return request;
}

Waiter* Waiters::Find(raft::RequestId request) noexcept {
  const std::size_t position = SlotOf(request);
  if (position >= slots_.size()) return nullptr;
  Slot& slot = slots_[position];
  if (!slot.waiter || slot.uses != request.value() >> kUsesShift) return nullptr;
  return &*slot.waiter;
}

Waiter Waiters::Remove(raft::RequestId request) {
  Slot& slot = slots_[SlotOf(request)];
  Waiter waiter = std::move(*slot.waiter);
  slot.waiter.reset();
  free_.push_back(static_cast<std::uint32_t>(request.value() & 0xffffffffu));
  --used_;
  waiter.operation->request = 0;
  return waiter;
}

// Cancelled or expired ones stay in a queue until it is served, which may be never. Looked at when
// one comes: a queue has at most twice the places that those who wait need.
bool Waiters::HoldsTooManyAnswered(std::size_t queued) const noexcept {
  constexpr std::size_t kFewAnswered = 64;
  return queued > 2 * used_ + kFewAnswered;
}

void Waiters::NoteDeadline(const Waiter& waiter) noexcept {
  next_deadline_ = std::min(next_deadline_, waiter.deadline);
}

void Waiters::AwaitApply(raft::RequestId request, LogIndex index, NodeId leader) {
  Waiter* waiter = Find(request);
  if (waiter == nullptr) return;
  waiter->stage = Waiter::Stage::kApply;
  waiter->index = index;
  waiter->leader = leader;
  NoteDeadline(*waiter);
  if (HoldsTooManyAnswered(apply_queue_.size())) {
    std::erase_if(apply_queue_,
                  [this](const Queued& queued) { return Find(queued.request) == nullptr; });
    std::make_heap(apply_queue_.begin(), apply_queue_.end());
  }
  apply_queue_.push_back(Queued{index, request});
  std::push_heap(apply_queue_.begin(), apply_queue_.end());
}

void Waiters::AwaitForward(raft::RequestId request, NodeId leader) {
  Waiter* waiter = Find(request);
  if (waiter == nullptr) return;
  waiter->stage = Waiter::Stage::kForward;
  waiter->leader = leader;
  ++waiter->sendings;
  NoteDeadline(*waiter);
}

std::shared_ptr<detail::Operation> Waiters::Release(raft::RequestId request) {
  return Find(request) == nullptr ? nullptr : Remove(request).operation;
}

template <class Predicate>
std::vector<raft::RequestId> Waiters::Select(Predicate predicate) const {
  std::vector<raft::RequestId> requests;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (!slot.waiter || !predicate(*slot.waiter)) continue;
    requests.emplace_back((std::uint64_t{slot.uses} << kUsesShift) | (i + 1));
  }
  return requests;
}

std::vector<raft::RequestId> Waiters::ForwardedTo(NodeId peer) const {
  return Select([&](const Waiter& waiter) {
    return waiter.stage == Waiter::Stage::kForward && waiter.leader == peer;
  });
}

std::vector<raft::RequestId> Waiters::Resendable(Instant due) const {
  return Select([&](const Waiter& waiter) {
    return waiter.stage == Waiter::Stage::kForward && waiter.resend != nullptr &&
           waiter.resend_at <= due;
  });
}

Instant Waiters::EarliestResend() const noexcept {
  Instant earliest = kNever;
  for (const Slot& slot : slots_) {
    const bool waits = slot.waiter && slot.waiter->stage == Waiter::Stage::kForward;
    if (waits && slot.waiter->resend != nullptr) {
      earliest = std::min(earliest, slot.waiter->resend_at);
    }
  }
  return earliest;
}

void Waiters::AwaitLeader(raft::RequestId request) {
  Waiter* waiter = Find(request);
  if (waiter == nullptr) return;
  waiter->stage = Waiter::Stage::kLeader;
  NoteDeadline(*waiter);
  if (HoldsTooManyAnswered(leader_queue_.size())) DropAnsweredLeaderWaits();
  leader_queue_.push_back(request);
}

namespace {

ReplicateResult PlaceOf(const Waiter& waiter, NodeId leader) {
  ReplicateResult result;
  result.ticket = waiter.ticket;
  result.index = waiter.index;
  result.term = waiter.term;
  result.count = waiter.count;
  result.leader = leader;
  return result;
}

ReplicateResult Nowhere(NodeId leader) {
  ReplicateResult result;
  result.leader = leader;
  return result;
}

ReplicateEntriesResult PlacesOf(const Waiter& waiter, const error_code& error, NodeId leader) {
  ReplicateEntriesResult result;
  result.leader = leader;
  result.committed = result.prepared = Nowhere(leader);
  if (!error) (waiter.is_prepared ? result.prepared : result.committed) = PlaceOf(waiter, leader);
  const bool has_first = !error || error == RaftErrc::PartlyCommitted;
  if (has_first && waiter.first_count != 0) {
    result.committed = PlaceOf(waiter, leader);
    result.committed.ticket = waiter.first_ticket;
    result.committed.index = waiter.index.Previous();
    result.committed.count = waiter.first_count;
  }
  return result;
}

}  // namespace

namespace {

// By a bound, rather than for what it is.
bool IsPushedBack(const error_code& error) noexcept {
  return error == RaftErrc::ProposalQueueFull || error == RaftErrc::DiskFull ||
         error == RaftErrc::TooManyOpenTickets || error == RaftErrc::TooManySessions ||
         error == RaftErrc::TooManySettings;
}

}  // namespace

void Waiters::CountWrite(const Waiter& waiter, const error_code& error) noexcept {
  if (!error) {
    meters_.writes_committed.Add();
    meters_.commit_latency.Add(now_ - waiter.since);
  } else if (IsOutcomeUnknown(error)) {
    meters_.writes_unknown.Add();
  } else if (IsPushedBack(error)) {
    meters_.writes_pushed_back.Add();
  } else {
    meters_.writes_refused.Add();
  }
}

void Waiters::FinishWrite(raft::RequestId request, error_code error, NodeId leader) {
  if (Find(request) == nullptr) return;
  Waiter waiter = Remove(request);
  // The last answer speaks of the last sending alone.
  if (error && waiter.sendings > 1 && !IsOutcomeUnknown(error)) error = RaftErrc::OutcomeUnknown;
  CountWrite(waiter, error);
  waiter.operation->error = error;
  const auto set = [&]<class Result>(Result result) {
    As<Result>(waiter).result = std::move(result);
  };
  switch (waiter.kind) {
    case Waiter::Kind::kWrite: set(error ? Nowhere(leader) : PlaceOf(waiter, leader)); break;
    case Waiter::Kind::kEntries: set(PlacesOf(waiter, error, leader)); break;
    case Waiter::Kind::kOpenSession:
      set(error ? ClientSession() : ClientSession(partition_, SessionId(waiter.index.value())));
      break;
    default: break;
  }
  completions_.Add(std::move(waiter.operation));
}

void Waiters::FinishRead(raft::RequestId request, error_code error, NodeId leader) {
  if (Find(request) == nullptr) return;
  Waiter waiter = Remove(request);
  (error ? meters_.reads_failed : meters_.reads_served).Add();
  auto& operation = As<ReadBarrierResult>(waiter);
  operation.error = error;
  operation.result.index = error ? LogIndex() : waiter.index;
  operation.result.leader = leader;
  completions_.Add(std::move(waiter.operation));
}

void Waiters::FinishPlain(raft::RequestId request, error_code error) {
  if (Find(request) == nullptr) return;
  Waiter waiter = Remove(request);
  As<detail::NoResult>(waiter).error = error;
  completions_.Add(std::move(waiter.operation));
}

void Waiters::FinishConfirm(raft::RequestId request, error_code error, bool leads) {
  if (Find(request) == nullptr) return;
  Waiter waiter = Remove(request);
  auto& operation = As<bool>(waiter);
  const bool is_answer = error == RaftErrc::NodeIsNotLeader || error == RaftErrc::ReadTimeout;
  if (!is_answer) operation.error = error;
  operation.result = !error && leads;
  completions_.Add(std::move(waiter.operation));
}

void Waiters::FinishLeader(raft::RequestId request, error_code error, NodeId leader, NodeId self) {
  if (Find(request) == nullptr) return;
  Waiter waiter = Remove(request);
  if (waiter.kind == Waiter::Kind::kAmILeader) {
    auto& operation = As<bool>(waiter);
    operation.error = error;
    operation.result = !error && leader == self;
  } else {
    auto& operation = As<NodeId>(waiter);
    operation.error = error;
    operation.result = leader;
  }
  completions_.Add(std::move(waiter.operation));
}

void Waiters::Fail(raft::RequestId request, error_code error, NodeId leader) {
  const Waiter* waiter = Find(request);
  if (waiter == nullptr) return;
  switch (waiter->kind) {
    case Waiter::Kind::kWrite:
    case Waiter::Kind::kEntries:
    case Waiter::Kind::kOpenSession:
    case Waiter::Kind::kCloseSession: return FinishWrite(request, error, leader);
    case Waiter::Kind::kRead: return FinishRead(request, error, leader);
    case Waiter::Kind::kConfirm: return FinishConfirm(request, error, false);
    case Waiter::Kind::kPlain: return FinishPlain(request, error);
    case Waiter::Kind::kLeader:
    case Waiter::Kind::kAmILeader: return FinishLeader(request, error, NodeId(), NodeId());
  }
}

void Waiters::AdvanceApplied(LogIndex applied, const std::vector<Refusal>& refused) {
  const auto judge = [&](LogIndex index) {
    const auto found = std::lower_bound(
        refused.begin(), refused.end(), index,
        [](const Refusal& refusal, LogIndex other) { return refusal.index < other; });
    const bool is_refused = found != refused.end() && found->index == index;
    return is_refused ? error_code(found->reason) : error_code();
  };
  while (!apply_queue_.empty() && apply_queue_.front().index <= applied) {
    const raft::RequestId request = apply_queue_.front().request;
    std::pop_heap(apply_queue_.begin(), apply_queue_.end());
    apply_queue_.pop_back();
    const Waiter* waiter = Find(request);
    if (waiter == nullptr) continue;
    if (waiter->IsWrite()) {
      const bool is_judged = waiter->is_judged && !KOMMANDER_MUTANT(refused_setting_succeeds);
      FinishWrite(request, is_judged ? judge(waiter->index) : error_code(), waiter->leader);
    } else {
      FinishRead(request, {}, waiter->leader);
    }
  }
}

void Waiters::FailJudged(LogIndex index) {
  const std::vector<raft::RequestId> unjudged = Select([&](const Waiter& waiter) {
    return waiter.is_judged && waiter.stage == Waiter::Stage::kApply && waiter.index <= index;
  });
  for (const raft::RequestId request : unjudged) {
    FinishWrite(request, RaftErrc::OutcomeUnknown, Find(request)->leader);
  }
}

void Waiters::FailReadsBeyond(LogIndex reachable, error_code error) {
  std::erase_if(apply_queue_, [&](const Queued& queued) {
    const Waiter* waiter = Find(queued.request);
    if (waiter == nullptr) return true;
    if (waiter->kind != Waiter::Kind::kRead || queued.index <= reachable) return false;
    FinishRead(queued.request, error, waiter->leader);
    return true;
  });
  std::make_heap(apply_queue_.begin(), apply_queue_.end());
}

void Waiters::AnnounceLeader(NodeId leader, NodeId self) {
  std::vector<raft::RequestId> waiting;
  waiting.swap(leader_queue_);
  for (const raft::RequestId request : waiting) {
    const Waiter* waiter = Find(request);
    if (waiter != nullptr && waiter->stable_for != Duration::zero()) {
      leader_queue_.push_back(request);
    } else {
      FinishLeader(request, {}, leader, self);
    }
  }
}

void Waiters::SettleStable(Instant now, NodeId leader, NodeId self, Instant since) {
  stable_at_ = kNever;
  if (leader_queue_.empty() || !leader) return;
  std::vector<raft::RequestId> waiting;
  waiting.swap(leader_queue_);
  for (const raft::RequestId request : waiting) {
    const Waiter* waiter = Find(request);
    if (waiter == nullptr) continue;
    if (waiter->stable_for != Duration::zero() && now - since >= waiter->stable_for) {
      FinishLeader(request, {}, leader, self);
      continue;
    }
    leader_queue_.push_back(request);
    if (waiter->stable_for != Duration::zero()) {
      stable_at_ = std::min(stable_at_, since + waiter->stable_for);
    }
  }
}

void Waiters::Expire(Instant now) {
  if (now < next_deadline_) return;
  next_deadline_ = kNever;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (!slot.waiter || slot.waiter->stage == Waiter::Stage::kCore) continue;
    if (slot.waiter->deadline > now) {
      NoteDeadline(*slot.waiter);
      continue;
    }
    const raft::RequestId request((static_cast<std::uint64_t>(slot.uses) << kUsesShift) | (i + 1));
    if (slot.waiter->IsWrite()) {
      Fail(request, RaftErrc::ProposalTimeout, NodeId());
    } else {
      const bool is_read = slot.waiter->kind == Waiter::Kind::kRead;
      Fail(request, is_read ? RaftErrc::ReadTimeout : RaftErrc::LeaderTimeout, NodeId());
    }
  }
  DropAnsweredLeaderWaits();
}

void Waiters::DropAnsweredLeaderWaits() {
  std::erase_if(leader_queue_,
                [this](raft::RequestId request) { return Find(request) == nullptr; });
}

void Waiters::FailAll(error_code error) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (!slot.waiter) continue;
    const raft::RequestId request((static_cast<std::uint64_t>(slot.uses) << kUsesShift) | (i + 1));
    Fail(request, slot.waiter->IsWrite() ? error_code(RaftErrc::OutcomeUnknown) : error, NodeId());
  }
  apply_queue_.clear();
  leader_queue_.clear();
}

}  // namespace kommander::runtime
