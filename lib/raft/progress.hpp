// What a leader knows of one peer's log and how it feeds it: three states, each with one way out
// (thesis 10.2.1 for the pipeline).
//   Probe:     where the logs agree is a guess; one message at a time until the peer accepts one.
//   Replicate: they agree; entries are sent ahead of answers, within a window.
//   Snapshot:  what the peer needs is gone; nothing is sent until a snapshot has arrived.
// Pure bookkeeping; the core decides what is in a message.
#pragma once

#include <cstddef>
#include <cstdint>

#include <kommander/ids.hpp>
#include <kommander/time.hpp>

#include "raft/ring.hpp"

namespace kommander::raft {

class Progress {
 public:
  enum class State : std::uint8_t { kProbe, kReplicate, kSnapshot };
  struct Window {
    std::size_t bytes_max = 0;
    std::size_t messages_max = 0;
  };
  // When something happened, in the two measures that repairs need.
  struct Moment {
    std::uint64_t round = 0;  // the newest heartbeat round begun
    Instant time{};
  };

  // A peer of which nothing is known yet; `next` is the first guess.
  Progress(LogIndex next, Moment now) noexcept : next_(next), moved_(now) {}

  [[nodiscard]] State state() const noexcept { return state_; }
  // The peer's log equals the leader's up to here and is synced there. Never falls.
  [[nodiscard]] LogIndex match() const noexcept { return match_; }
  // The first index of the next message.
  [[nodiscard]] LogIndex next() const noexcept { return next_; }
  [[nodiscard]] std::size_t inflight_messages() const noexcept { return inflight_.size(); }
  [[nodiscard]] std::size_t inflight_bytes() const noexcept { return inflight_bytes_; }

  // Whether another append may be sent. An empty window admits a message of any size.
  [[nodiscard]] bool MaySend(const Window& window) const noexcept;
  // Whether the peer waits for an answer to its probe; of interest in Probe only.
  [[nodiscard]] bool IsProbing() const noexcept { return probing_; }

  // An append of entries [next, last] was sent; last = next - 1 when it was empty.
  void Sent(LogIndex last, std::size_t bytes, Moment now);
  // The peer accepted: its log equals the leader's up to `matched`. True: match has grown.
  bool Accepted(LogIndex matched, Moment now);
  // The peer refused an append after `rejected`; `guess` is the greatest index where the logs may
  // agree by what the peer said. True: there is something new to send; false: an old answer.
  bool Rejected(LogIndex rejected, LogIndex guess, Moment now);
  // The peer answered the heartbeat of `round`. True: a message or its answer seems lost, since a
  // whole round has passed without progress, and sending starts again.
  bool HeartbeatAnswered(std::uint64_t round, Duration patience, Moment now);
  // The peer has not been heard for long.
  void Silent(Moment now);
  // What the peer needs is gone.
  void NeedsSnapshot(Moment now);
  // A snapshot arrived; the peer's log starts after `index`.
  void SnapshotArrived(LogIndex index, Moment now);
  // No snapshot arrived; the next answered heartbeat begins again.
  void SnapshotFailed(Moment now);

 private:
  struct Inflight {
    LogIndex last;
    std::size_t bytes = 0;
  };

  void BecomeProbe(LogIndex next, Moment now);
  void FreeInflight(LogIndex matched) noexcept;

  State state_ = State::kProbe;
  bool probing_ = false;  // Probe only, as is `probe_`
  LogIndex match_;
  LogIndex next_;
  Moment moved_;             // last progress, or last send when nothing was on its way
  Inflight probe_;           // the probe on its way
  Ring<Inflight> inflight_;  // Replicate only; `last` ascends
  std::size_t inflight_bytes_ = 0;
};

}  // namespace kommander::raft
