// What one node's handlers were told, in order, and a way to wait for more of it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <kommander/errors.hpp>
#include <kommander/raft_log.hpp>

namespace kommander::test {

struct Event {
  enum class Kind : std::uint8_t {
    kRestoreStarted,
    kRestored,
    kRestoreFinished,
    kReceived,
    kFailed,
    kLeader,
    kProblem
  };
  Event() = default;
  Event(Kind event_kind, PartitionId event_partition)
      : kind(event_kind), partition(event_partition) {}
  Event(Kind event_kind, const RaftLog& log)
      : kind(event_kind),
        partition(log.partition()),
        index(log.index()),
        proposed_index(log.proposed_index()),
        ticket(log.ticket()),
        ordinal(log.ordinal()),
        type(log.type()),
        text(log.payload().text()) {}

  Kind kind = Kind::kReceived;
  PartitionId partition;
  LogIndex index;
  LogIndex proposed_index;
  Ticket ticket;
  std::uint32_t ordinal = 0;
  std::string type;
  std::string text;
  NodeId leader;
  error_code error;
};

// Thread-safe.
class Journal {
 public:
  using Predicate = std::function<bool(const std::vector<Event>&)>;

  void Add(Event event);
  // Fails the test when it does not come about. On the test's thread only.
  void WaitFor(const char* what, const Predicate& predicate) const;
  [[nodiscard]] std::vector<Event> Events() const;
  [[nodiscard]] std::size_t size() const;

  // The payloads of a partition that were delivered, restored or received, in order.
  [[nodiscard]] std::vector<std::string> Delivered(PartitionId partition) const;
  // Waits until so many payloads of a partition were delivered.
  void WaitForDelivered(PartitionId partition, std::size_t count) const;
  void WaitForText(PartitionId partition, const std::string& text) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<Event> events_;
};

[[nodiscard]] inline bool IsDelivery(const Event& event, PartitionId partition) {
  return event.partition == partition &&
         (event.kind == Event::Kind::kRestored || event.kind == Event::Kind::kReceived);
}

}  // namespace kommander::test
