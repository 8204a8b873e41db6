// Waiting proposals: constant work per commit for the leader, a heap for what is left of earlier
// leaderships.
#include "raft/waiters.hpp"

#include <algorithm>

namespace kommander::raft {
namespace {

bool LaterIndex(const Waiter& a, const Waiter& b) noexcept { return a.index > b.index; }

}  // namespace

void Waiters::Add(const Waiter& waiter) {
  earliest_ = std::min(earliest_, waiter.deadline);
  own_.push_back(waiter);
}

void Waiters::Orphan() {
  for (std::size_t i = 0; i < own_.size(); ++i) orphans_.push_back(own_[i]);
  own_.clear();
  own_.Shrink(0);
  std::make_heap(orphans_.begin(), orphans_.end(), LaterIndex);
}

void Waiters::TakeUpTo(LogIndex index, std::vector<Waiter>& taken) {
  while (!orphans_.empty() && orphans_.front().index <= index) {
    std::pop_heap(orphans_.begin(), orphans_.end(), LaterIndex);
    taken.push_back(orphans_.back());
    orphans_.pop_back();
  }
  while (!own_.empty() && own_.front().index <= index) {
    taken.push_back(own_.front());
    own_.pop_front();
  }
  if (size() == 0) {
    earliest_ = kNever;
    if (own_.capacity() > 1024) own_.Shrink(0);
  }
}

template <class Predicate>
void Waiters::TakeIf(Predicate predicate, std::vector<Waiter>& taken) {
  earliest_ = kNever;
  const auto keep_or_take = [&](const Waiter& waiter) {
    if (predicate(waiter)) {
      taken.push_back(waiter);
      return true;
    }
    earliest_ = std::min(earliest_, waiter.deadline);
    return false;
  };
  if (!orphans_.empty()) {
    std::erase_if(orphans_, keep_or_take);
    std::make_heap(orphans_.begin(), orphans_.end(), LaterIndex);
  }
  // One turn of the ring; what stays goes to the back and so keeps its order.
  for (std::size_t turns = own_.size(); turns > 0; --turns) {
    const Waiter waiter = own_.front();
    own_.pop_front();
    if (!keep_or_take(waiter)) own_.push_back(waiter);
  }
}

void Waiters::TakeExpired(Instant now, std::vector<Waiter>& taken) {
  if (now < earliest_) return;
  TakeIf([now](const Waiter& waiter) { return waiter.deadline <= now; }, taken);
}

void Waiters::TakeRequests(std::span<const RequestId> requests, std::vector<Waiter>& taken) {
  TakeIf(
      [requests](const Waiter& waiter) {
        return std::binary_search(requests.begin(), requests.end(), waiter.request);
      },
      taken);
}

void Waiters::TakeAll(std::vector<Waiter>& taken) {
  TakeIf([](const Waiter&) { return true; }, taken);
}

}  // namespace kommander::raft
