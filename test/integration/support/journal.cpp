#include "support/journal.hpp"

#include <algorithm>
#include <utility>

#include "catch.hpp"
#include "support/patience.hpp"

namespace kommander::test {

void Journal::Add(Event event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(std::move(event));
  changed_.notify_all();
}

void Journal::WaitFor(const char* what, const Predicate& predicate) const {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, kPatience, [&] { return predicate(events_); })) return;
  const std::size_t seen = events_.size();
  lock.unlock();
  INFO("events seen: " << seen);
  FAIL("never came: " << what);
}

std::vector<Event> Journal::Events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

std::size_t Journal::size() const {
  const std::lock_guard lock(mutex_);
  return events_.size();
}

std::vector<std::string> Journal::Delivered(PartitionId partition) const {
  std::vector<std::string> texts;
  for (const Event& event : Events()) {
    if (IsDelivery(event, partition)) texts.push_back(event.text);
  }
  return texts;
}

void Journal::WaitForDelivered(PartitionId partition, std::size_t count) const {
  WaitFor("deliveries", [&](const std::vector<Event>& events) {
    const auto delivered = std::count_if(events.begin(), events.end(), [&](const Event& event) {
      return IsDelivery(event, partition);
    });
    return static_cast<std::size_t>(delivered) >= count;
  });
}

void Journal::WaitForText(PartitionId partition, const std::string& text) const {
  WaitFor(text.c_str(), [&](const std::vector<Event>& events) {
    return std::any_of(events.begin(), events.end(), [&](const Event& event) {
      return IsDelivery(event, partition) && event.text == text;
    });
  });
}

}  // namespace kommander::test
