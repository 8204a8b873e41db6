// What the disk can do by itself: appends of 4 KiB, each followed by fdatasync. Without it no
// figure of a log on the same disk means anything.
#pragma once

#include <cstdint>
#include <string>

namespace kommander::bench {

struct SyncProbe {
  double syncs_per_second = 0;  // of all files together
  double p50_us = 0;
  double p99_us = 0;
};

// One thread and one new file in `directory` per file, removed afterwards, for `seconds`. Throws
// std::system_error.
[[nodiscard]] SyncProbe ProbeSyncs(const std::string& directory, std::uint32_t files,
                                   double seconds);

struct DiskProbe {
  SyncProbe one_file;
  SyncProbe three_files;  // at once, as three nodes on one disk would
};

[[nodiscard]] DiskProbe ProbeDisk(const std::string& directory, double seconds);

}  // namespace kommander::bench
