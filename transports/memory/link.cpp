// The queue of a link: order, lateness, and the one posted drain.
#include "memory/link.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "memory/node.hpp"

namespace kommander::memory {

Link::Link(NodeId from, NodeId to, std::shared_ptr<Switchboard> switchboard,
           std::weak_ptr<Node> sender, std::weak_ptr<Node> receiver, std::shared_ptr<Clock> clock)
    : from_(from),
      to_(to),
      switchboard_(std::move(switchboard)),
      sender_(std::move(sender)),
      receiver_(std::move(receiver)),
      clock_(std::move(clock)) {}

void Link::Insert(Item item, bool reorder) {
  bytes_ += item.bytes;
  if (!reorder && !items_.empty()) item.due = std::max(item.due, items_.back().due);
  const auto after = [](const Item& a, const Item& b) { return a.due < b.due; };
  items_.insert(std::upper_bound(items_.begin(), items_.end(), item, after), std::move(item));
}

Link::Pushed Link::Push(Message message, std::size_t bytes) {
  const Fate fate = switchboard_->Draw(from_, to_);
  const Instant now = clock_->Now();
  const detail::MutexLock lock(mutex_);
  if (closed_) return Pushed::kClosed;
  if (fate.copies == 0) return Pushed::kLost;
  if (bytes_ + bytes > switchboard_->options().queue_bytes()) return Pushed::kFull;
  if (fate.copies == 2) Insert({now + fate.delays[1], bytes, message}, fate.reorder);
  Insert({now + fate.delays[0], bytes, std::move(message)}, fate.reorder);
  if (drain_posted_) return Pushed::kQueued;
  const auto node = receiver_.lock();
  if (!node || !node->PostDrain(shared_from_this())) return Pushed::kClosed;
  drain_posted_ = true;
  return Pushed::kQueued;
}

bool Link::Close() noexcept {
  std::vector<Item> dropped;  // destroyed after the mutex is free
  const detail::MutexLock lock(mutex_);
  if (closed_) return false;
  closed_ = true;
  bytes_ = 0;
  dropped.swap(items_);
  return true;
}

std::vector<Message> Link::TakeDue(const boost::asio::any_io_executor& strand) {
  std::vector<Message> due;
  Instant next = kNever;
  {
    const Instant now = clock_->Now();
    const detail::MutexLock lock(mutex_);
    drain_posted_ = false;
    auto end = items_.begin();
    for (; end != items_.end() && end->due <= now; ++end) {
      bytes_ -= end->bytes;
      due.push_back(std::move(end->message));
    }
    items_.erase(items_.begin(), end);
    if (!items_.empty()) next = items_.front().due;
  }
  if (next != kNever) {
    if (!timer_) timer_ = clock_->CreateTimer(strand, weak_from_this());
    timer_->Arm(next);
  }
  return due;
}

void Link::OnTimer() noexcept {
  if (const auto node = receiver_.lock()) node->Drain(shared_from_this());
}

}  // namespace kommander::memory
