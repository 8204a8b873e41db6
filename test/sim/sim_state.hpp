// The state of a simulated application: how many payloads of each partition it has had. Together
// with the checker, which knows which ones these are, that stands for everything a real one keeps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include <kommander/raft_log.hpp>
#include <kommander/state_machine.hpp>

#include "chance.hpp"

namespace kommander::sim {

class SimState {
 public:
  struct Position {
    LogIndex index;           // of the last payload
    std::uint64_t count = 0;  // payloads
  };

  explicit SimState(Chance chance) : chance_(chance) {}

  // The process has ended: what was not kept is gone.
  void EndLife() { now_ = kept_; }
  // With a disk of its own: writes the state that was complete, now and then.
  void Deliver(const RaftLog& log, bool has_disk);
  void Import(PartitionId partition, const Position& position, bool has_disk);
  [[nodiscard]] Position At(PartitionId partition) const { return Find(now_, partition); }
  [[nodiscard]] std::optional<LogIndex> KeptUpTo(PartitionId partition) const;
  [[nodiscard]] const std::map<PartitionId, Position>& kept() const noexcept { return kept_; }

  // The bytes of an image: the position and, so that it takes its time, much else.
  [[nodiscard]] std::shared_ptr<SnapshotImage> Capture(PartitionId partition);
  // None: not these bytes.
  [[nodiscard]] static std::optional<Position> Read(ByteSpan image);

 private:
  using Positions = std::map<PartitionId, Position>;
  static Position Find(const Positions& positions, PartitionId partition);

  Chance chance_;
  Positions now_;
  Positions kept_;
};

}  // namespace kommander::sim
