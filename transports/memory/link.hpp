// Messages on their way from one node to another: what a socket and its two buffers are over TCP.
// The sender pushes from any thread; the receiver drains on its strand.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <kommander/clock.hpp>
#include <kommander/detail/mutex.hpp>
#include <kommander/messages.hpp>

#include "memory/switchboard.hpp"

namespace kommander::memory {

class Link final : public Clock::Sink, public std::enable_shared_from_this<Link> {
 public:
  enum class Pushed { kQueued, kLost, kFull, kClosed };

  Link(NodeId from, NodeId to, std::shared_ptr<Switchboard> switchboard, std::weak_ptr<Node> sender,
       std::weak_ptr<Node> receiver, std::shared_ptr<Clock> clock);

  [[nodiscard]] NodeId from() const noexcept { return from_; }
  [[nodiscard]] NodeId to() const noexcept { return to_; }
  [[nodiscard]] std::shared_ptr<Node> sender() const noexcept { return sender_.lock(); }
  [[nodiscard]] std::shared_ptr<Node> receiver() const noexcept { return receiver_.lock(); }

  [[nodiscard]] Pushed Push(Message message, std::size_t bytes);
  // Drops what is on its way. True for the first caller.
  bool Close() noexcept;

  // The receiver's strand only. Takes what is due; arms the timer for the rest.
  [[nodiscard]] std::vector<Message> TakeDue(const boost::asio::any_io_executor& strand);
  void DropTimer() noexcept { timer_.reset(); }
  void OnTimer() noexcept override;

 private:
  struct Item {
    Instant due;
    std::size_t bytes = 0;
    Message message;
  };
  void Insert(Item item, bool reorder) KOMMANDER_REQUIRES(mutex_);

  const NodeId from_;
  const NodeId to_;
  const std::shared_ptr<Switchboard> switchboard_;
  const std::weak_ptr<Node> sender_;
  const std::weak_ptr<Node> receiver_;
  const std::shared_ptr<Clock> clock_;  // the receiver's

  detail::Mutex mutex_;
  std::vector<Item> items_ KOMMANDER_GUARDED_BY(mutex_);  // by due time
  std::size_t bytes_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  bool drain_posted_ KOMMANDER_GUARDED_BY(mutex_) = false;
  bool closed_ KOMMANDER_GUARDED_BY(mutex_) = false;

  std::unique_ptr<Clock::Timer> timer_;
};

}  // namespace kommander::memory
