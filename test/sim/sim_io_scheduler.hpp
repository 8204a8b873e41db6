// The I/O scheduler of a simulated node: the same lanes and turns as the real one, without threads.
// A write takes as long as its disk's mood says; what is being written when the node dies is left
// to the disk to keep or to lose.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include <kommander/io_scheduler.hpp>

#include "chance.hpp"
#include "sim_disk.hpp"
#include "world.hpp"

namespace kommander::sim {

// A stall that has held somebody up for so long counts as a long one, too.
inline constexpr Duration kLongStall = std::chrono::seconds(1);

// How quick a disk is. Shared by the lives of a node; faults change it while it is used.
struct DiskMood {
  Duration sync_min = std::chrono::microseconds(100);
  Duration sync_max = std::chrono::microseconds(600);
  std::uint32_t slow_permille = 5;  // of the syncs take up to slow_max
  Duration slow_max = std::chrono::milliseconds(20);
  Instant stalled_until{};  // nothing ends before
  FaultMark stalled_by;
  FaultMark stalled_long_by;  // told once somebody has waited for kLongStall
  FaultMark slowed_by;
  Duration read_min = std::chrono::microseconds(20);
  Duration read_max = std::chrono::microseconds(300);

  // Of two stalls the one that ends later is felt.
  void Stall(Instant until, FaultMark mark, FaultMark long_mark) noexcept {
    if (until <= stalled_until) return;
    stalled_until = until;
    stalled_by = mark;
    stalled_long_by = long_mark;
  }
  // Every sync takes up to so long.
  void Slow(Duration longest, FaultMark mark) noexcept {
    slowed_by = mark;
    sync_min = std::chrono::milliseconds(5);
    sync_max = sync_min + longest;
    slow_max = std::max(slow_max, sync_max);
    is_slow = true;
  }
  // As quick as at first; a stall goes on.
  void Heal() noexcept {
    const DiskMood fresh;
    sync_min = fresh.sync_min;
    sync_max = fresh.sync_max;
    slow_max = fresh.slow_max;
    is_slow = false;
  }
  bool is_slow = false;
};

struct SimIoOptions {
  std::size_t batch_bytes_max = 4u << 20;
  std::size_t batch_lanes_max = 64;
  std::size_t batch_lane_units_max = 1;  // more: a run of a lane's units shares one sync
  std::size_t lane_units_max = 256;
  std::size_t lane_bytes_max = 32u << 20;
  std::size_t reads_max = 4096;
  std::uint64_t free_bytes_min = std::uint64_t{64} << 20;
};

class SimIoScheduler final : public IoScheduler {
 public:
  // `disk` may be null: any Wal will do, but then a crash loses what is being written as a whole.
  SimIoScheduler(ProcessRecord& process, NodeId node, std::shared_ptr<SimDisk> disk,
                 std::shared_ptr<DiskMood> mood, SimIoOptions options, Chance chance,
                 Observer* observer);
  ~SimIoScheduler() override;

  error_code Start(std::shared_ptr<Wal> wal) override;
  error_code SubmitWrite(WriteUnit unit, std::shared_ptr<IoSink> sink) override;
  error_code SubmitRead(ReadRequest request, std::shared_ptr<IoSink> sink) override;
  error_code UseFileSets() override;
  error_code SubmitTask(PartitionId partition,
                        std::function<void(Wal& wal, bool cancelled)> task) override;
  error_code SubmitFileTask(std::function<void(bool cancelled)> task) override;
  [[nodiscard]] bool IsSaturated(PartitionId partition) const noexcept override;
  [[nodiscard]] bool IsDiskFull() const noexcept override;
  [[nodiscard]] IoStatistics Statistics() const noexcept override;
  void Stop(std::function<void()> done) override;
  void Abort() noexcept override;

  // The process dies at this moment: nothing is finished, nobody is answered.
  void Kill() noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kommander::sim
