// A follower's side of a snapshot's way: what is offered is taken when it is of use and there is
// room, bytes in their order go to the store one block after the other, and each answer says how
// far they have got. The same offer again goes on where it stood. Complete and verified it is
// handed to the core. Decides; who owns it lets the store do the work. Of one partition actor's
// strand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include <kommander/errors.hpp>
#include <kommander/ids.hpp>
#include <kommander/messages.hpp>
#include <kommander/snapshot_store.hpp>
#include <kommander/time.hpp>

namespace kommander::runtime {

class SnapshotReceiver {
 public:
  // Bytes that wait for the store; more are dropped, and sent again.
  static constexpr std::size_t kQueuedBytesMax = 16u << 20;

  // What the store is to do next, one at a time.
  struct Work {
    enum class Kind : std::uint8_t {
      kNone,
      kBegin,
      kAppend,
      kPublish,
      kDiscard
    } kind = Kind::kNone;
    Payload bytes;  // kAppend
  };

  explicit SnapshotReceiver(Duration idle_timeout) noexcept : idle_timeout_(idle_timeout) {}

  // From the leader of this term, `leader`. `applied`: this node has everything up to there.
  void OnOffer(NodeId leader, const SnapshotInfo& info, LogIndex applied, Instant now);
  void OnChunk(NodeId leader, SnapshotChunk chunk, Instant now);
  // The store has done the last work, or has failed to and has no draft any more.
  void OnWorkDone(error_code error, Instant now);
  // What was published is in the log, or is not needed any more; false: the core has not taken it.
  void OnInstalled(bool success);
  // Of an offer that is not for this node.
  void Refuse(NodeId leader, LogIndex index);
  // Nobody has sent for long: the draft is of no use.
  void OnTime(Instant now);

  // The next work, handed out once.
  [[nodiscard]] Work TakeWork();
  // The answer that is owed, handed out once.
  struct Answer {
    NodeId to;
    SnapshotReply reply;
  };
  [[nodiscard]] std::optional<Answer> TakeAnswer();

  // What is being received; none.
  [[nodiscard]] const std::optional<SnapshotInfo>& info() const noexcept { return info_; }
  [[nodiscard]] NodeId from() const noexcept { return from_; }
  // Published and not yet installed.
  [[nodiscard]] bool IsPublished() const noexcept { return stage_ == Stage::kPublished; }
  [[nodiscard]] bool IsBusy() const noexcept { return working_; }
  [[nodiscard]] Instant Due() const noexcept;

 private:
  enum class Stage : std::uint8_t { kIdle, kBegin, kReceiving, kPublish, kPublished };
  void Answered(SnapshotReply::State state);
  void Reset() noexcept;

  Duration idle_timeout_;
  Stage stage_ = Stage::kIdle;
  bool working_ = false;
  bool discards_ = false;  // the store has a draft that was given up
  NodeId from_;
  std::optional<SnapshotInfo> info_;
  std::uint64_t queued_to_ = 0;  // bytes taken over
  std::uint64_t kept_ = 0;       // bytes that the store has
  std::deque<Payload> queue_;
  Instant idle_at_ = kNever;
  std::optional<Answer> answer_;
};

}  // namespace kommander::runtime
