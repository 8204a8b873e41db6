// The leader's side of a snapshot's way to one follower: an offer until it is answered, then the
// bytes, a bounded number ahead of the answers, from wherever the follower says that it has got to.
// When no answer comes the offer is made again, so whatever was lost is sent again, and a follower
// that was gone goes on where it was. A transfer that gets no byte further for long has ended.
// Decides; who owns it reads from the store and sends. Of one partition actor's strand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <kommander/ids.hpp>
#include <kommander/messages.hpp>
#include <kommander/snapshot_store.hpp>
#include <kommander/time.hpp>

namespace kommander::runtime {

struct SnapshotSenderOptions {
  std::size_t chunk_bytes = 1u << 20;
  std::size_t chunks_ahead = 4;                       // not answered yet
  std::uint64_t bytes_per_second = 0;                 // 0: as fast as they go
  Duration repeat_after = std::chrono::seconds(1);    // without an answer
  Duration step_timeout = std::chrono::seconds(120);  // without getting further
  int offers_max = 10;                                // in a row without an answer
};

class SnapshotSender {
 public:
  // Bytes to read from the store and to send.
  struct Range {
    std::uint64_t offset = 0;
    std::size_t bytes = 0;
    friend bool operator==(const Range&, const Range&) = default;
  };
  // What is to be done now.
  struct Step {
    bool offer = false;
    std::vector<Range> ranges;  // contiguous, ascending
  };

  SnapshotSender(NodeId peer, const SnapshotInfo& info, SnapshotSenderOptions options, Instant now);

  [[nodiscard]] NodeId peer() const noexcept { return peer_; }
  [[nodiscard]] const SnapshotInfo& info() const noexcept { return info_; }
  // The follower keeps the bytes before it.
  [[nodiscard]] std::uint64_t acknowledged() const noexcept { return acknowledged_; }
  // Whether the follower has it now; none: the transfer goes on.
  [[nodiscard]] std::optional<bool> end() const noexcept { return end_; }

  // Whether the follower has got further since this transfer began.
  [[nodiscard]] bool has_advanced() const noexcept {
    return began_at_ && acknowledged_ > *began_at_;
  }

  // The follower's word. One about another snapshot says nothing.
  void OnReply(const SnapshotReply& reply, Instant now);
  // The store could not give what was asked for.
  void Fail() noexcept { end_ = false; }
  // What follows from all that has come; call it after any of these, and when Due has come.
  [[nodiscard]] Step Proceed(Instant now);
  [[nodiscard]] Instant Due() const noexcept;

 private:
  [[nodiscard]] Instant LateAt() const noexcept;

  const NodeId peer_;
  const SnapshotInfo info_;
  const SnapshotSenderOptions options_;
  bool answered_ = false;  // the newest offer
  int offers_ = 0;         // since the last answer
  std::uint64_t acknowledged_ = 0;
  std::optional<std::uint64_t> began_at_;  // what the follower kept of an earlier transfer
  std::uint64_t sent_ = 0;
  Instant repeat_at_;      // the offer, unless an answer comes before
  Instant advanced_;       // when the follower got further
  Instant paced_until_{};  // nothing more before, by the limit of bytes per second
  std::optional<bool> end_;
};

}  // namespace kommander::runtime
