// The queue, and the table that finds what a new message replaces.
#include "common/send_queue.hpp"

#include <iterator>
#include <utility>
#include <variant>

#include "codec/messages.hpp"

namespace kommander::transports {

void SendQueue::Open() {
  const detail::MutexLock lock(mutex_);
  open_ = true;
  busy_ = false;
}

void SendQueue::Close() noexcept {
  std::vector<Item> dropped;  // destroyed after the mutex is free
  const detail::MutexLock lock(mutex_);
  open_ = false;
  counters_.dropped_unreachable.Add(items_.size() - head_);
  first_ += items_.size();
  head_ = 0;
  waiting_cost_ = taken_cost_ = 0;
  dropped.swap(items_);
}

SendQueue::Class SendQueue::ClassOf(const Message& message) noexcept {
  if (std::holds_alternative<Heartbeat>(message.body)) return kHeartbeat;
  if (std::holds_alternative<HeartbeatReply>(message.body)) return kHeartbeatReply;
  const auto* reply = std::get_if<AppendReply>(&message.body);
  // A rejection answers one probe; the next one does not say the same.
  return reply != nullptr && reply->accepted ? kAcknowledgement : kClasses;
}

bool SendQueue::Replaces(const Message& newer, const Message& older) noexcept {
  if (newer.from != older.from || newer.term < older.term) return false;
  if (newer.term > older.term) return true;
  if (const auto* beat = std::get_if<Heartbeat>(&newer.body)) {
    return beat->round >= std::get<Heartbeat>(older.body).round;
  }
  if (const auto* reply = std::get_if<HeartbeatReply>(&newer.body)) {
    return reply->round >= std::get<HeartbeatReply>(older.body).round;
  }
  return std::get<AppendReply>(newer.body).matched >= std::get<AppendReply>(older.body).matched;
}

void SendQueue::Grow() {
  std::vector<Slot> old(slots_.empty() ? 64 : slots_.size() * 2);
  old.swap(slots_);
  slots_used_ = 0;
  for (const Slot& slot : old) {
    if (slot.used) Find(PartitionId(slot.partition)) = slot;
  }
}

SendQueue::Slot& SendQueue::Find(PartitionId partition) {
  if (slots_used_ * 2 >= slots_.size()) Grow();
  const std::size_t mask = slots_.size() - 1;
  // Fibonacci hashing: partition numbers are dense.
  std::size_t at = static_cast<std::size_t>(partition.value() * 0x9e3779b97f4a7c15u >> 20) & mask;
  while (slots_[at].used && slots_[at].partition != partition.value()) at = (at + 1) & mask;
  Slot& slot = slots_[at];
  if (!slot.used) {
    slot.used = true;
    slot.partition = partition.value();
    ++slots_used_;
  }
  return slot;
}

// True when `message` took the place of one that waits, or is itself the older one. Otherwise
// `position`, unless it is null, is to hold the number that the message will get.
bool SendQueue::Supersede(Message& message, std::uint64_t*& position) {
  const Class type = ClassOf(message);
  if (type == kClasses) return false;
  position = &Find(message.partition).position[type];
  if (*position < first_ + head_) return false;
  Message& older = items_[*position - first_].message;
  if (older.from != message.from || older.to != message.to) return false;
  if (Replaces(message, older)) older = std::move(message);
  return true;
}

bool SendQueue::Push(Message message) {
  const std::size_t bytes = codec::EncodedBytes(message);
  const std::size_t cost = bytes + kItemOverheadBytes;
  const bool fits_a_frame =
      bytes + codec::kBatchHeaderBytes <= codec::PayloadBytesMax(codec::KindOf(message.body));
  const detail::MutexLock lock(mutex_);
  if (!open_) {
    counters_.dropped_unreachable.Add();
    return false;
  }
  const std::size_t queued = waiting_cost_ + taken_cost_;
  if (!fits_a_frame || (queued != 0 && queued + cost > bytes_max_)) {
    counters_.dropped_queue_full.Add();
    return false;
  }
  std::uint64_t* position = nullptr;
  if (Supersede(message, position)) {
    counters_.dropped_superseded.Add();
  } else {
    items_.push_back({std::move(message), cost});
    waiting_cost_ += cost;
    if (position != nullptr) *position = first_ + items_.size() - 1;
  }
  return !std::exchange(busy_, true);
}

bool SendQueue::Take(std::size_t bytes_max, std::vector<Message>& out) {
  const detail::MutexLock lock(mutex_);
  taken_cost_ = 0;
  if (head_ == items_.size()) {
    busy_ = false;
    return false;
  }
  busy_ = true;
  while (head_ != items_.size() && taken_cost_ < bytes_max) {
    Item& item = items_[head_++];
    taken_cost_ += item.cost;
    out.push_back(std::move(item.message));
  }
  waiting_cost_ -= taken_cost_;
  if (head_ == items_.size() || head_ > items_.size() / 2) {
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
    first_ += head_;
    head_ = 0;
  }
  return true;
}

std::size_t SendQueue::queued_bytes() const {
  const detail::MutexLock lock(mutex_);
  return waiting_cost_ + taken_cost_;
}

}  // namespace kommander::transports
