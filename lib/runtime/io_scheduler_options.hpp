// The bounds of the fair I/O scheduler.
#pragma once

#include <cstddef>
#include <cstdint>

#include <kommander/time.hpp>

namespace kommander::runtime {

struct IoSchedulerOptions {
  // One call of Wal::Write, which is of one file set. A unit that is larger by itself goes alone.
  std::size_t batch_bytes_max = std::size_t{4} << 20;
  std::size_t batch_units_max = 4096;
  std::size_t batch_partitions_max = 1024;
  // What one partition may take of it. Small enough that one busy partition leaves room for others.
  std::size_t batch_lane_bytes_max = std::size_t{1} << 20;
  std::size_t batch_lane_units_max = 256;
  // How long a write that is not full waits for company. 0: what queued during the last write is
  // company enough.
  Duration linger{0};

  // Caps on accepted and unanswered units, of one lane and of all file sets together. At or above
  // one of them a lane is saturated: nothing new is admitted, but what exists is taken.
  std::size_t lane_units_max = 1024;
  std::size_t lane_bytes_max = std::size_t{32} << 20;
  std::size_t units_max = 64 * 1024;
  std::size_t bytes_max = std::size_t{256} << 20;

  // Caps on accepted reads that no thread has taken yet.
  std::size_t lane_reads_max = 1024;
  std::size_t reads_max = 64 * 1024;
  std::size_t tasks_max = 64 * 1024;  // of each file set, and those on other files

  std::size_t reader_threads = 2;  // for all file sets

  // Proposals are refused below this many free bytes; 0: never. Looked at after a write or a task,
  // at most once per interval or once per so many bytes written.
  std::uint64_t free_bytes_min = std::uint64_t{64} << 20;
  Duration free_check_interval = std::chrono::seconds(1);
  std::uint64_t free_check_bytes = std::uint64_t{8} << 20;
};

}  // namespace kommander::runtime
