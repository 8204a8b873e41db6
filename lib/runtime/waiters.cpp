#include "runtime/waiters.hpp"

#include <algorithm>
#include <utility>

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

void Waiters::AwaitApply(raft::RequestId request, LogIndex index) {
  Waiter* waiter = Find(request);
  if (waiter == nullptr) return;
  waiter->stage = Waiter::Stage::kApply;
  waiter->index = index;
  NoteDeadline(*waiter);
  if (HoldsTooManyAnswered(apply_queue_.size())) {
    std::erase_if(apply_queue_,
                  [this](const Queued& queued) { return Find(queued.request) == nullptr; });
    std::make_heap(apply_queue_.begin(), apply_queue_.end());
  }
  apply_queue_.push_back(Queued{index, request});
  std::push_heap(apply_queue_.begin(), apply_queue_.end());
}

void Waiters::AwaitLeader(raft::RequestId request) {
  Waiter* waiter = Find(request);
  if (waiter == nullptr) return;
  waiter->stage = Waiter::Stage::kLeader;
  NoteDeadline(*waiter);
  if (HoldsTooManyAnswered(leader_queue_.size())) DropAnsweredLeaderWaits();
  leader_queue_.push_back(request);
}

void Waiters::FinishWrite(raft::RequestId request, error_code error, NodeId leader) {
  if (Find(request) == nullptr) return;
  Waiter waiter = Remove(request);
  auto& operation = As<ReplicateResult>(waiter);
  operation.error = error;
  operation.result.leader = leader;
  if (!error) {
    operation.result.ticket = waiter.ticket;
    operation.result.index = waiter.index;
    operation.result.term = waiter.term;
    operation.result.count = waiter.count;
  }
  completions_.Add(std::move(waiter.operation));
}

void Waiters::FinishRead(raft::RequestId request, error_code error, NodeId leader) {
  if (Find(request) == nullptr) return;
  Waiter waiter = Remove(request);
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
    case Waiter::Kind::kWrite: return FinishWrite(request, error, leader);
    case Waiter::Kind::kRead: return FinishRead(request, error, leader);
    case Waiter::Kind::kPlain: return FinishPlain(request, error);
    case Waiter::Kind::kLeader:
    case Waiter::Kind::kAmILeader: return FinishLeader(request, error, NodeId(), NodeId());
  }
}

void Waiters::AdvanceApplied(LogIndex applied) {
  while (!apply_queue_.empty() && apply_queue_.front().index <= applied) {
    const raft::RequestId request = apply_queue_.front().request;
    std::pop_heap(apply_queue_.begin(), apply_queue_.end());
    apply_queue_.pop_back();
    const Waiter* waiter = Find(request);
    if (waiter == nullptr) continue;
    if (waiter->kind == Waiter::Kind::kWrite) {
      FinishWrite(request, {}, NodeId());
    } else {
      FinishRead(request, {}, NodeId());
    }
  }
}

void Waiters::FailReadsBeyond(LogIndex reachable, error_code error) {
  std::erase_if(apply_queue_, [&](const Queued& queued) {
    const Waiter* waiter = Find(queued.request);
    if (waiter == nullptr) return true;
    if (waiter->kind != Waiter::Kind::kRead || queued.index <= reachable) return false;
    FinishRead(queued.request, error, NodeId());
    return true;
  });
  std::make_heap(apply_queue_.begin(), apply_queue_.end());
}

void Waiters::AnnounceLeader(NodeId leader, NodeId self) {
  std::vector<raft::RequestId> waiting;
  waiting.swap(leader_queue_);
  for (const raft::RequestId request : waiting) FinishLeader(request, {}, leader, self);
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
    switch (slot.waiter->kind) {
      case Waiter::Kind::kWrite: Fail(request, RaftErrc::ProposalTimeout, NodeId()); break;
      case Waiter::Kind::kRead: Fail(request, RaftErrc::ReadTimeout, NodeId()); break;
      default: Fail(request, RaftErrc::LeaderTimeout, NodeId()); break;
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
    const bool is_write = slot.waiter->kind == Waiter::Kind::kWrite;
    Fail(request, is_write ? error_code(RaftErrc::OutcomeUnknown) : error, NodeId());
  }
  apply_queue_.clear();
  leader_queue_.clear();
}

}  // namespace kommander::runtime
