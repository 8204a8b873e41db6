// What waits to be written to one peer: bounded in bytes, filled by any thread, emptied by the
// connection. Heartbeats and acknowledgements that a newer one replaces while they wait are
// replaced where they stand, so a slow connection carries the newest state and not its history.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <kommander/detail/mutex.hpp>
#include <kommander/messages.hpp>

#include "common/counters.hpp"

namespace kommander::transports {

class SendQueue {
 public:
  // What a waiting message costs beside its bytes on the wire.
  static constexpr std::size_t kItemOverheadBytes = 64;

  SendQueue(std::size_t bytes_max, Counters& counters)
      : bytes_max_(bytes_max), counters_(counters) {}

  // From now on messages are taken; before, and after Close, they are unreachable.
  void Open();
  // What waited is dropped and counted.
  void Close() noexcept;

  // True when the connection must be woken: nothing is on its way to look at the queue yet.
  [[nodiscard]] bool Push(Message message);
  // The connection's: moves the oldest messages to the end of `out`, until their bytes reach
  // `bytes_max`. False: there were none, and the next Push will wake. What was taken counts as
  // queued until the next Take.
  [[nodiscard]] bool Take(std::size_t bytes_max, std::vector<Message>& out);

  [[nodiscard]] std::size_t queued_bytes() const;

 private:
  enum Class : std::size_t { kHeartbeat, kHeartbeatReply, kAcknowledgement, kClasses };
  struct Item {
    Message message;
    std::size_t cost = 0;
  };
  // Where the newest of each class of one partition stands, by number of the message.
  struct Slot {
    std::uint64_t position[kClasses] = {};
    std::uint32_t partition = 0;
    bool used = false;
  };
  [[nodiscard]] static Class ClassOf(const Message& message) noexcept;
  [[nodiscard]] static bool Replaces(const Message& newer, const Message& older) noexcept;
  [[nodiscard]] Slot& Find(PartitionId partition) KOMMANDER_REQUIRES(mutex_);
  void Grow() KOMMANDER_REQUIRES(mutex_);
  [[nodiscard]] bool Supersede(Message& message, std::uint64_t*& position)
      KOMMANDER_REQUIRES(mutex_);

  const std::size_t bytes_max_;
  Counters& counters_;

  mutable detail::Mutex mutex_;
  bool open_ KOMMANDER_GUARDED_BY(mutex_) = false;
  bool busy_ KOMMANDER_GUARDED_BY(mutex_) = false;  // a flush is posted, or a write is being made
  std::vector<Item> items_ KOMMANDER_GUARDED_BY(mutex_);
  std::size_t head_ KOMMANDER_GUARDED_BY(mutex_) = 0;     // items before it were taken
  std::uint64_t first_ KOMMANDER_GUARDED_BY(mutex_) = 1;  // number of items_[0]; 0 stands for none
  std::size_t waiting_cost_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  std::size_t taken_cost_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  std::vector<Slot> slots_ KOMMANDER_GUARDED_BY(mutex_);  // open addressing, a power of two
  std::size_t slots_used_ KOMMANDER_GUARDED_BY(mutex_) = 0;
};

}  // namespace kommander::transports
