// TransportStatistics as they are counted: by any thread, without order between them.
#pragma once

#include <atomic>
#include <cstdint>

#include <kommander/transport.hpp>

#include "codec/frame.hpp"

namespace kommander::transports {

class Counter {
 public:
  void Add(std::uint64_t count = 1) noexcept { value_.fetch_add(count, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t Get() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct Counters {
  Counter messages_sent;
  Counter messages_received;
  Counter bytes_sent;
  Counter bytes_received;
  Counter writes;
  Counter dropped_queue_full;
  Counter dropped_unreachable;
  Counter dropped_superseded;
  Counter rejected_truncated;
  Counter rejected_oversize;
  Counter rejected_corrupt;
  Counter rejected_out_of_order;
  Counter rejected_foreign;
  Counter rejected_handshake;

  void AddRefused(codec::FrameError error) noexcept {
    switch (error) {
      case codec::FrameError::kNone: break;
      case codec::FrameError::kTruncated: rejected_truncated.Add(); break;
      case codec::FrameError::kOversize: rejected_oversize.Add(); break;
      case codec::FrameError::kCorrupt: rejected_corrupt.Add(); break;
      case codec::FrameError::kOutOfOrder: rejected_out_of_order.Add(); break;
      case codec::FrameError::kForeign: rejected_foreign.Add(); break;
    }
  }

  [[nodiscard]] TransportStatistics Read() const noexcept {
    TransportStatistics result;
    result.messages_sent = messages_sent.Get();
    result.messages_received = messages_received.Get();
    result.bytes_sent = bytes_sent.Get();
    result.bytes_received = bytes_received.Get();
    result.writes = writes.Get();
    result.dropped_queue_full = dropped_queue_full.Get();
    result.dropped_unreachable = dropped_unreachable.Get();
    result.dropped_superseded = dropped_superseded.Get();
    result.rejected_truncated = rejected_truncated.Get();
    result.rejected_oversize = rejected_oversize.Get();
    result.rejected_corrupt = rejected_corrupt.Get();
    result.rejected_out_of_order = rejected_out_of_order.Get();
    result.rejected_foreign = rejected_foreign.Get();
    result.rejected_handshake = rejected_handshake.Get();
    return result;
  }
};

}  // namespace kommander::transports
